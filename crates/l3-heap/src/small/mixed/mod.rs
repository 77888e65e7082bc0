//! Mixed slabs: blocks of more than 4 and up to 32 KiB, of any size, side by side.
//!
//! ```text
//!            unit 1 KiB
//!   slab    │░░░░░│▒▒▒▒▒▒▒▒│     │▓▓▓▓▓▓│                …   64 units
//!   vacant   00000 00000000 11111 000000 1111111111111111    a bit per unit: is it free?
//!   ends     00001 00000001 00000 000001 0000000000000000    a bit per unit: is it the last one of a block?
//! ```
//!
//! With a slab of 64 KiB for each class of this range, a thread that uses a few of each size holds a megabyte of pages that are used now
//! and then (docs/experiments/mixed-slabs.md). Here neighbours that are free become one run at once, whatever their sizes were.
//!
//! A heap's list `partial[class of n units]` holds slabs whose longest free run has at most `n` units (at 32: or more), and a word says which
//! lists have slabs. A request takes the lowest fitting place of a slab of the first list that may have one (good fit over slabs, first fit within:
//! Wilson et al., "Dynamic Storage Allocation", 1995); a slab that turns out to have less room than its list says moves to the right one. What comes
//! home moves its slab up at once. All in O(1), amortised: a slab moves down at most as often as a block was taken from it.
//!
//! The slab that a thread freed into last is likely to be asked next: **one** block per heap, the last that its own thread freed, waits in the
//! bin of its class, where the fast path finds it. For its slab it is in use.
//!
//! What the record's fields mean here, and what holds (only the owner writes, S1)
//! - **M1** A unit is vacant, or it is of one block: from the unit after an end or a vacant one to the next end.
//! - **M2** No run of vacant units is shorter than the smallest block, unless an alignment left it: the last block before such a rest gets it. So
//!   of a slab that nothing fits into, almost always every unit is a block's, and then the one who brings home all 64 may reclaim it. One with such a
//!   rest stays its owner's: it never becomes an orphan.
//! - **M3** `needed` is 1 whenever the heap is not busy: each block of the owner that comes home is seen at once. While it is busy no signal handler takes
//!   a block from these bins, and what it frees goes the way of other threads' frees.
//! - **M4** Chains of other threads' frees count units, as does `counted`; the capacity is 64 units.
//! - **M5** A slab is Partial and in the list that `start` names, which is none below that of its longest run; or Full and in none: then nothing fits
//!   into it.
//!
//! | access | order | why |
//! | --- | --- | --- |
//! | `ends`: the owner stores and loads | Relaxed | one writer; who becomes the owner is ordered by `owner` and `remote` ([`remote`](super::remote)) |
//! | `ends`: whoever holds a block loads | Relaxed | its block's bits were stored before it was handed out, so before it came into the holder's hands, and do not change while it is |
//!
//! Here: which slab serves a request, and the lists. `units`: how blocks are cut, vacated, resized. `frees`: blocks that come home.

mod frees;
#[cfg(all(test, not(loom)))]
mod tests;
mod units;

use stratalloc_primitives::bits;
use stratalloc_primitives::lockfree::link;
use stratalloc_primitives::primitive::atomic::Ordering;

pub(crate) use self::frees::{absorb, came_home, forgo, freed};
pub(crate) use self::units::{blocks, chain, is_empty, resize, size_of, units_of};
use self::units::{count_block, occupy, unit_at};
use super::class::{self, MAX_UNITS, MIN_UNITS, MIXED, UNIT};
use super::refill::{self, Refilled};
use super::slab::{Slab, State};
use super::thread_heap::ThreadHeap;
use super::{depot, home, pool};
use crate::layout::narrow;
use crate::region;

/// Units of a slab.
const UNITS: u32 = 64;

/// Bytes of the largest block: one of the largest class with the largest rest behind it.
pub(crate) const LARGEST: usize = (MAX_UNITS + MIN_UNITS - 1) as usize * UNIT;

/// Takes a block of `class`, aligned to `align` bytes (at most 32 KiB), from `heap`. `None`: out of memory.
pub(crate) fn take(heap: &'static ThreadHeap, class: usize, align: usize) -> Option<Refilled> {
    let (units, align) = (class::units(class), narrow(align.div_ceil(UNIT)));
    refill::tick(heap);
    if !heap.mailbox.0.is_empty() {
        home::drain(heap);
    }
    if let Some(block) = find(heap, units, align) {
        return Some(block);
    }
    // In this order, so that touched memory is reused before new memory is touched.
    for source in 0..4 {
        let more = match source {
            0 => adopt(heap) || begin(heap, false),
            // What threads left that ended, and what came home to slabs that nobody owns.
            1 if heap.family() != 0 => false,
            1 => (pool::reap() || depot::sweep_if_worth(heap)) && (adopt(heap) || begin(heap, false)),
            2 => {
                forgo(heap);
                true
            }
            _ => begin(heap, true),
        };
        if more && let Some(block) = find(heap, units, align) {
            return Some(block);
        }
    }
    None
}

