//! The units of a mixed slab: how blocks are cut from them, become vacant again, and change their size.

use core::ptr;

use stratalloc_primitives::bits;
use stratalloc_primitives::primitive::atomic::Ordering;

use super::{UNITS, relist, unlist};
use crate::layout::narrow;
use crate::region;
use crate::small::class::{self, MAX_UNITS, MIN_UNITS, UNIT};
use crate::small::slab::{Block, Slab, State};
use crate::small::thread_heap::{ThreadHeap, current};
use crate::small::{busy, home};

/// Whether no block of the slab is in use.
pub(crate) fn is_empty(slab: &Slab) -> bool {
    slab.vacant.get() == !0
}

/// Gives the block at `first` the vacant units behind the `have` that it has, `units` in all or more: a rest that nothing fits into, too.
/// Returns its units.
#[allow(clippy::cast_possible_truncation, reason = "a slab has 64 units")]
pub(super) fn occupy(heap: &ThreadHeap, slab: &'static Slab, first: u32, have: u32, units: u32) -> u32 {
    let vacant = slab.vacant.get();
    let rest = (vacant >> first >> units).trailing_ones();
    let units = if rest < MIN_UNITS { units + rest } else { units };
    let vacant = vacant & !bits::mask(first + have, units - have);
    slab.vacant.set(vacant);
    let before = if have > 0 { 1 << (first + have - 1) } else { 0 };
    slab.ends
        .store(slab.ends.load(Ordering::Relaxed) & !before | 1 << (first + units - 1), Ordering::Relaxed);
    slab.carved.set(slab.carved.get().max((first + units) as u16));
    home::count(heap, slab, u32::from(slab.counted.get()) + units - have);
    // (A slab with a rest into which nothing fits is Full before a block grows into that.)
    if vacant == 0 && slab.state() == State::Partial {
        unlist(heap, slab);
        home::fill(heap, slab);
    }
    units
}

/// The block at `first` becomes vacant units. Returns the length of the run that they are part of; 0 if there is no block.
pub(super) fn vacate(heap: &ThreadHeap, slab: &Slab, first: u32) -> u32 {
    let (vacant, ends) = (slab.vacant.get(), slab.ends.load(Ordering::Relaxed));
    let units = (ends >> first).trailing_zeros() + 1;
    if first + units > UNITS || vacant >> first & 1 != 0 {
        return 0;
    }
    let last = first + units - 1;
    let vacant = vacant | bits::mask(first, units);
    slab.vacant.set(vacant);
    slab.ends.store(ends & !(1 << last), Ordering::Relaxed);
    home::count(heap, slab, u32::from(slab.counted.get()) - units);
    (vacant << (UNITS - 1 - last)).leading_ones() + (vacant >> last >> 1).trailing_ones()
}

/// Changes the size of a block in place. False: there is no room, or the slab is not the current thread's.
pub(crate) fn resize(slab: &'static Slab, block: *mut u8, size: usize) -> bool {
    let heap = current();
    if !ptr::eq(slab.owner(), heap) || heap.busy.get() || size > MAX_UNITS as usize * UNIT {
        return false;
    }
    let units = narrow(size.div_ceil(UNIT));
    units >= MIN_UNITS
        && busy(heap, |heap| {
            let (first, have) = (unit_of(slab, block.cast()), units_of(slab, block.cast()));
            if units > have {
                extend(heap, slab, first, have, units)
            } else {
                cut(heap, slab, first, have, units)
            }
        })
}

/// Gives a block units behind it, if they are vacant.
fn extend(heap: &ThreadHeap, slab: &'static Slab, first: u32, have: u32, units: u32) -> bool {
    let fits = first + units <= UNITS;
    let vacant = fits && {
        let more = bits::mask(first + have, units - have);
        slab.vacant.get() & more == more
    };
    if vacant {
        count_block(heap, occupy(heap, slab, first, have, units));
    }
    vacant
}

/// Takes units from the end of a block, if another may fit into them and what is vacant behind.
fn cut(heap: &ThreadHeap, slab: &'static Slab, first: u32, have: u32, units: u32) -> bool {
    let behind = (slab.vacant.get() >> (first + have - 1) >> 1).trailing_ones();
    if have > units && have - units + behind >= MIN_UNITS {
        slab.vacant.set(slab.vacant.get() | bits::mask(first + units, have - units));
        let ends = slab.ends.load(Ordering::Relaxed) & !(1 << (first + have - 1));
        slab.ends.store(ends | 1 << (first + units - 1), Ordering::Relaxed);
        home::count(heap, slab, u32::from(slab.counted.get()) + units - have);
        count_block(heap, units);
        relist(heap, slab);
    }
    true
}

/// A block of so many units came into being, for the statistics. One that was resized counts as released and made anew.
pub(super) fn count_block(heap: &ThreadHeap, units: u32) {
    let handed = heap.handed(class::of_units(units));
    handed.set(handed.get().wrapping_add(1));
}

/// Number of the unit that `block` begins with.
pub(super) fn unit_of(slab: &Slab, block: *mut Block) -> u32 {
    let start = region::slice_start(region::slab_index(slab)).addr();
    narrow((block.addr() - start) / UNIT) % UNITS
}

pub(super) fn unit_at(slab: &Slab, unit: u32) -> *mut Block {
    region::slice_start(region::slab_index(slab)).wrapping_add(unit as usize * UNIT).cast()
}

/// Units of a block in use.
pub(crate) fn units_of(slab: &Slab, block: *mut Block) -> u32 {
    let first = unit_of(slab, block);
    ((slab.ends.load(Ordering::Relaxed) >> first).trailing_zeros() + 1).min(UNITS - first)
}

/// Bytes of the block at `block`.
pub(crate) fn size_of(slab: &Slab, block: *const u8) -> usize {
    units_of(slab, block.cast_mut().cast()) as usize * UNIT
}

/// The units of each block of the slab, from the lowest on. Blocks on their way home count.
pub(crate) fn blocks(slab: &Slab) -> impl Iterator<Item = u32> {
    let (vacant, ends) = (slab.vacant.get(), slab.ends.load(Ordering::Relaxed));
    let mut at = 0;
    core::iter::from_fn(move || {
        at += (vacant.checked_shr(at)?).trailing_ones();
        let units = ends.checked_shr(at)?.trailing_zeros() + 1;
        at += units;
        (at <= UNITS).then_some(units)
    })
}

/// The blocks of a chain of the slab with their units, until these are `units` in all. Somebody may be changing the chain under our eyes: a link
/// that leaves the slab ends the walk.
pub(crate) fn chain(slab: &Slab, first: *mut Block, units: u32) -> impl Iterator<Item = (*mut Block, u32)> {
    let start = region::slice_start(region::slab_index(slab)).addr();
    let (mut block, mut left) = (first, units);
    core::iter::from_fn(move || {
        let inside = block.addr().wrapping_sub(start);
        if left == 0 || inside >= UNITS as usize * UNIT || !inside.is_multiple_of(UNIT) {
            return None;
        }
        let this = (block, units_of(slab, block));
        left = left.saturating_sub(this.1);
        // SAFETY: inside the slab, which is mapped, and aligned for a word.
        block = unsafe { &*block }.next.get();
        Some(this)
    })
}
