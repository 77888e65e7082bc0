//! A reference to a resource is that resource.

use core::alloc::Layout;

use crate::{Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo};

// SAFETY: every operation is the referent's, which keeps the contract; also `reallocate` and the others with a provided
// body, so that its better ones are not lost. The reference holds no state, and a copy of it has the same identity.
unsafe impl<R: MemoryResource + ?Sized> MemoryResource for &R {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        (**self).allocate(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: the same contract: this function's.
        unsafe { (**self).deallocate(block, align) };
    }

    #[inline]
    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: the same contract: this function's.
        unsafe { (**self).reallocate(block, new_size, align) }
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        (**self).allocate_zeroed(layout)
    }

    fn identity(&self) -> ResourceId {
        (**self).identity()
    }

    fn is_equal(&self, other: &dyn MemoryResource) -> bool {
        (**self).is_equal(other)
    }

    fn info(&self) -> ResourceInfo<'_> {
        (**self).info()
    }
}
