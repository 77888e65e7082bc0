//! Filling a bin that ran dry.
//!
//! In this order, so that touched memory is reused before new memory is touched, and nothing global is asked before the heap's
//! own slabs are: the current slab's freed blocks; its next page of uncarved blocks; mail; a partial slab; the depot; the spare
//! slab; a slice of memory touched before; what exited threads left; memory never touched.

use core::ptr;

use stratalloc_primitives::lockfree::link;

use super::slab::{Block, Slab, State};
use super::thread_heap::ThreadHeap;
use super::{class, depot, free, home, pool, slice};
use crate::{purge, region};

/// Bytes carved at a time: one small page, so that a class touches no more than it hands out.
const CARVE: usize = 4096;
/// Every so many refills the open rings are published.
const PUBLISH_TICKS: u32 = 64;
/// Every so many refills the clock is read.
const DECAY_TICKS: u32 = 256;

/// A block, and whether all of it but its first word reads as zero.
pub(crate) struct Refilled {
    pub(crate) block: *mut Block,
    pub(crate) zero: bool,
}

/// Serves one of the first requests of a class from the slabs of a larger one, where a page holds blocks of several classes: else each
/// class that a thread uses once or twice has a page of its own. `None`: the class has slabs of its own by now.
fn share(heap: &'static ThreadHeap, class: usize) -> Option<Refilled> {
    let larger = usize::from(class::facts(class).shares);
    let served = heap.shared(class).get();
    if larger == class
        || served >= class::SHARED
        || heap.cur(class).get() != 0
        || heap.partial(class).get() != 0
    {
        return None;
    }
    heap.shared(class).set(served + 1);
    let block = heap.pop(larger);
    if block.is_null() { refill(heap, larger) } else { Some(Refilled { block, zero: false }) }
}

/// Fills the empty bin of `class` and takes one block. `None`: out of memory.
pub(crate) fn refill(heap: &'static ThreadHeap, class: usize) -> Option<Refilled> {
    if let Some(refilled) = share(heap, class) {
        return Some(refilled);
    }
    loop {
        if let Some(index) = link::index(heap.cur(class).get()) {
            let slab = region::slab(index);
            if let Some(refilled) = from_current(heap, slab, class) {
                return Some(refilled);
            }
            home::fill(heap, slab);
            heap.cur(class).set(link::END);
        }
        tick(heap);
        let slab = next_slab(heap, class)?;
        heap.cur(class).set(link::to(region::slab_index(slab)));
    }
}

fn from_current(heap: &ThreadHeap, slab: &'static Slab, class: usize) -> Option<Refilled> {
    let (chain, length, zero) = if !slab.free.get().is_null() {
        let (chain, length) = slab.take_chain();
        (chain, length, false)
    } else if slab.carved.get() < slab.facts().capacity {
        carve(slab)
    } else {
        return None;
    };
    heap.handed(class).set(heap.handed(class).get().wrapping_add(u64::from(length)));
    home::count(heap, slab, u32::from(slab.carved.get()));
    // SAFETY: the chain is not empty and its blocks are free blocks of a slab that this heap owns.
    heap.bin(class).set(unsafe { &*chain }.next.get());
    Some(Refilled { block: chain, zero })
}

/// Links the blocks up to the end of the next page. Returns the chain, its length, and whether its bytes are known to be zero
/// (true only for blocks of a page and more, which are carved one at a time).
fn carve(slab: &'static Slab) -> (*mut Block, u32, bool) {
    let facts = slab.facts();
    // Never 0 for a slab's class; said here so that no division needs a test.
    let size = (facts.size as usize).max(16);
    let carved = slab.carved.get() as usize;
    let page_end = (carved * size + size + CARVE - 1) & !(CARVE - 1);
    let until = (page_end / size).min(facts.capacity as usize);
    let base = region::slice_start(region::slab_index(slab));
    let first = base.wrapping_add(carved * size).cast::<Block>();
    let mut block = first;
    for number in carved..until {
        let next: *mut Block =
            if number + 1 < until { block.wrapping_byte_add(size) } else { ptr::null_mut() };
        // SAFETY: `number < capacity`, so the block lies inside the slice, which this heap owns; uncarved, so nobody uses it.
        unsafe { block.cast::<*mut Block>().write(next) };
        block = next;
    }
    #[allow(clippy::cast_possible_truncation, reason = "a slab holds at most 1024 blocks")]
    slab.carved.set(until as u16);
    slab.count_from(slab.carved.get());
    (first, crate::layout::narrow(until - carved), slab.fresh.get() && size >= CARVE)
}

/// A slab of `class` with at least one block to give, Current and owned by `heap`.
fn next_slab(heap: &'static ThreadHeap, class: usize) -> Option<&'static Slab> {
    home::drain(heap);
    if let Some(index) = link::index(heap.partial(class).get()) {
        let slab = region::slab(index);
        home::unlink(heap, slab);
        slab.set_state(State::Current);
        return Some(slab);
    }
    if let Some(slab) = without_growth(heap, class) {
        return Some(slab);
    }
    // Before memory grows: what threads left that ended, and what came home to slabs that nobody owns.
    if heap.family() == 0
        && (pool::reap() || depot::sweep_if_worth(heap))
        && let Some(slab) = without_growth(heap, class)
    {
        return Some(slab);
    }
    begin(heap, class, true)
}

/// A slab in memory that was touched before.
fn without_growth(heap: &'static ThreadHeap, class: usize) -> Option<&'static Slab> {
    if heap.family() == 0
        && let Some(slab) = depot::take(heap, class)
    {
        return Some(slab);
    }
    let narrow = class::facts(class).slices == 1;
    if narrow && let Some(index) = link::index(heap.spare.replace(link::END)) {
        let slab = region::slab(index);
        slab.begin(class, false);
        return Some(slab);
    }
    begin(heap, class, false)
}

/// A new slab in a slice of the region.
pub(super) fn begin(heap: &'static ThreadHeap, class: usize, grow: bool) -> Option<&'static Slab> {
    let (slab, fresh) = slice::take(heap, u32::from(class::facts(class).slices), grow)?;
    slab.begin(class, fresh);
    if fresh && heap.family() == 0 {
        // Memory that was purged is about to become resident again: that is growth too.
        depot::sweep_if_worth(heap);
    }
    Some(slab)
}

#[inline]
pub(super) fn tick(heap: &'static ThreadHeap) {
    let ticks = heap.ticks.get().wrapping_add(1);
    heap.ticks.set(ticks);
    if ticks.is_multiple_of(PUBLISH_TICKS) {
        free::publish_rings(heap);
    }
    if ticks.is_multiple_of(DECAY_TICKS) {
        purge::now_and_then();
    }
}
