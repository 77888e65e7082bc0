//! The typed handle, for code that wants neither a global allocator nor a collection.

mod slices;
#[cfg(any(core_allocator, feature = "allocator-api2", feature = "allocator-api2-04"))]
mod standard;
mod values;

use core::alloc::Layout;
use core::convert::Infallible;
use core::fmt;
use core::ptr::{self, NonNull};

use crate::{Alignment, AllocError, MemoryBlock, MemoryResource, OwnedBlock, ResourceInfo};

/// A handle to a resource that makes and drops typed values.
///
/// `R` is usually a reference to a resource. Every call comes as a `try_` method that returns the failure. The
/// twin without `try_` exists only once [`or_diverge`](Self::or_diverge) says what happens instead: the library itself never
/// panics or aborts, so that decision is the user's, and made in one place.
///
/// | | a value | a value made in place | a slice |
/// | --- | --- | --- | --- |
/// | fallible | `try_new_in` | `try_new_in_with` | `try_alloc_slice`, `_copy`, `_with` |
/// | with a policy | `new_in` | `new_in_with` | `alloc_slice`, `_copy`, `_with` |
/// | release | `drop_in` | `drop_in` | `drop_in`, `release_slice` |
///
/// Collections that are written against the traits of the crate `allocator-api2` take a handle with the feature `allocator-api2`
/// (0.2, that of `hashbrown` and `bumpalo`) or `allocator-api2-04` (0.4). The policy has no part in it: what happens when memory
/// runs out is the collection's decision.
#[cfg_attr(feature = "allocator-api2", doc = include_str!("collections.md"))]
///
/// Every block has at least the handle's alignment, one byte at first, and the type's. Types of size zero take no
/// memory and never fail.
///
/// ```
/// use std::alloc::System;
/// use stratalloc_resource::{Alignment, Allocator, FromGlobal, MemoryResource};
///
/// let system = FromGlobal::new(&System);
/// let mut allocator = Allocator::new(&system);
/// allocator.set_alignment(Alignment::new(64).unwrap());
///
/// assert_eq!((allocator.alignment().bytes(), allocator.info().name), (64, "global"));
/// assert!(allocator.resource().is_equal(&system));
///
/// let number = allocator.try_new_in(42_u64)?;
/// assert_eq!(number.addr().get() % 64, 0);
/// // SAFETY: the value is live, and the handle that made it has not changed.
/// unsafe {
///     assert_eq!(number.read(), 42);
/// }
/// // SAFETY: as above, and it is not used any more.
/// unsafe { allocator.drop_in(number) };
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Allocator<R, P = Fallible> {
    resource: R,
    alignment: Alignment,
    policy: P,
}

/// The policy of a handle that has only `try_` methods. See [`Allocator`] for an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fallible;

/// A refused request: what was asked for, and why there is none.
struct Refusal {
    layout: Layout,
    error: AllocError,
}

impl Refusal {
    /// A request whose size no `Layout` can express.
    fn overflow() -> Self {
        Self { layout: Layout::new::<()>(), error: AllocError::SizeOverflow }
    }
}

impl<R: MemoryResource> Allocator<R> {
    /// A handle to `resource` that asks for no more alignment than each type does. See [`Allocator`] for an example.
    #[must_use]
    pub const fn new(resource: R) -> Self {
        Self { resource, alignment: Alignment::ONE, policy: Fallible }
    }

    /// The same handle, with methods that call `policy` instead of returning a failure.
    ///
    /// It gets the refused request and the reason, and leaves by panic, abort, or whatever its author likes. (Its
    /// type says [`Infallible`] because `!` cannot be named in a bound yet.)
    ///
    /// ```should_panic
    /// use std::alloc::System;
    /// use stratalloc_resource::{Allocator, FromGlobal};
    ///
    /// let system = FromGlobal::new(&System);
    /// let allocator =
    ///     Allocator::new(&system).or_diverge(|layout, error| panic!("{} bytes: {error}", layout.size()));
    /// allocator.alloc_slice::<u8>(usize::MAX);
    /// ```
    #[must_use]
    pub fn or_diverge<F: Fn(Layout, AllocError) -> Infallible>(self, policy: F) -> Allocator<R, F> {
        Allocator { resource: self.resource, alignment: self.alignment, policy }
    }
}

impl<R: MemoryResource, P> Allocator<R, P> {
    /// The alignment that every later block will have at least. See [`Allocator`] for an example.
    ///
    /// Blocks made before must be released by a handle with the alignment that they were made with.
    pub const fn set_alignment(&mut self, alignment: Alignment) {
        self.alignment = alignment;
    }

    /// The same handle with another [alignment](Self::set_alignment). See [`try_alloc_block`](Self::try_alloc_block) for an example.
    #[must_use]
    pub fn with_alignment(mut self, alignment: Alignment) -> Self {
        self.alignment = alignment;
        self
    }

