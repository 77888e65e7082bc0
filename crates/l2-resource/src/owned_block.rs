//! A block that releases itself.

use core::alloc::Layout;
use core::fmt;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr;
use core::slice;

use crate::{Alignment, AllocError, MemoryBlock, MemoryResource};

/// Bytes from a resource, released when dropped.
///
/// It can be moved, also to another thread if the resource handle can, and not cloned. `R` is usually a
/// reference, so that the borrow keeps the resource alive as long as the block.
///
/// ```
/// use core::alloc::Layout;
/// use std::alloc::System;
/// use stratalloc_resource::{FromGlobal, OwnedBlock};
///
/// let system = FromGlobal::new(&System);
/// let mut block = OwnedBlock::new_zeroed(&system, Layout::from_size_align(100, 64).unwrap())?;
/// block.try_resize(5000)?;
/// assert!(block.len() >= 5000);
/// assert_eq!(block.as_ptr().addr() % 64, 0);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
///
/// ```compile_fail,E0599
/// # use core::alloc::Layout;
/// # use std::alloc::System;
/// # use stratalloc_resource::{FromGlobal, OwnedBlock};
/// let system = FromGlobal::new(&System);
/// let block = OwnedBlock::new(&system, Layout::new::<u64>()).unwrap();
/// let twice = block.clone(); // would be released twice
/// ```
///
/// ```compile_fail,E0597
/// # use core::alloc::Layout;
/// # use std::alloc::System;
/// # use stratalloc_resource::{FromGlobal, OwnedBlock};
/// let block = {
///     let system = FromGlobal::new(&System);
///     OwnedBlock::new(&system, Layout::new::<u64>()).unwrap()
/// }; // the resource is gone before the block
/// drop(block);
/// ```
pub struct OwnedBlock<R: MemoryResource> {
    // Invariant OWN: `block` is live in `resource`, was requested with `align`, and nobody else releases it.
    // (The block is `Send` and `Sync` by itself; access goes through `&self` and `&mut self`.)
    block: MemoryBlock,
    align: Alignment,
    resource: R,
}

impl<R: MemoryResource> OwnedBlock<R> {
    /// A block for `layout` with unspecified contents.
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use std::alloc::System;
    /// use stratalloc_resource::{FromGlobal, MemoryResource, OwnedBlock};
    ///
    /// let mut block = OwnedBlock::new(FromGlobal::new(&System), Layout::new::<u64>())?;
    /// block.as_uninit_mut()[0].write(7);
    /// // SAFETY: just written.
    /// assert_eq!(unsafe { block.as_uninit()[0].assume_init() }, 7);
    /// assert!(!block.is_empty() && block.align().bytes() == 8);
    /// assert_eq!(block.resource().info().name, "global");
    ///
    /// // Taken apart, to travel as words, and put together again.
    /// let (memory, align, resource) = block.into_parts();
    /// // SAFETY: the parts of one block, each used once.
    /// drop(unsafe { OwnedBlock::from_parts(memory, align, resource) });
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`MemoryResource::allocate`].
    pub fn new(resource: R, layout: Layout) -> Result<Self, AllocError> {
        let block = resource.allocate(layout)?;
        Ok(Self { block, align: Alignment::from_layout(layout), resource })
    }

    /// A block for `layout` full of zeros. See [`OwnedBlock`] for an example.
    ///
    /// # Errors
    ///
    /// Those of [`MemoryResource::allocate_zeroed`].
    pub fn new_zeroed(resource: R, layout: Layout) -> Result<Self, AllocError> {
        let block = resource.allocate_zeroed(layout)?;
        Ok(Self { block, align: Alignment::from_layout(layout), resource })
    }

    /// The owner of a block that was made by other means. See [`new`](Self::new) for an example.
    ///
    /// # Safety
    ///
    /// The block is live in `resource` (or an equal one), fits as [`MemoryResource::deallocate`] asks, and is
    /// given up by its former owner.
    pub const unsafe fn from_parts(block: MemoryBlock, align: Alignment, resource: R) -> Self {
        Self { block, align, resource }
    }

    /// Gives up ownership; the caller releases the block. See [`new`](Self::new) for an example.
    #[must_use = "the block leaks unless it is released"]
    pub fn into_parts(self) -> (MemoryBlock, Alignment, R) {
        let this = ManuallyDrop::new(self);
        // SAFETY:
        // * valid for reads: a reference to a field;
        // * not used again: `this` is never dropped nor touched after.
        let resource = unsafe { ptr::from_ref(&this.resource).read() };
        (this.block, this.align, resource)
    }

    /// The first byte. Valid until the block is resized or dropped. See [`OwnedBlock`] for an example.
    #[must_use]
    pub const fn as_ptr(&self) -> *mut u8 {
        self.block.as_ptr()
    }

    /// The real size. See [`OwnedBlock`] for an example.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.block.len()
    }

    /// Whether it has no bytes. See [`new`](Self::new) for an example.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// The alignment that was asked for; kept by [`try_resize`](Self::try_resize). See [`new`](Self::new) for an example.
    #[must_use]
    pub const fn align(&self) -> Alignment {
        self.align
    }

    /// Where the bytes come from. See [`new`](Self::new) for an example.
    #[must_use]
    pub const fn resource(&self) -> &R {
        &self.resource
    }

    /// The bytes, of which the resource promises no value. See [`new`](Self::new) for an example.
    #[must_use]
    pub const fn as_uninit(&self) -> &[MaybeUninit<u8>] {
        // SAFETY:
        // * `len` bytes are valid and exclusive to the block's owner: OWN, Fit, Disjoint;
        // * `MaybeUninit` needs no initialised contents.
        unsafe { slice::from_raw_parts(self.block.as_ptr().cast(), self.block.len()) }
    }

    /// The bytes, to be written. See [`new`](Self::new) for an example.
    #[must_use]
    pub const fn as_uninit_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: as for `as_uninit`; `&mut self` makes it the only access.
        unsafe { slice::from_raw_parts_mut(self.block.as_ptr().cast(), self.block.len()) }
    }

    /// Changes the size, in place or by moving; keeps the bytes that both sizes have. See [`OwnedBlock`] for an example.
    ///
    /// # Errors
    ///
    /// Those of [`MemoryResource::reallocate`]; the block is then unchanged.
    pub fn try_resize(&mut self, new_size: usize) -> Result<(), AllocError> {
        // SAFETY:
        // * live, fitting: OWN;
        // * nobody else uses the bytes: `&mut self`.
        self.block = unsafe { self.resource.reallocate(self.block, new_size, self.align) }?;
        Ok(())
    }
}

impl<R: MemoryResource> Drop for OwnedBlock<R> {
    fn drop(&mut self) {
        // SAFETY:
        // * live, fitting, released by nobody else: OWN;
        // * no borrow of the bytes outlives `self`.
        unsafe { self.resource.deallocate(self.block, self.align) };
    }
}

impl<R: MemoryResource> fmt::Debug for OwnedBlock<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedBlock")
            .field("block", &self.block)
            .field("align", &self.align)
            .field("resource", &self.resource.info().name)
            .finish()
    }
}
