//! Strategies of stratalloc.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};
use stratalloc_strategies::lock_free_pool::LockFreePool;
use stratalloc_strategies::partition::{Partition, PartitionRange};
use stratalloc_strategies::pool::Pool;
use stratalloc_strategies::slab::Slab;

use super::Heap;

/// Any resource, by its contract.
#[derive(Debug)]
pub(crate) struct Stratalloc<R>(pub(crate) R);

impl<R: MemoryResource> Heap for Stratalloc<R> {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.0.allocate(layout).ok().map(|block| block.as_non_null())
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, layout: Layout) {
        let block = MemoryBlock::new(start, layout.size());
        // SAFETY: from `take`, with the requested length and alignment: this function's contract.
        unsafe { self.0.deallocate(block, Alignment::from_layout(layout)) };
    }
}

/// A resource for blocks of one size, by its own two methods.
#[derive(Debug)]
pub(crate) struct Blocks<P>(pub(crate) P);

/// What resources for blocks of one size have beside the contract.
trait OneSize {
    fn take(&self) -> Result<MemoryBlock, AllocError>;

    /// # Safety
    ///
    /// As for [`Heap::give`].
    unsafe fn give(&self, start: NonNull<u8>);
}

macro_rules! one_size {
    ($($name:ident),*) => { $(
        impl<U: MemoryResource> OneSize for $name<'_, U> {
            #[inline(always)]
            fn take(&self) -> Result<MemoryBlock, AllocError> {
                $name::take(self)
            }

            #[inline(always)]
            unsafe fn give(&self, start: NonNull<u8>) {
                // SAFETY: this function's contract.
                unsafe { $name::give(self, start) };
            }
        }
    )* };
}

one_size!(Pool, Slab, LockFreePool);

impl OneSize for Partition<Slab<'static, PartitionRange>> {
    #[inline(always)]
    fn take(&self) -> Result<MemoryBlock, AllocError> {
        self.inner().take()
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>) {
        // SAFETY: this function's contract.
        unsafe { self.inner().give(start) };
    }
}

impl<P: OneSize> Heap for Blocks<P> {
    #[inline(always)]
    fn take(&self, _: Layout) -> Option<NonNull<u8>> {
        self.0.take().ok().map(|block| block.as_non_null())
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, _: Layout) {
        // SAFETY: this function's contract.
        unsafe { self.0.give(start) };
    }
}
