//! [`Fixed`]: the upstream of a resource that must not grow.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety,
};

/// A resource without memory, as the upstream of strategies over memory that they were given.
///
/// Growth and no growth are then the same code: a strategy asks its upstream for a chunk, and this one always answers
/// [`CapacityExhausted`](AllocError::CapacityExhausted). It takes no space, and the compiler removes the call.
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_resource::{AllocError, MemoryResource};
/// use stratalloc_strategies::Fixed;
///
/// assert_eq!(Fixed.allocate(Layout::new::<u8>()), Err(AllocError::CapacityExhausted));
/// assert_eq!(Fixed.info().capacity, Some(0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed;

// SAFETY: it never returns a block, so there is nothing to keep.
unsafe impl MemoryResource for Fixed {
    #[inline]
    fn allocate(&self, _: Layout) -> Result<MemoryBlock, AllocError> {
        Err(AllocError::CapacityExhausted)
    }

    #[inline]
    unsafe fn deallocate(&self, _: MemoryBlock, _: Alignment) {}

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Self>(0)
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("fixed", ThreadSafety::Shared).with_capacity(0)
    }
}
