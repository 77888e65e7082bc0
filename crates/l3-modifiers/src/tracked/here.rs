//! [`Here`]: a tracked resource that knows which line asks.

use core::alloc::Layout;
use core::fmt;
use core::panic::Location;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo};

use super::Tracked;
use crate::locked::{RawLock, SpinLock};

/// A [`Tracked`] as [`Tracked::here`] returned it: the same resource, and blocks that come through it are noted with the line of that call.
///
/// A release may go through either.
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_modifiers::Tracked;
/// use stratalloc_resource::{FromGlobal, MemoryResource, OwnedBlock};
///
/// let tracked = Tracked::new(FromGlobal::new(&std::alloc::System));
/// let block = OwnedBlock::new(tracked.here(), Layout::new::<u64>())?;
/// tracked.for_each(|live| assert_eq!(live.location.map(|at| at.line()), Some(block.resource().location().line())));
/// assert!(block.resource().is_equal(&tracked));
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
pub struct Here<'a, R, L: RawLock = SpinLock> {
    tracked: &'a Tracked<R, L>,
    location: &'static Location<'static>,
}

impl<'a, R, L: RawLock> Here<'a, R, L> {
    pub(super) const fn new(tracked: &'a Tracked<R, L>, location: &'static Location<'static>) -> Self {
        Self { tracked, location }
    }

    /// The line that asks. See [`Here`] for an example.
    #[must_use]
    pub const fn location(&self) -> &'static Location<'static> {
        self.location
    }
}

// SAFETY: every operation is the tracked resource's, and so is the identity.
unsafe impl<R: MemoryResource, L: RawLock> MemoryResource for Here<'_, R, L> {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.tracked.allocate_from(layout, Some(self.location))
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { self.tracked.deallocate(block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        unsafe { self.tracked.reallocate_from(block, new_size, align, Some(self.location)) }
    }

    fn identity(&self) -> ResourceId {
        self.tracked.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.tracked.info()
    }
}

impl<R, L: RawLock> Clone for Here<'_, R, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, L: RawLock> Copy for Here<'_, R, L> {}

impl<R, L: RawLock> fmt::Debug for Here<'_, R, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Here").field("location", &self.location).finish_non_exhaustive()
    }
}
