//! The entry points: fast halves, and the routing of everything else to its domain.

use core::ptr;

use stratalloc_primitives::primitive::atomic::{AtomicPtr, Ordering};

use crate::layout::{DOMAIN_ALIGN_MAX, MEDIUM_MAX, SLAB_MAX, SMALL_MAX};
use crate::region::chunk::ChunkKind;
use crate::small::slab::Slab;
use crate::small::thread_heap::{ThreadHeap, current};
use crate::small::{class, free, run, slice};
use crate::{medium, os, purge, region, small, value};

/// Largest size that a request may have, in bytes.
const SIZE_MAX: usize = isize::MAX as usize;
/// Alignment of every block.
const MIN_ALIGN: usize = 16;

/// A block of at least `size` bytes, aligned to 16; null when memory is out. A request of 0 bytes gets the smallest block.
///
/// O(1). Any thread, also before `main`, in thread-local destructors and in a child of `fork`; a signal handler may call
/// it unless it interrupted the fast half of this function itself.
#[inline(always)]
#[must_use]
pub fn allocate(size: usize) -> *mut u8 {
    let block = allocate_fast(size);
    if block.is_null() { allocate_middle(size) } else { block }
}

/// The fast half of [`allocate`]: null when the request is above 1 KiB or its bin is empty. For callers with a slow path of
/// their own, which must end in [`allocate`].
#[inline(always)]
#[must_use]
pub fn allocate_fast(size: usize) -> *mut u8 {
    if size > class::FINE_MAX {
        return ptr::null_mut();
    }
    current().pop(class::of_fine(size)).cast()
}

/// Above 1 KiB the class comes from a table; and here arrives whoever found an empty bin.
#[inline(never)]
fn allocate_middle(size: usize) -> *mut u8 {
    if size <= SLAB_MAX {
        let class = class::of(size);
        let block = current().pop(class);
        if !block.is_null() {
            return block.cast();
        }
        return allocate_slow(0, class, false);
    }
    allocate_large(0, size, MIN_ALIGN, false)
}

/// An empty bin.
#[cold]
#[inline(never)]
fn allocate_slow(family: u32, class: usize, zeroed: bool) -> *mut u8 {
    let taken = if family == 0 { small::take(class) } else { value::take(family, class) };
    let Some((block, zero)) = taken else {
        crate::usage::SLABS.failed();
        return ptr::null_mut();
    };
    if zeroed {
        let size = class::facts(class).size as usize;
        // A block that was never used holds nothing but a link in its first word.
        let len = if zero { size_of::<usize>() } else { size };
        // SAFETY: the block is ours and has `size` bytes.
        unsafe { block.write_bytes(0, len) };
    }
    block
}

/// More than a slab serves.
#[cold]
#[inline(never)]
fn allocate_large(family: u32, size: usize, align: usize, zeroed: bool) -> *mut u8 {
    if align > SIZE_MAX || size > SIZE_MAX - align || !region::ready() {
        return ptr::null_mut();
    }
    if align > DOMAIN_ALIGN_MAX || size > MEDIUM_MAX {
        return os::allocate(family, size, align).unwrap_or(ptr::null_mut());
    }
    let found =
        if size <= SMALL_MAX { run::allocate(family, size, align) } else { medium::allocate(family, size) };
    let Some((block, zero)) = found else { return ptr::null_mut() };
    if zeroed && !zero {
        if size <= SMALL_MAX {
            // SAFETY: the run is ours and has at least `size` bytes.
            unsafe { block.write_bytes(0, size) };
        } else if let Some(offset) = region::offset_of(block) {
            medium::zero(offset, size);
        }
    }
    block
}

