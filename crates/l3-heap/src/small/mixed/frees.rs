//! Blocks that come home to a mixed slab.

use core::ptr;
use core::sync::atomic::compiler_fence;

use stratalloc_primitives::lockfree::link;
use stratalloc_primitives::primitive::atomic::Ordering;

use super::units::{unit_of, units_of, vacate};
use super::{UNITS, enlist, unlist};
use crate::region;
use crate::small::class::{self, MIN_UNITS};
use crate::small::slab::{Block, Slab, State};
use crate::small::thread_heap::ThreadHeap;
use crate::small::{home, slice};

/// A block of the heap's own slab was freed by its own thread and lies in the slab's `free`: it stays in the bin of its class, and the one
/// that was there goes home.
#[inline]
pub(crate) fn freed(heap: &ThreadHeap, slab: &'static Slab) {
    expect_next(slab);
    let block = slab.free.get();
    // SAFETY: null, or a free block, linked by its first word.
    let alone = unsafe { block.as_ref() }.is_some_and(|block| block.next.get().is_null());
    if !alone {
        came_home(heap, slab);
        return;
    }
    slab.free.set(ptr::null_mut());
    if slab.vacant.get() >> unit_of(slab, block) & 1 != 0 {
        // Freed twice.
        return;
    }
    slab.note_reuse();
    let class = class::of_units(units_of(slab, block));
    let other = heap.bin(heap.kept.replace(class)).replace(ptr::null_mut());
    if other != block {
        go_home(heap, other);
    }
    heap.bin(class).set(block);
}

/// Sets the countdown again (M3), before the list `free` is read: from here on a signal handler that frees into this slab finds the heap busy and
/// takes its block out of the list again ([`home::miss`]), so that none is lost between the reading and the emptying of the list.
#[inline]
fn expect_next(slab: &Slab) {
    slab.needed.set(1);
    compiler_fence(Ordering::SeqCst);
}

/// A block that waited in a bin, or null, goes home.
#[inline]
fn go_home(heap: &ThreadHeap, block: *mut Block) {
    if let Some(slab) = heap.record_of(block.cast()) {
        let slab = slice::head(slab);
        let run = vacate(heap, slab, unit_of(slab, block));
        settle(heap, slab, run);
    }
}

/// No block waits any more.
pub(crate) fn forgo(heap: &ThreadHeap) {
    go_home(heap, heap.bin(heap.kept.replace(0)).replace(ptr::null_mut()));
}

/// Blocks of the slab came home: its list `free` becomes vacant units.
pub(crate) fn came_home(heap: &ThreadHeap, slab: &'static Slab) {
    let run = absorb(heap, slab);
    settle(heap, slab, run);
}

/// A run of so many vacant units has come into being: the slab moves to the list of such, or, without a block, is given up if there is another
/// that any request fits into.
fn settle(heap: &ThreadHeap, slab: &'static Slab, run: u32) {
    if run < MIN_UNITS {
        return;
    }
    let list = class::of_units(run);
    if slab.state() != State::Partial || list > usize::from(slab.start.get()) {
        enlist(heap, slab, list);
    }
    if run == UNITS {
        let only = heap.partial(list).get() == link::to(region::slab_index(slab))
            && slab.next.load(Ordering::Relaxed) == link::END;
        if !only {
            unlist(heap, slab);
            home::retire(heap, slab);
        }
    }
}

/// The blocks in the slab's list `free` become vacant units. Returns the length of the longest run that this made.
#[inline]
pub(crate) fn absorb(heap: &ThreadHeap, slab: &Slab) -> u32 {
    expect_next(slab);
    let mut next = slab.free.replace(ptr::null_mut());
    let mut longest = 0;
    // No more than there can be: a chain with a block that was freed twice may have no end.
    for _ in 0..UNITS {
        // SAFETY: null, or a free block of the slab: linked by its first word, and nobody else's.
        let Some(block) = (unsafe { next.as_ref() }) else { break };
        longest = vacate(heap, slab, unit_of(slab, next)).max(longest);
        next = block.next.get();
    }
    longest
}
