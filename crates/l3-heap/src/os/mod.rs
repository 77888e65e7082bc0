//! The large and huge domains: blocks above 512 MiB, and those whose alignment exceeds 64 KiB.
//!
//! Each is a mapping of its own, listed in a table, and grows by moving page tables instead of bytes.

mod slots;
mod table;

use core::ptr::NonNull;

use stratalloc_platform::{page, vm};
use stratalloc_primitives::primitive::atomic::{AtomicU32, Ordering};

use crate::layout::{LARGE_MAX, MEDIUM_MAX};
use crate::usage::{self, Domain};

pub(crate) use table::{Entry, for_each};

/// Mappings that the system refused to unmap; their pages were purged and they are tried again.
static PARKED: AtomicU32 = AtomicU32::new(0);

/// The domain that counts a block of `size` bytes.
fn domain(size: usize) -> &'static Domain {
    if size > MEDIUM_MAX && size <= LARGE_MAX { &usage::LARGE } else { &usage::HUGE }
}

/// A block of `size` bytes aligned to `align` from the system; it reads as zero. O(1) system calls.
pub(crate) fn allocate(family: u32, size: usize, align: usize) -> Option<*mut u8> {
    retry_parked();
    let page = page::size();
    let found = size.max(1).checked_add(page - 1).and_then(|padded| {
        let len = padded & !(page - 1);
        let start = map(len, align.max(page))?;
        let entry = Entry { start: start.as_ptr().expose_provenance(), len, align: align.max(page), family };
        if table::insert(entry) {
            return Some((start, len));
        }
        // SAFETY: the mapping was just made and nobody else knows it.
        let _ = unsafe { vm::release(start, len) };
        None
    });
    let Some((start, len)) = found else {
        domain(size).failed();
        return None;
    };
    if align <= page && len >= crate::layout::HUGE_PAGE {
        // SAFETY: the range is the new mapping; the advice changes no contents.
        let _ = unsafe { vm::advise_huge(start, len, true) };
    }
    domain(len).allocated(len);
    Some(start.as_ptr())
}

/// A fresh mapping. More than page alignment is found by mapping too much and cutting it off: that much must not be charged.
fn map(len: usize, align: usize) -> Option<NonNull<u8>> {
    if align <= page::size() {
        return vm::reserve(len, align, vm::Access::Charged).ok();
    }
    let start = vm::reserve(len, align, vm::Access::None).ok()?;
    // SAFETY: the range was just reserved and is ours.
    if unsafe { vm::commit(start, len) }.is_err() {
        // SAFETY: as above; nobody else knows it.
        let _ = unsafe { vm::release(start, len) };
        return None;
    }
    Some(start)
}

/// Bytes of the block at `ptr`; 0 when there is none.
pub(crate) fn usable(ptr: *const u8) -> usize {
    table::find(ptr.addr()).map_or(0, |entry| entry.len)
}

/// Family of the block at `ptr`.
pub(crate) fn family(ptr: *const u8) -> Option<u32> {
    table::find(ptr.addr()).map(|entry| entry.family)
}

/// Unmaps the block at `ptr`. False when there is none.
pub(crate) fn free(ptr: *mut u8) -> bool {
    let Some(entry) = table::remove(ptr.addr()) else { return false };
    domain(entry.len).released(entry.len);
    unmap(entry);
    true
}

fn unmap(entry: Entry) {
    let Some(start) = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(entry.start)) else { return };
    // SAFETY: the entry was removed from the table, so the mapping is ours alone.
    if unsafe { vm::release(start, entry.len) }.is_ok() {
        return;
    }
    // The system refuses to split a mapping it had merged with a neighbour: keep the addresses, give the pages back, try later.
    // SAFETY: as above.
    let _ = unsafe { vm::purge(start, entry.len) };
    if table::park(entry) {
        PARKED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Unmaps what the system refused to unmap before.
pub(crate) fn retry_parked() {
    if PARKED.load(Ordering::Relaxed) == 0 {
        return;
    }
    for _ in 0..PARKED.load(Ordering::Relaxed) {
        let Some(entry) = table::take_parked() else { return };
        PARKED.fetch_sub(1, Ordering::Relaxed);
        unmap(entry);
    }
}

/// Changes the size of the block at `ptr`, moving its pages if need be. `None`: not possible; the block is as it was.
pub(crate) fn resize(ptr: *mut u8, size: usize) -> Option<*mut u8> {
    let page = page::size();
    let len = size.checked_add(page - 1)? & !(page - 1);
    let start = NonNull::new(ptr)?;
    let held = table::hold(ptr.addr())?;
    let entry = held.entry;
    // SAFETY: the mapping is the caller's block; it may move only where no more than page alignment was promised.
    let moved = unsafe { vm::remap(start, entry.len, len, entry.align <= page) };
    let Ok(moved) = moved else {
        held.settle(entry);
        return None;
    };
    held.settle(Entry { start: moved.as_ptr().expose_provenance(), len, ..entry });
    domain(entry.len).change(-entry.len.cast_signed());
    domain(len).change(len.cast_signed());
    Some(moved.as_ptr())
}

/// Unmaps every block of an independent heap.
pub(crate) fn free_family(family: u32) {
    for_each(|entry| {
        if entry.family == family {
            free(core::ptr::with_exposed_provenance_mut(entry.start));
        }
    });
}