/// A block of the heap's own slabs.
#[inline(never)]
fn find(heap: &ThreadHeap, units: u32, align: u32) -> Option<Refilled> {
    let near = if align > 1 { near(heap, units, align) } else { None };
    let (slab, first) = near.or_else(|| place(heap, units, align))?;
    Some(claim(heap, slab, first, units))
}

/// Takes a slab of the depot into the heap's lists.
fn adopt(heap: &'static ThreadHeap) -> bool {
    let slab = if heap.family() == 0 { depot::take(heap, MIXED) } else { None };
    slab.is_some_and(|slab| relist(heap, slab))
}

/// A new slab in the heap's lists.
fn begin(heap: &'static ThreadHeap, grow: bool) -> bool {
    refill::begin(heap, MIXED, grow).is_some_and(|slab| {
        slab.vacant.set(!0);
        slab.ends.store(0, Ordering::Relaxed);
        slab.needed.set(1);
        relist(heap, slab)
    })
}

/// How many slabs an aligned request looks into that may have an aligned place, though they need not.
const LOOKS: u32 = 16;

/// The place of an aligned block in one of the first slabs that may have one. Without it the holes that aligned blocks leave would not be found again: a run of
/// just their size is sure to serve smaller requests only.
fn near(heap: &ThreadHeap, units: u32, align: u32) -> Option<(&'static Slab, u32)> {
    let mut looks = 0;
    let mut lists = heap.rooms.get() >> (units - MIN_UNITS);
    while lists != 0 {
        let list = class::of_units(units + lists.trailing_zeros());
        lists &= lists - 1;
        let mut next = heap.partial(list).get();
        while let Some(index) = link::index(next) {
            if looks == LOOKS {
                return None;
            }
            looks += 1;
            let slab = region::slab(index);
            let starts = bits::run_starts_aligned(slab.vacant.get(), units, align);
            if starts != 0 {
                return Some((slab, starts.trailing_zeros()));
            }
            next = slab.next.load(Ordering::Relaxed);
            relist(heap, slab);
        }
    }
    None
}

/// The place of a block in the first slab that surely has one.
#[inline]
fn place(heap: &ThreadHeap, units: u32, align: u32) -> Option<(&'static Slab, u32)> {
    let surely = (units + align - 1).min(MAX_UNITS);
    loop {
        let lists = heap.rooms.get() >> (surely - MIN_UNITS);
        if lists == 0 {
            return None;
        }
        let list = class::of_units(surely + lists.trailing_zeros());
        let slab = region::slab(link::index(heap.partial(list).get())?);
        let starts = bits::run_starts_aligned(slab.vacant.get(), units, align);
        if starts != 0 {
            return Some((slab, starts.trailing_zeros()));
        }
        if !relist(heap, slab) {
            return None;
        }
    }
}

/// Makes a block of the vacant units from `first` on, and of the rest of their run if nothing fits there.
#[inline]
fn claim(heap: &ThreadHeap, slab: &'static Slab, first: u32, units: u32) -> Refilled {
    let carved = u32::from(slab.carved.get());
    let zero = slab.fresh.get() && first >= carved;
    if first < carved {
        slab.note_reuse();
    }
    let units = occupy(heap, slab, first, 0, units);
    count_block(heap, units);
    Refilled { block: unit_at(slab, first), zero }
}

/// Puts a slab into the list of its longest run, or makes it Full. False: it stays where it was.
fn relist(heap: &ThreadHeap, slab: &'static Slab) -> bool {
    let longest = bits::longest_run(slab.vacant.get());
    let listed = slab.state() == State::Partial;
    if longest >= MIN_UNITS {
        return enlist(heap, slab, class::of_units(longest));
    }
    if listed {
        unlist(heap, slab);
    }
    home::fill(heap, slab);
    true
}

/// Puts a slab into a list. False: it is there already.
#[allow(clippy::cast_possible_truncation, reason = "class numbers are below 128")]
fn enlist(heap: &ThreadHeap, slab: &'static Slab, list: usize) -> bool {
    if slab.state() == State::Partial {
        if usize::from(slab.start.get()) == list {
            return false;
        }
        unlist(heap, slab);
    }
    slab.start.set(list as u16);
    home::link_into(heap.partial(list), slab);
    heap.rooms.set(heap.rooms.get() | class::room(list));
    true
}

/// Takes a slab out of its list.
pub(crate) fn unlist(heap: &ThreadHeap, slab: &'static Slab) {
    let list = usize::from(slab.start.get());
    home::unlink_from(heap.partial(list), slab);
    if heap.partial(list).get() == link::END {
        heap.rooms.set(heap.rooms.get() & !class::room(list));
    }
}
