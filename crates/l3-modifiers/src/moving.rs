//! Moving a block from one resource to another.

use core::alloc::Layout;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

/// As [`reallocate_by_moving`](stratalloc_resource::reallocate_by_moving), between two resources.
///
/// # Safety
///
/// The block is live in `from`, its length and alignment fit, and nobody else uses it.
pub(crate) unsafe fn move_between<A, B>(
    from: &A,
    to: &B,
    block: MemoryBlock,
    new_size: usize,
    align: Alignment,
) -> Result<MemoryBlock, AllocError>
where
    A: MemoryResource + ?Sized,
    B: MemoryResource + ?Sized,
{
    let layout = Layout::from_size_align(new_size, align.bytes()).map_err(|_| AllocError::SizeOverflow)?;
    let moved = to.allocate(layout)?;
    let kept = block.len().min(moved.len());
    // SAFETY:
    // * the source is valid for reads of `kept <= block.len()` bytes: this function's contract;
    // * the destination is valid for writes of `kept <= moved.len()` bytes: Fit;
    // * they do not overlap: both are live, Disjoint.
    unsafe { moved.as_ptr().copy_from_nonoverlapping(block.as_ptr(), kept) };
    // SAFETY: this function's contract.
    unsafe { from.deallocate(block, align) };
    Ok(moved)
}
