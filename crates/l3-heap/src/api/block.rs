//! What the records know of an address: never by looking at the memory there.

use stratalloc_primitives::primitive::atomic::Ordering;

use crate::layout::{GRANULE, MEDIUM_MAX, SLAB_MAX, SMALL_MAX};
use crate::region::chunk::ChunkKind;
use crate::small::{class, mixed, run, slice};
use crate::{medium, os, region};

/// Bytes that the block at `ptr` really has; 0 for null and for what is not ours. O(1). See [`allocate`](crate::allocate) for an example.
///
/// # Safety
///
/// `ptr` is null, a block of this heap in use, or unknown to it.
#[inline]
#[must_use]
pub unsafe fn usable_size(ptr: *const u8) -> usize {
    size_of_block(ptr)
}

/// The records' answer for any address; it is not dereferenced.
fn size_of_block(ptr: *const u8) -> usize {
    let Some(offset) = region::offset_of(ptr) else { return os::usable(ptr) };
    let slab = region::slab_at(offset);
    if slab.is_slab() {
        let slab = slice::head(slab);
        return if slab.class() == class::MIXED {
            mixed::size_of(slab, ptr)
        } else {
            slab.facts().size as usize
        };
    }
    match region::chunk_at(offset).kind() {
        ChunkKind::Split => run::usable(offset),
        ChunkKind::MediumHead => medium::usable(offset),
        ChunkKind::MediumBody | ChunkKind::Free => 0,
    }
}

/// True if `ptr` is the start of a block of this heap (for slabs: lies in one). O(1). See [`allocate`](crate::allocate) for an example.
#[must_use]
pub fn owns(ptr: *const u8) -> bool {
    size_of_block(ptr) != 0
}

/// The family that owns the block at `ptr`; `None` when there is none.
pub(crate) fn family_of(ptr: *const u8) -> Option<u32> {
    let Some(offset) = region::offset_of(ptr) else { return os::family(ptr) };
    if !owns(ptr) {
        return None;
    }
    Some(region::chunk_at(offset).family.load(Ordering::Relaxed))
}

/// Size of the block that a request of `size` bytes gets. Of a size that a thread asks for rarely, the block may be up to a quarter larger;
/// above 4 and up to 32 KiB up to 4 KiB, if no other block fits into what lies behind it.
///
/// ```
/// use stratalloc_heap::good_size;
///
/// // A buffer that grows asks for what it gets anyway.
/// assert_eq!((good_size(1), good_size(100), good_size(good_size(100))), (16, 112, 112));
/// ```
#[must_use]
pub fn good_size(size: usize) -> usize {
    let round = |unit: usize| size.checked_add(unit - 1).map_or(size, |padded| padded & !(unit - 1));
    if size <= SLAB_MAX {
        class::facts(class::of(size)).size as usize
    } else if size <= SMALL_MAX {
        round(GRANULE)
    } else if size <= MEDIUM_MAX {
        size
    } else {
        round(stratalloc_platform::page::size())
    }
}
