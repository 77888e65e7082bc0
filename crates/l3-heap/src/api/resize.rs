//! Blocks that change their size: in place where their domain can, else by moving pages, else by copying.

use core::ptr;

use super::block::usable_size;
use super::release::{deallocate, deallocate_sized};
use super::{MIN_ALIGN, SIZE_MAX, allocate_fast, allocate_for};
use crate::layout::{DOMAIN_ALIGN_MAX, MEDIUM_MAX, SLAB_MAX, SMALL_MAX};
use crate::region::chunk::ChunkKind;
use crate::small::slab::Slab;
use crate::small::thread_heap::current;
use crate::small::{class, mixed, run, slice};
use crate::{medium, os, region};

/// Changes the size of a block, in place where its domain can, and keeps the contents up to the smaller size. Null: out of
/// memory, the block is as it was. See [`allocate`](crate::allocate) for an example.
///
/// # Safety
///
/// `ptr` is a block of this heap in use, `size` is not 0; if another pointer is returned, `ptr` is not used afterwards.
#[inline]
#[must_use]
pub unsafe fn reallocate(ptr: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: the caller's contract.
    unsafe { reallocate_for(0, ptr, size, MIN_ALIGN) }
}

/// Like [`reallocate`] for a block that is aligned to `align` and stays so.
/// See [`allocate_aligned`](crate::allocate_aligned) for an example.
///
/// # Safety
///
/// As for [`reallocate`].
#[inline]
#[must_use]
pub unsafe fn reallocate_aligned(ptr: *mut u8, size: usize, align: usize) -> *mut u8 {
    // SAFETY: the caller's contract.
    unsafe { reallocate_for(0, ptr, size, align) }
}

/// Like [`reallocate_aligned`] for a caller who knows the size that the block was asked for. Between sizes of up to 1 KiB nothing is looked up
/// to find the new place: it is where the old one is, or the first of the new class's bin; and short contents are copied without a call.
///
/// ```
/// use stratalloc_heap::{allocate, deallocate_sized, reallocate_sized};
///
/// let block = allocate(24);
/// // SAFETY: live, and at least 24 bytes long.
/// unsafe { block.write_bytes(7, 24) };
/// // SAFETY: live, asked for with this size; `block` is not used any more.
/// let longer = unsafe { reallocate_sized(block, 24, 200, 8) };
/// // SAFETY: live; the contents came along.
/// assert_eq!(unsafe { longer.add(23).read() }, 7);
/// // SAFETY: live, with this size and alignment; not used any more.
/// unsafe { deallocate_sized(longer, 200, 8) };
/// ```
///
/// # Safety
///
/// As for [`reallocate`]; `old_size` (not 0) and `align` are those of the request or of the last reallocation.
#[inline(always)]
#[must_use]
pub unsafe fn reallocate_sized(ptr: *mut u8, old_size: usize, size: usize, align: usize) -> *mut u8 {
    if align <= MIN_ALIGN && old_size <= class::FINE_MAX && size <= class::FINE_MAX {
        let (old, new) = (class::of_fine(old_size), class::of_fine(size));
        // As in `reallocate_for`.
        if new <= old && new >= old / 2 {
            return ptr;
        }
        let block = allocate_fast(size);
        if !block.is_null() {
            // SAFETY: blocks of these classes have so many steps at least; both are in use, so they do not overlap.
            unsafe { copy_steps(ptr, block, old.min(new)) };
            // SAFETY: the caller gives the old block up.
            unsafe { deallocate_sized(ptr, old_size, align) };
            return block;
        }
    }
    // SAFETY: the caller's contract.
    unsafe { reallocate_for(0, ptr, size, align) }
}

