//! Blocks that change their size: in place where their domain can, else by moving pages, else by copying.

use core::ptr;

use super::block::usable_size;
use super::release::deallocate;
use super::{MIN_ALIGN, SIZE_MAX, allocate_for};
use crate::layout::{DOMAIN_ALIGN_MAX, MEDIUM_MAX, SLAB_MAX, SMALL_MAX};
use crate::region::chunk::ChunkKind;
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

/// # Safety
///
/// As for [`reallocate`]; `family` is the one that the block belongs to.
pub(crate) unsafe fn reallocate_for(family: u32, ptr: *mut u8, size: usize, align: usize) -> *mut u8 {
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
