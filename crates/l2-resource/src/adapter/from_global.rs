//! Any `GlobalAlloc` as a resource.

use core::alloc::{GlobalAlloc, Layout};
use core::fmt;
use core::ptr::{self, NonNull};

use crate::{Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety};

/// The resource that draws from a global allocator.
///
/// It borrows the allocator, because the allocator's address is its identity: global allocators keep their state in
/// themselves or in statics. Those of size zero have no address worth comparing, so there the type alone decides.
///
/// `GlobalAlloc` cannot tell the real size, so a block is exactly as long as requested, and at least one byte:
/// its `alloc` must not be asked for nothing.
///
/// Cost: that of the allocator, and one comparison.
///
/// ```
/// use std::alloc::System;
/// use stratalloc_resource::{FromGlobal, MemoryResource};
///
/// let (a, b) = (FromGlobal::new(&System), FromGlobal::new(&System));
/// assert!(a.is_equal(&b));
/// ```
pub struct FromGlobal<'a, A: GlobalAlloc + 'static> {
    allocator: &'a A,
}

impl<'a, A: GlobalAlloc + 'static> FromGlobal<'a, A> {
    /// The resource over `allocator`. See [`FromGlobal`] for an example.
    #[must_use]
    pub const fn new(allocator: &'a A) -> Self {
        Self { allocator }
    }
}

/// The layout to ask the allocator for: never of size zero. `deallocate` computes the same from any fitting length,
/// which is `size` itself, or 0 or 1 for a request of 0 bytes.
fn without_zero(size: usize, align: Alignment) -> Result<Layout, AllocError> {
    Layout::from_size_align(size.max(1), align.bytes()).map_err(|_| AllocError::SizeOverflow)
}

fn block_from(start: *mut u8, len: usize) -> Result<MemoryBlock, AllocError> {
    NonNull::new(start).map(|start| MemoryBlock::new(start, len)).ok_or(AllocError::OutOfMemory)
}

// SAFETY:
// * Fit, Disjoint, Stable: `GlobalAlloc` promises blocks that are aligned, `size` long and exclusive until `dealloc`;
//   moving this value moves only a reference;
// * Threads: the type is `Sync` only if `A` is, and a global allocator's blocks belong to no thread;
// * Errors: null becomes a value; layouts that `GlobalAlloc` forbids (size 0, above `isize::MAX`) never reach it;
// * Equality: same allocator object, or same zero-sized type, hence same state.
unsafe impl<A: GlobalAlloc + 'static> MemoryResource for FromGlobal<'_, A> {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let layout = without_zero(layout.size(), Alignment::from_layout(layout))?;
        // SAFETY: the size is not zero: `without_zero`.
        let start = unsafe { self.allocator.alloc(layout) };
        block_from(start, layout.size())
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // A live block's layout was valid when it was requested, so the error never comes.
        if let Ok(layout) = without_zero(block.len(), align) {
            // SAFETY:
            // * the block came from this allocator: this function's contract, Equality;
            // * the layout is the one of the request: lengths returned here are exact.
            unsafe { self.allocator.dealloc(block.as_ptr(), layout) };
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let old = without_zero(block.len(), align)?;
        let new = without_zero(new_size, align)?;
        // SAFETY:
        // * the block came from this allocator with the layout `old`: as in `deallocate`;
        // * the new size is not zero and does not overflow: `without_zero`.
        let start = unsafe { self.allocator.realloc(block.as_ptr(), old, new.size()) };
        block_from(start, new.size())
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let layout = without_zero(layout.size(), Alignment::from_layout(layout))?;
        // SAFETY: the size is not zero: `without_zero`.
        let start = unsafe { self.allocator.alloc_zeroed(layout) };
        block_from(start, layout.size())
    }

    fn identity(&self) -> ResourceId {
        let instance = if size_of::<A>() == 0 { 0 } else { ptr::from_ref(self.allocator).addr() };
        ResourceId::new::<FromGlobal<'static, A>>(instance)
    }

    fn info(&self) -> ResourceInfo<'_> {
        // Whether `A` is `Sync` cannot be asked here; nearly all are, being made for statics.
        ResourceInfo::new("global", ThreadSafety::Shared)
    }
}

impl<A: GlobalAlloc + 'static> Clone for FromGlobal<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: GlobalAlloc + 'static> Copy for FromGlobal<'_, A> {}

impl<A: GlobalAlloc + 'static> fmt::Debug for FromGlobal<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromGlobal").field("identity", &self.identity()).finish()
    }
}
