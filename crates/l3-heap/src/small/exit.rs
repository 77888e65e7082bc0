//! What a heap gives up when its thread ends: all it has, or all but a little.

use core::ptr;

use stratalloc_primitives::lockfree::link;
use stratalloc_primitives::primitive::atomic::Ordering;

use super::home::{count, drain, fill, missed_events, retire, unlink};
use super::slab::{Block, Slab};
use super::thread_heap::ThreadHeap;
use super::{class, depot, mixed, slice};
use crate::layout::SLICE;
use crate::{region, usage};

/// Gives everything that `heap` holds to the depot and the region. The caller holds the heap (T1). Full slabs stay its own:
/// their blocks come home through its mailbox.
pub(crate) fn surrender(heap: &'static ThreadHeap) {
    missed_events(heap);
    mixed::forgo(heap);
    drain(heap);
    for class in 1..class::CLASSES {
        return_bin(heap, class);
        heap.shared(class).set(0);
        while let Some(index) = link::index(heap.partial(class).get()) {
            let slab = region::slab(index);
            leave_list(heap, slab);
            depot::put(slab);
        }
    }
    if let Some(index) = link::index(heap.spare.replace(link::END)) {
        slice::give(region::slab(index));
    }
    usage::flush(heap);
}

/// Takes the mail of a heap that will wait for its next thread, and lets it keep slabs of `room` bytes, small classes first; others go to
/// the depot. The caller holds the heap (T1).
pub(crate) fn lighten(heap: &'static ThreadHeap, mut room: usize) {
    missed_events(heap);
    mixed::forgo(heap);
    drain(heap);
    let mut fits = |slab: &Slab| {
        let left = room.checked_sub(resident(slab));
        room = left.unwrap_or(room);
        left.is_some()
    };
    for class in 1..class::CLASSES {
        if link::index(heap.cur(class).get()).is_some_and(|index| !fits(region::slab(index))) {
            return_bin(heap, class);
        }
        let mut next = heap.partial(class).get();
        while let Some(index) = link::index(next) {
            let slab = region::slab(index);
            next = slab.next.load(Ordering::Relaxed);
            if !fits(slab) {
                leave_list(heap, slab);
                depot::put(slab);
            }
        }
    }
}

/// Takes a partial slab out of its list.
fn leave_list(heap: &ThreadHeap, slab: &'static Slab) {
    if slab.class() == class::MIXED {
        mixed::unlist(heap, slab);
    } else {
        unlink(heap, slab);
    }
}

/// Bytes of a slab that may be resident. What was used before may be resident wholly, however little this slab has carved of it.
fn resident(slab: &Slab) -> usize {
    let facts = slab.facts();
    if slab.fresh.get() {
        slab.carved.get() as usize * facts.size as usize
    } else {
        usize::from(facts.slices) * SLICE
    }
}

/// Puts the blocks of a bin back into their slab, and the slab where it belongs then.
fn return_bin(heap: &'static ThreadHeap, class: usize) {
    let first = heap.bin(class).replace(ptr::null_mut());
    let Some(index) = link::index(heap.cur(class).replace(link::END)) else { return };
    let slab = region::slab(index);
    if !first.is_null() {
        let (last, length) = end_of_chain(first);
        last.next.set(slab.free.get());
        slab.free.set(first);
        slab.count_down(length);
        heap.handed(class).set(heap.handed(class).get().wrapping_sub(u64::from(length)));
    }
    let facts = slab.facts();
    let out = u32::from(slab.needed.get());
    if out == 0 {
        retire(heap, slab);
    } else if slab.in_free() > 0 || slab.carved.get() < facts.capacity {
        count(heap, slab, out);
        depot::put(slab);
    } else {
        fill(heap, slab);
    }
}

/// The last block of a chain that nobody else can reach, and how many there are.
fn end_of_chain<'a>(first: *mut Block) -> (&'a Block, u32) {
    let mut length = 1;
    // SAFETY: a bin links free blocks of its slab (T2), which is mapped as long as they are in hand.
    let mut last = unsafe { &*first };
    while !last.next.get().is_null() {
        // SAFETY: as above.
        last = unsafe { &*last.next.get() };
        length += 1;
    }
    (last, length)
}
