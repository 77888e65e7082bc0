//! The depot: slabs with room that no heap owns, on one lock-free stack per class.
//!
//! Heads are 64-bit words of slab number and version tag ([`IndexStack`]); links lie in the records, which are never unmapped.
//! Slabs come from heaps whose threads ended and are taken by whoever needs the class next. (Central lists per class as in
//! Bonwick and Adams, "Magazines and Vmem", USENIX 2001; stacks after Treiber, 1986.)

use core::ptr;

use stratalloc_primitives::lockfree::{IndexStack, link};
use stratalloc_primitives::primitive::atomic::{AtomicU32, Ordering};

use super::class::BINS;
use super::home;
use super::slab::{Slab, State};
use super::thread_heap::ThreadHeap;
use crate::region;

static STACKS: [IndexStack; BINS] = [const { IndexStack::new() }; BINS];
/// Chains that came home to slabs in the depot since it was last swept.
static ARRIVED: AtomicU32 = AtomicU32::new(0);
/// Slabs that the last sweep found to be still in use.
static KEPT: AtomicU32 = AtomicU32::new(0);
/// So many chains are worth a sweep of an almost empty depot.
const WORTH_A_SWEEP: u32 = 64;

fn stack(class: usize) -> &'static IndexStack {
    &STACKS[class % BINS]
}

/// Gives up a slab that is Current or Partial and in no list.
pub(crate) fn put(slab: &'static Slab) {
    slab.set_state(State::Partial);
    slab.set_owner(ptr::null());
    stack(slab.class()).push(region::slab_index(slab), |next| slab.next.store(next, Ordering::Relaxed));
}

/// Takes a slab of `class` for `heap`; it is Current then.
pub(crate) fn take(heap: &'static ThreadHeap, class: usize) -> Option<&'static Slab> {
    let stack = stack(class);
    if stack.is_empty() {
        return None;
    }
    let slab = region::slab(stack.pop(|index| region::slab(index).next.load(Ordering::Relaxed))?);
    home::adopt(heap, slab);
    Some(slab)
}

/// Blocks came home to a slab of the depot: nobody looks, so perhaps it is empty now.
pub(crate) fn blocks_arrived() {
    ARRIVED.fetch_add(1, Ordering::Relaxed);
}

/// Sweeps the depot if so much came home since the last sweep that it pays: before memory grows. Amortised O(1) per chain. So what
/// remote frees leave behind in the depot is at most 64 slabs, and as many as there are in use.
pub(crate) fn sweep_if_worth(heap: &'static ThreadHeap) -> bool {
    let worth = ARRIVED.load(Ordering::Relaxed) >= WORTH_A_SWEEP + KEPT.load(Ordering::Relaxed);
    if worth {
        sweep(heap);
    }
    worth
}

/// Lets `heap` look through the whole depot: slabs that became empty go back to the region, the rest returns to its stack.
pub(crate) fn sweep(heap: &'static ThreadHeap) {
    ARRIVED.store(0, Ordering::Relaxed);
    let mut kept = 0;
    for class in 1..BINS {
        let mut next = stack(class).take_all().map_or(link::END, link::to);
        while let Some(index) = link::index(next) {
            let slab = region::slab(index);
            next = slab.next.load(Ordering::Relaxed);
            home::adopt(heap, slab);
            if home::is_whole(slab) {
                home::retire(heap, slab);
            } else {
                kept += 1;
                put(slab);
            }
        }
    }
    KEPT.store(kept, Ordering::Relaxed);
}