/// Like [`allocate`], and every byte of the request reads as zero. Pages known to be zero are not touched.
#[inline]
#[must_use]
pub fn allocate_zeroed(size: usize) -> *mut u8 {
    if size <= SLAB_MAX {
        let class = class::of(size);
        let block = current().pop(class).cast::<u8>();
        if !block.is_null() {
            // SAFETY: the block is ours and has at least `size` bytes.
            unsafe { block.write_bytes(0, size) };
            return block;
        }
        return allocate_slow(0, class, true);
    }
    allocate_large(0, size, MIN_ALIGN, true)
}

/// A block of at least `size` bytes whose address is a multiple of `align`, a power of two. Null when memory is out.
#[inline]
#[must_use]
pub fn allocate_aligned(size: usize, align: usize) -> *mut u8 {
    if align <= MIN_ALIGN { allocate(size) } else { allocate_for(0, size, align, false) }
}

/// Like [`allocate_aligned`], and every byte of the request reads as zero.
#[inline]
#[must_use]
pub fn allocate_aligned_zeroed(size: usize, align: usize) -> *mut u8 {
    if align <= MIN_ALIGN { allocate_zeroed(size) } else { allocate_for(0, size, align, true) }
}

/// Serves any request for a family.
pub(crate) fn allocate_for(family: u32, size: usize, align: usize, zeroed: bool) -> *mut u8 {
    // Classes are aligned as far as their size is: round the size up, then look for a class that is a multiple.
    if align <= SLAB_MAX && size <= SLAB_MAX && (size + align - 1) & !(align - 1) <= SLAB_MAX {
        let class = if align <= MIN_ALIGN { class::of(size) } else { class::of_aligned(size, align) };
        if family == 0 {
            let block = current().pop(class).cast::<u8>();
            if !block.is_null() {
                if zeroed {
                    // SAFETY: the block is ours and has at least `size` bytes.
                    unsafe { block.write_bytes(0, size) };
                }
                return block;
            }
        }
        return allocate_slow(family, class, zeroed);
    }
    allocate_large(family, size.max(1), align, zeroed)
}

/// Gives a block back. Null is ignored; so is a pointer that no domain knows, after the foreign hook was asked.
///
/// O(1), no system call below 512 MiB; never changes `errno`.
///
/// # Safety
///
/// `ptr` is null, or came from this heap and was not freed since, or is unknown to it; it is not used afterwards.
#[inline(always)]
pub unsafe fn deallocate(ptr: *mut u8) {
    let heap = current();
    match heap.record_of(ptr) {
        Some(slab) => free_in_slab(heap, slab, ptr),
        None => deallocate_far(ptr),
    }
}

/// Gives a block back whose size and alignment the caller knows. A small block of the slab that serves its class at the moment
/// goes straight back into the bin.
///
/// # Safety
///
/// As for [`deallocate`]; `size` (not 0) and `align` are those of the request or of the last reallocation.
#[inline(always)]
pub unsafe fn deallocate_sized(ptr: *mut u8, size: usize, align: usize) {
    if align <= MIN_ALIGN && size <= class::FINE_MAX && current().push_sized(class::of_fine(size), ptr.cast())
    {
        return;
    }
    // SAFETY: the caller's contract.
    unsafe { deallocate(ptr) };
}

#[inline(always)]
fn free_in_slab(heap: &'static ThreadHeap, slab: &'static Slab, ptr: *mut u8) {
    if !ptr::eq(slab.owner(), heap) {
        deallocate_other(ptr);
        return;
    }
    if slab.push_local(ptr.cast()) {
        free::local_event(slab);
    }
}

/// Not a block of this thread's slabs: another thread's, a run, a medium block, or nothing of ours.
#[cold]
#[inline(never)]
fn deallocate_other(ptr: *mut u8) {
    let Some(offset) = region::offset_of(ptr) else { return };
    let slab: &'static Slab = region::slab_at(offset);
    if slab.is_slab() {
        let slab = slice::head(slab);
        if ptr::eq(slab.owner(), current()) {
            // A block of a wide slab of ours, not in its first slice.
            if slab.push_local(ptr.cast()) {
                free::local_event(slab);
            }
            return;
        }
        if slab.owning_heap().is_some_and(|heap| heap.family() != 0) {
            value::free(slab, ptr);
        } else {
            free::remote_free(slab, ptr.cast());
        }
        return;
    }
    let chunk = region::chunk(crate::layout::narrow(offset >> crate::layout::CHUNK_SHIFT));
    let known = match chunk.kind() {
        ChunkKind::Split => run::free(offset),
        ChunkKind::MediumHead => medium::free(offset),
        ChunkKind::MediumBody | ChunkKind::Free => false,
    };
    if !known {
        foreign(ptr);
    }
}