    /// The alignment that every block has at least. See [`Allocator`] for an example.
    #[must_use]
    pub const fn alignment(&self) -> Alignment {
        self.alignment
    }

    /// Where the memory comes from. See [`Allocator`] for an example.
    #[must_use]
    pub const fn resource(&self) -> &R {
        &self.resource
    }

    /// What the resource says about itself. See [`Allocator`] for an example.
    #[must_use]
    pub fn info(&self) -> ResourceInfo<'_> {
        self.resource.info()
    }

    /// `size` bytes with the handle's alignment, which release themselves.
    ///
    /// ```
    /// # use std::alloc::System;
    /// # use stratalloc_resource::{Alignment, Allocator, FromGlobal};
    /// # let system = FromGlobal::new(&System);
    /// let page = Alignment::new(4096).unwrap();
    /// let allocator = Allocator::new(&system).with_alignment(page);
    /// let buffer = allocator.try_alloc_block(10_000)?;
    /// assert_eq!(buffer.as_ptr().addr() % 4096, 0);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`MemoryResource::allocate`].
    pub fn try_alloc_block(&self, size: usize) -> Result<OwnedBlock<&R>, AllocError> {
        let layout = Layout::from_size_align(size, self.alignment.bytes());
        OwnedBlock::new(&self.resource, layout.map_err(|_| AllocError::SizeOverflow)?)
    }

    /// The layout with the handle's alignment, if that is larger.
    fn raise(&self, layout: Layout) -> Result<Layout, Refusal> {
        layout
            .align_to(self.alignment.bytes())
            .map_err(|_| Refusal { layout, error: AllocError::SizeOverflow })
    }

    /// A block for a layout that was [raised](Self::raise); nothing is asked of the resource for size zero.
    fn obtain(&self, layout: Layout) -> Result<NonNull<u8>, Refusal> {
        if layout.size() == 0 {
            return Ok(MemoryBlock::empty(Alignment::from_layout(layout)).as_non_null());
        }
        match self.resource.allocate(layout) {
            Ok(block) => Ok(block.as_non_null()),
            Err(error) => Err(Refusal { layout, error }),
        }
    }

    /// The counterpart of [`obtain`](Self::obtain).
    ///
    /// # Safety
    ///
    /// `start` came from `obtain` with this layout on this handle or an equal one, or begins another live block of an equal
    /// resource that the layout fits; and it is not used any more.
    unsafe fn give_back(&self, start: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            let block = MemoryBlock::new(start, layout.size());
            // SAFETY:
            // * live and not used any more: this function's contract;
            // * the requested size and alignment fit: Fit.
            unsafe { self.resource.deallocate(block, Alignment::from_layout(layout)) };
        }
    }

    /// Drops a value or a slice of values and releases its memory. See [`Allocator`] for an example.
    ///
    /// # Safety
    ///
    /// * the value was made by this handle, or one with an equal resource and the same alignment;
    /// * it is initialised and not used any more.
    pub unsafe fn drop_in<T: ?Sized>(&self, value: NonNull<T>) {
        // SAFETY: the value is live and initialised, so a reference to it may exist for the moment: this
        // function's contract.
        let layout = Layout::for_value(unsafe { value.as_ref() });
        // Released also if a destructor unwinds: it is the user's code, and the memory is not at fault.
        let _release = GiveBack { allocator: self, start: value.cast(), layout };
        // SAFETY: initialised, not used any more: this function's contract.
        unsafe { ptr::drop_in_place(value.as_ptr()) };
    }
}

impl<R: MemoryResource, F: Fn(Layout, AllocError) -> Infallible> Allocator<R, F> {
    #[cold]
    fn diverge(&self, refusal: &Refusal) -> ! {
        match (self.policy)(refusal.layout, refusal.error) {}
    }
}

/// Releases memory when the scope ends, by whichever way.
struct GiveBack<'a, R: MemoryResource, P> {
    allocator: &'a Allocator<R, P>,
    // Invariant GIVE: `start` was obtained for `layout`, raised to the alignment of `allocator`, and nobody else
    // releases it.
    start: NonNull<u8>,
    layout: Layout,
}

impl<R: MemoryResource, P> Drop for GiveBack<'_, R, P> {
    fn drop(&mut self) {
        // The layout was raised without error when the block was made.
        if let Ok(layout) = self.allocator.raise(self.layout) {
            // SAFETY: GIVE.
            unsafe { self.allocator.give_back(self.start, layout) };
        }
    }
}

impl<R: MemoryResource, P> fmt::Debug for Allocator<R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allocator")
            .field("resource", &self.info().name)
            .field("alignment", &self.alignment)
            .finish_non_exhaustive()
    }
}
