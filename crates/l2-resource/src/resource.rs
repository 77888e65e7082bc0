//! The trait that everything with memory implements.

use core::alloc::Layout;

use crate::clause::clause;
use crate::{Alignment, AllocError, MemoryBlock, ResourceId, ResourceInfo};

/// Something that hands out blocks of memory and takes them back.
///
/// Every request and every release carries size and alignment, so a resource needs no hidden header, and every
/// answer tells the real size. The trait is dyn-compatible; all operations take `&self`. A block that was
/// returned and neither released nor moved by `reallocate` is *live*.
///
/// ```
/// use core::alloc::Layout;
/// use std::alloc::System;
/// use stratalloc_resource::{Alignment, FromGlobal, MemoryResource};
///
/// let system = FromGlobal::new(&System);
/// let resource: &dyn MemoryResource = &system;
/// let layout = Layout::from_size_align(100, 64).unwrap();
/// let block = resource.allocate(layout)?;
/// assert!(block.len() >= 100 && block.address() % 64 == 0);
/// let align = Alignment::from_layout(layout);
/// // SAFETY: live, from this resource, with this alignment; only the result is used.
/// let block = unsafe { resource.reallocate(block, 5000, align) }?;
/// // SAFETY: the block is live, came from this resource, and was requested with this alignment.
/// unsafe { resource.deallocate(block, align) };
///
/// let zeros = resource.allocate_zeroed(Layout::new::<u64>())?;
/// let same: &dyn MemoryResource = &FromGlobal::new(&System);
/// assert!(resource.is_equal(same) && resource.identity() == same.identity());
/// // SAFETY: live, with this alignment, and what one resource made an equal one may release.
/// unsafe { same.deallocate(zeros, Alignment::of::<u64>()) };
/// assert_eq!(resource.info().name, "global");
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
///
/// # Safety
///
/// Callers build on all of what follows, and the conformance kit checks all of it that a program can check.
///
/// ## Fit
///
#[doc = concat!("* ", clause!(fit_length))]
#[doc = concat!("* ", clause!(fit_alignment))]
#[doc = concat!("* ", clause!(fit_release))]
#[doc = concat!("* ", clause!(fit_zero))]
///
/// ## Disjoint
///
#[doc = concat!("* ", clause!(disjoint))]
///
/// ## Stable
///
#[doc = concat!("* ", clause!(stable))]
#[doc = concat!("* ", clause!(stable_reallocate))]
#[doc = concat!("* ", clause!(stable_zeroed))]
///
/// Blocks live until released, or until the resource is dropped or reset, whichever is first; whoever resets a resource
/// promises that nobody uses its blocks any more.
///
/// ## Threads
///
#[doc = concat!("* ", clause!(threads_parallel))]
#[doc = concat!("* ", clause!(threads_remote))]
///
/// ## Re-entrancy
///
/// No operation calls back into its caller, into the global allocator or into itself. The two ways people do it by
/// accident: formatting, logging or a `thread_local!` with a destructor inside an operation, all of which
/// allocate, and so recurse once the resource serves the global allocator; and a lock held across a call to the upstream,
/// which a signal handler, a `fork` child or the upstream's own hook then meets from within.
///
/// ## Errors
///
#[doc = concat!("* ", clause!(errors_value))]
#[doc = concat!("* ", clause!(errors_served))]
#[doc = concat!("* ", clause!(errors_huge))]
#[doc = concat!("* ", clause!(errors_intact))]
#[doc = concat!("* ", clause!(errors_capacity))]
#[doc = concat!("* ", clause!(errors_recovery))]
///
/// ## Identity
///
#[doc = concat!("* ", clause!(equal_reflexive))]
#[doc = concat!("* ", clause!(equal_symmetric))]
#[doc = concat!("* ", clause!(equal_stable))]
#[doc = concat!("* ", clause!(equal_release))]
#[doc = concat!("* ", clause!(equal_clone))]
#[doc = concat!("* ", clause!(info_truthful))]
///
/// ## Cost
///
/// An implementation documents the cost of each operation. `is_equal`, `identity` and `info` are a few
/// instructions. The provided `reallocate` and `allocate_zeroed` cost what the other two do and a pass over the bytes.
pub unsafe trait MemoryResource {
    /// A block for `layout`, with unspecified contents. See [`MemoryResource`] for an example.
    ///
    /// # Errors
    ///
    /// Why there is none; see [`AllocError`].
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError>;