/// Outside the region: null, a large or huge block, or nothing of ours.
#[cold]
#[inline(never)]
fn deallocate_far(ptr: *mut u8) {
    if region::offset_of(ptr).is_some() {
        // The thread has no heap of its own, so it saw no region.
        deallocate_other(ptr);
    } else if !ptr.is_null() && !os::free(ptr) {
        foreign(ptr);
    }
}

type ForeignFree = unsafe extern "C" fn(*mut u8);

static FOREIGN: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Sets what happens to pointers that no domain knows. Without a hook they are ignored.
pub fn set_foreign_hook(hook: ForeignFree) {
    FOREIGN.store(hook as *mut (), Ordering::Relaxed);
}

fn foreign(ptr: *mut u8) {
    let hook = FOREIGN.load(Ordering::Relaxed);
    if !hook.is_null() {
        // SAFETY: only `set_foreign_hook` stores here, and only functions of this type.
        let hook = unsafe { core::mem::transmute::<*mut (), ForeignFree>(hook) };
        // SAFETY: the hook takes any pointer that this heap does not know.
        unsafe { hook(ptr) };
    }
}

/// Bytes that the block at `ptr` really has; 0 for null and for what is not ours. O(1).
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
        return slice::head(slab).facts().size as usize;
    }
    match region::chunk(crate::layout::narrow(offset >> crate::layout::CHUNK_SHIFT)).kind() {
        ChunkKind::Split => run::usable(offset),
        ChunkKind::MediumHead => medium::usable(offset),
        ChunkKind::MediumBody | ChunkKind::Free => 0,
    }
}

/// True if `ptr` is the start of a block of this heap (for slabs: lies in one). O(1).
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
    Some(
        region::chunk(crate::layout::narrow(offset >> crate::layout::CHUNK_SHIFT))
            .family
            .load(Ordering::Relaxed),
    )
}

/// Size of the block that a request of `size` bytes gets. Of a size that a thread asks for rarely, the block may be up to a quarter larger.
#[must_use]
pub fn good_size(size: usize) -> usize {
    let round = |unit: usize| size.checked_add(unit - 1).map_or(size, |padded| padded & !(unit - 1));
    if size <= SLAB_MAX {
        class::facts(class::of(size)).size as usize
    } else if size <= SMALL_MAX {
        round(crate::layout::GRANULE)
    } else if size <= MEDIUM_MAX {
        size
    } else {
        round(stratalloc_platform::page::size())
    }
}

/// Changes the size of a block, in place where its domain can, and keeps the contents up to the smaller size. Null: out of
/// memory, the block is as it was.
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
    if size <= old && size >= old / 2 && old <= SLAB_MAX {
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
    if old <= SLAB_MAX || align > DOMAIN_ALIGN_MAX {
        return None;
    }
    if region::slab_at(offset).is_slab() {
        return None;
    }
    if old <= SMALL_MAX
        && region::chunk(crate::layout::narrow(offset >> crate::layout::CHUNK_SHIFT)).kind()
            == ChunkKind::Split
    {
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

/// Gives all empty memory back to the system now: what this thread caches, what exited threads left, what is free in the region.
/// Returns the bytes given back. Other running threads keep what they cache.
pub fn collect() -> usize {
    small::collect();
    region::merge_all();
    os::retry_parked();
    let purged = purge::all();
    region::merge_all();
    purged
}
