//! Blocks that come back: to their slab, if it is the thread's own, else to the domain that knows the address.

use core::ptr;

use stratalloc_primitives::primitive::atomic::{AtomicPtr, Ordering};

use super::MIN_ALIGN;
use crate::region::chunk::ChunkKind;
use crate::small::slab::Slab;
use crate::small::thread_heap::{ThreadHeap, current};
use crate::small::{class, free, run, slice};
use crate::{medium, os, region, value};

/// Gives a block back. Null is ignored; so is a pointer that no domain knows, after the foreign hook was asked.
/// See [`allocate`](crate::allocate) for an example.
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
/// goes straight back into the bin. See [`allocate_aligned`](crate::allocate_aligned) for an example.
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
    let chunk = region::chunk_at(offset);
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
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use stratalloc_heap::{deallocate, set_foreign_hook};
///
/// static STRANGERS: AtomicUsize = AtomicUsize::new(0);
/// unsafe extern "C" fn count(_: *mut u8) {
///     STRANGERS.fetch_add(1, Ordering::Relaxed);
/// }
///
/// set_foreign_hook(count);
/// let mut local = [0_u8; 16];
/// // SAFETY: unknown to the heap, which therefore asks the hook.
/// unsafe { deallocate(local.as_mut_ptr()) };
/// assert_eq!(STRANGERS.load(Ordering::Relaxed), 1);
/// ```
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