    /// Takes a block back. See [`MemoryResource`] for an example.
    ///
    /// # Safety
    ///
    /// * `block` starts where a live block of this resource, or of one that is equal to it, starts;
    /// * its length lies between the size last asked for and the `len` returned then;
    /// * `align` is the alignment of the request;
    /// * nobody uses the bytes any more.
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment);

    /// Changes the size of a block, in place or by moving it. Growth leaves the new bytes unspecified.
    /// See [`MemoryResource`] for an example.
    ///
    /// A `new_size` of 0 is a size like any other: the block shrinks, and has still to be released.
    ///
    /// # Errors
    ///
    /// Why there is no block of the new size; the old one is then untouched. Shrinking fails only where the size
    /// classes leave no choice.
    ///
    /// # Safety
    ///
    /// As for [`deallocate`](Self::deallocate), except that on failure the bytes may still be in use.
    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY:
        // * the block, its length and `align` fit: this function's contract;
        // * nobody else uses the bytes during the call: likewise.
        unsafe { reallocate_by_moving(self, block, new_size, align) }
    }

    /// A block for `layout` whose `len` bytes are all zero. See [`MemoryResource`] for an example.
    ///
    /// # Errors
    ///
    /// As for [`allocate`](Self::allocate).
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let block = self.allocate(layout)?;
        // SAFETY:
        // * the block is valid for writes of `len` bytes: Fit;
        // * nobody else uses them: Disjoint, and it was returned to us just now.
        unsafe { block.as_ptr().write_bytes(0, block.len()) };
        Ok(block)
    }

    /// Which pool of memory this is. The same for every handle to it, before and after moves. See [`MemoryResource`] for an example.
    fn identity(&self) -> ResourceId;

    /// Whether blocks of this resource may be handed back through `other`, and the other way round. See [`MemoryResource`] for an example.
    ///
    /// Where it is false, a block has to reach its own resource some other way. An implementation that overrides
    /// the comparison of identities keeps it reflexive and symmetric.
    fn is_equal(&self, other: &dyn MemoryResource) -> bool {
        self.identity() == other.identity()
    }

    /// Name, limits and habits. See [`MemoryResource`] for an example.
    fn info(&self) -> ResourceInfo<'_>;
}

/// Changes the size of a block by the plain means: a new block, a copy, a release.
///
/// For implementations of [`MemoryResource::reallocate`] that can do better only sometimes.
///
/// ```
/// use core::alloc::Layout;
/// use std::alloc::System;
/// use stratalloc_resource::{Alignment, FromGlobal, MemoryResource, reallocate_by_moving};
///
/// let system = FromGlobal::new(&System);
/// let block = system.allocate(Layout::new::<u64>())?;
/// // SAFETY: live, and eight bytes long.
/// unsafe { block.as_ptr().write(7) };
/// // SAFETY: live, of this resource and alignment; only the result is used.
/// let moved = unsafe { reallocate_by_moving(&system, block, 1000, Alignment::of::<u64>()) }?;
/// // SAFETY: live; the contents came along.
/// assert_eq!(unsafe { moved.as_ptr().read() }, 7);
/// // SAFETY: live, with this alignment; not used any more.
/// unsafe { system.deallocate(moved, Alignment::of::<u64>()) };
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
///
/// # Errors
///
/// Those of `allocate`, and [`AllocError::SizeOverflow`] if `new_size` rounded up to `align` exceeds
/// `isize::MAX`. The old block is then untouched.
///
/// # Safety
///
/// As for [`MemoryResource::reallocate`].
pub unsafe fn reallocate_by_moving<R: MemoryResource + ?Sized>(
    resource: &R,
    block: MemoryBlock,
    new_size: usize,
    align: Alignment,
) -> Result<MemoryBlock, AllocError> {
    let Ok(layout) = Layout::from_size_align(new_size, align.bytes()) else {
        return Err(AllocError::SizeOverflow);
    };
    let moved = resource.allocate(layout)?;
    // The new block may be longer than asked for; bytes beyond the request are worth keeping too.
    let kept = block.len().min(moved.len());
    // SAFETY:
    // * the source is valid for reads of `kept <= block.len()` bytes: this function's contract;
    // * the destination is valid for writes of `kept <= moved.len()` bytes: Fit;
    // * they do not overlap: both are live, Disjoint.
    unsafe { moved.as_ptr().copy_from_nonoverlapping(block.as_ptr(), kept) };
    // SAFETY:
    // * block and alignment fit, and nobody uses the bytes any more: this function's contract.
    unsafe { resource.deallocate(block, align) };
    Ok(moved)
}
