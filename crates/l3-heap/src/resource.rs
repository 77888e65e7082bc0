//! The heaps behind the contract of `stratalloc-resource`.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, SizeClasses,
    ThreadSafety, Validate, Violation,
};

use crate::small::class;
use crate::{Heap, api, validate};

/// The process heap as a resource: a value without size, the same heap for every copy.
///
/// Thread-safe; see [`allocate`](crate::allocate) for cost and re-entrancy.
///
/// ```
/// use stratalloc_heap::ProcessHeap;
/// use stratalloc_resource::Allocator;
///
/// let sum = Allocator::new(ProcessHeap).try_alloc_slice_copy(&[1_u64, 2, 3])?;
/// // SAFETY: live until the process ends: nobody gives it back.
/// assert_eq!(unsafe { sum.as_ref() }.iter().sum::<u64>(), 6);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProcessHeap;

/// Sizes above `isize::MAX`, rounded up to the alignment, are no sizes.
fn checked(size: usize, align: Alignment) -> Result<usize, AllocError> {
    match align.align_up(size) {
        Some(padded) if padded <= isize::MAX as usize => Ok(size),
        _ => Err(AllocError::SizeOverflow),
    }
}

fn block(ptr: *mut u8) -> Result<MemoryBlock, AllocError> {
    let start = NonNull::new(ptr).ok_or(AllocError::OutOfMemory)?;
    // SAFETY: the pointer is a block that was just handed out.
    let len = unsafe { api::usable_size(ptr) };
    Ok(MemoryBlock::new(start, len))
}

fn classes() -> SizeClasses<'static> {
    SizeClasses::computed(class::CLASSES - 1, |index| class::facts(index + 1).size as usize)
}

// SAFETY: blocks have the requested size and alignment and overlap no other (C1, T2 and S2 in SAFETY.md); they stay until they
// are released; no operation panics, unwinds, waits or calls back.
unsafe impl MemoryResource for ProcessHeap {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        block(api::allocate_aligned(layout.size(), layout.align()))
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _align: Alignment) {
        // SAFETY: the block is one of this heap's and nobody uses it (caller).
        unsafe { api::deallocate(block.as_ptr()) };
    }

    unsafe fn reallocate(
        &self,
        old: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let size = checked(new_size, align)?.max(1);
        // SAFETY: the block is one of this heap's (caller), and the size is not 0.
        block(unsafe { api::reallocate_aligned(old.as_ptr(), size, align.bytes()) })
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        // Every byte of the block is promised to be zero, so ask for what the request is rounded up to.
        let size = api::good_size(layout.size()).max(layout.size());
        let found = block(api::allocate_aligned_zeroed(size, layout.align()))?;
        Ok(MemoryBlock::new(found.as_non_null(), size.min(found.len())))
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Self>(crate::region::identity())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("process-heap", ThreadSafety::Shared).with_size_classes(classes())
    }
}

// SAFETY: a live block's start is found by arithmetic in its record; no other address is claimed but interior ones of slabs,
// which belong to this heap too. Blocks of independent heaps are told apart by their family.
unsafe impl Owns for ProcessHeap {
    fn owns(&self, ptr: *const u8) -> bool {
        api::family_of(ptr) == Some(0)
    }
}

impl Collect for ProcessHeap {
    fn collect(&self) -> usize {
        api::collect()
    }
}

impl Validate for ProcessHeap {
    fn validate(&self) -> Result<(), Violation> {
        validate::validate()
    }
}

// SAFETY: as for `ProcessHeap`; a family's chunks serve nobody else.
unsafe impl MemoryResource for Heap {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        block(api::allocate_for(self.number(), layout.size(), layout.align(), false))
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _align: Alignment) {
        // SAFETY: the block is one of this heap's and nobody uses it (caller).
        unsafe { api::deallocate(block.as_ptr()) };
    }

    unsafe fn reallocate(
        &self,
        old: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let size = checked(new_size, align)?.max(1);
        // SAFETY: the block is one of this heap's (caller), and the size is not 0.
        block(unsafe { api::reallocate_for(self.number(), old.as_ptr(), size, align.bytes()) })
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let size = api::good_size(layout.size()).max(layout.size());
        let found = block(api::allocate_for(self.number(), size, layout.align(), true))?;
        Ok(MemoryBlock::new(found.as_non_null(), size.min(found.len())))
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Self>(crate::region::identity() + self.number() as usize)
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("heap", ThreadSafety::Shared).with_size_classes(classes())
    }
}

// SAFETY: as for `ProcessHeap`.
unsafe impl Owns for Heap {
    fn owns(&self, ptr: *const u8) -> bool {
        api::family_of(ptr) == Some(self.number())
    }
}