/// Copies `count` steps of size classes; up to eight as two halves that may overlap, of a length known when compiled.
///
/// # Safety
///
/// Both are valid for that length, and do not overlap.
#[inline(always)]
unsafe fn copy_steps(from: *const u8, to: *mut u8, count: usize) {
    /// # Safety
    ///
    /// As above, for `count` between `HALF` and twice that many steps.
    #[inline(always)]
    unsafe fn halves<const HALF: usize>(from: *const u8, to: *mut u8, count: usize) {
        let rest = (count - HALF) * class::STEP;
        // SAFETY: the first half (caller).
        unsafe { ptr::copy_nonoverlapping(from, to, HALF * class::STEP) };
        // SAFETY: the last half (caller).
        unsafe {
            ptr::copy_nonoverlapping(from.wrapping_add(rest), to.wrapping_add(rest), HALF * class::STEP)
        };
    }
    match count {
        // SAFETY: the caller's contract, and the bounds of the arm.
        1..=2 => unsafe { halves::<1>(from, to, count) },
        // SAFETY: as above.
        3..=4 => unsafe { halves::<2>(from, to, count) },
        // SAFETY: as above.
        5..=8 => unsafe { halves::<4>(from, to, count) },
        // SAFETY: the caller's contract.
        _ => unsafe { ptr::copy_nonoverlapping(from, to, count * class::STEP) },
    }
}

/// # Safety
///
/// As for [`reallocate`]; `family` is the one that the block belongs to.
pub(crate) unsafe fn reallocate_for(family: u32, ptr: *mut u8, size: usize, align: usize) -> *mut u8 {
    if family == 0 && align <= MIN_ALIGN {
        // SAFETY: the caller's contract.
        let moved = unsafe { reallocate_small(ptr, size) };
        if !moved.is_null() {
            return moved;
        }
    }
    // SAFETY: `ptr` is a block in use (caller).
    let old = unsafe { usable_size(ptr) };
    if old == 0 || size > SIZE_MAX {
        return ptr::null_mut();
    }
    // A block stays where it is while at least half of it is used.
    if size <= old && size >= old / 2 && old <= mixed::LARGEST {
        return ptr;
    }
    if let Some(moved) = resize_block(ptr, old, size, align) {
        return moved;
    }
    let new = allocate_for(family, size, align, false);
    if new.is_null() {
        return if size <= old { ptr } else { new };
    }
    // SAFETY: both blocks are in use and hold the smaller of the two sizes; a new block overlaps no other.
    unsafe { ptr::copy_nonoverlapping(ptr, new, old.min(size)) };
    // SAFETY: the caller gives the old block up.
    unsafe { deallocate(ptr) };
    new
}

/// From a slab of one size into a bin that is filled, with one look at the record. Null: not so.
///
/// # Safety
///
/// As for [`reallocate`].
#[inline(always)]
unsafe fn reallocate_small(ptr: *mut u8, size: usize) -> *mut u8 {
    let Some(old) = current().record_of(ptr).and_then(Slab::one_size) else { return ptr::null_mut() };
    // As in `reallocate_for`.
    if size <= old && size >= old / 2 {
        return ptr;
    }
    let block = allocate_fast(size);
    if !block.is_null() {
        // SAFETY: blocks of these classes have so many steps at least; both are in use, so they do not overlap.
        unsafe { copy_steps(ptr, block, class::of_fine(old.min(size))) };
        // SAFETY: the caller gives the old block up.
        unsafe { deallocate(ptr) };
    }
    block
}

/// Lets the domain of the block change its size, if the new size belongs to the same domain.
fn resize_block(ptr: *mut u8, old: usize, size: usize, align: usize) -> Option<*mut u8> {
    let Some(offset) = region::offset_of(ptr) else {
        return if size > MEDIUM_MAX || align > DOMAIN_ALIGN_MAX { os::resize(ptr, size) } else { None };
    };
    let slab = region::slab_at(offset);
    if slab.is_slab() {
        let slab = slice::head(slab);
        return (slab.class() == class::MIXED && mixed::resize(slab, ptr, size)).then_some(ptr);
    }
    if align > DOMAIN_ALIGN_MAX {
        return None;
    }
    if old <= SMALL_MAX && region::chunk_at(offset).kind() == ChunkKind::Split {
        return if size > SLAB_MAX && size <= SMALL_MAX && run::resize(offset, size) {
            Some(ptr)
        } else {
            None
        };
    }
    if size <= SMALL_MAX || size > MEDIUM_MAX {
        return None;
    }
    if medium::resize_in_place(offset, size) {
        return Some(ptr);
    }
    if size > old { medium::resize_moving(offset, size) } else { None }
}
