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

use core::ptr;
use core::sync::atomic::compiler_fence;

use stratalloc_primitives::bits;
use stratalloc_primitives::lockfree::link;
use stratalloc_primitives::primitive::atomic::Ordering;

use super::class::{self, MAX_UNITS, MIN_UNITS, MIXED, UNIT};
use super::refill::{self, Refilled};
use super::slab::{Block, Slab, State};
use super::thread_heap::{ThreadHeap, current};
use super::{busy, depot, home, pool, slice};
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

/// Gives the block at `first` the vacant units behind the `have` that it has, `units` in all or more: a rest that nothing fits into, too.
/// Returns its units.
#[allow(clippy::cast_possible_truncation, reason = "a slab has 64 units")]
fn occupy(heap: &ThreadHeap, slab: &'static Slab, first: u32, have: u32, units: u32) -> u32 {
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

/// A block of the heap's own slab was freed by its own thread and lies in the slab's `free`: it stays in the bin of its class, and the one
/// that was there goes home.
#[inline]
pub(crate) fn freed(heap: &ThreadHeap, slab: &'static Slab) {
    expect_next(slab);
    let block = slab.free.get();
    // SAFETY: null, or a free block, linked by its first word.
    let alone = unsafe { block.as_ref() }.is_some_and(|block| block.next.get().is_null());
    if !alone {
        home(heap, slab);
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
pub(crate) fn home(heap: &ThreadHeap, slab: &'static Slab) {
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

/// Whether no block of the slab is in use.
pub(crate) fn is_empty(slab: &Slab) -> bool {
    slab.vacant.get() == !0
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

/// The block at `first` becomes vacant units. Returns the length of the run that they are part of; 0 if there is no block.
fn vacate(heap: &ThreadHeap, slab: &Slab, first: u32) -> u32 {
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
fn count_block(heap: &ThreadHeap, units: u32) {
    let handed = heap.handed(class::of_units(units));
    handed.set(handed.get().wrapping_add(1));
}

/// Number of the unit that `block` begins with.
fn unit_of(slab: &Slab, block: *mut Block) -> u32 {
    let start = region::slice_start(region::slab_index(slab)).addr();
    narrow((block.addr() - start) / UNIT) % UNITS
}

fn unit_at(slab: &Slab, unit: u32) -> *mut Block {
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

// Not covered here: what a program sees (`tests/mixed.rs`), other threads (`tests/threads.rs`).
#[cfg(all(test, not(loom)))]
mod tests {
    extern crate alloc;

    use alloc::vec::Vec;

    use super::*;
    use crate::{allocate, allocate_aligned, collect, deallocate};

    const KIB: usize = 1 << 10;

    fn record(block: *mut u8) -> &'static Slab {
        slice::head(current().record_of(block).expect("a block of the region"))
    }

    fn free(block: *mut u8) {
        // SAFETY: callers free each block once.
        unsafe { deallocate(block) };
    }

    /// As a signal handler frees that interrupted its thread inside a slow path.
    fn free_while_busy(blocks: &[*mut u8]) {
        current().busy.set(true);
        blocks.iter().for_each(|block| free(*block));
        current().busy.set(false);
    }

    /// Blocks of these sizes and alignments that lie in one slab, the first at its start and nothing else there before. Other tests leave slabs behind, which
    /// come first; what was had from them is returned, too.
    fn begin_a_slab(wanted: &[(usize, usize)]) -> (Vec<*mut u8>, Vec<*mut u8>) {
        let mut others = Vec::new();
        loop {
            let first = allocate(wanted[0].0);
            let slab = record(first);
            let mut blocks = Vec::from([first]);
            if first == unit_at(slab, 0).cast()
                && slab.ends.load(Ordering::Relaxed).count_ones() == 1
                && !slab.was_reused()
            {
                blocks.extend(wanted[1..].iter().map(|(size, align)| allocate_aligned(*size, *align)));
                if blocks.iter().all(|block| ptr::eq(record(*block), slab)) {
                    return (blocks, others);
                }
            }
            others.extend(blocks);
        }
    }

    #[test]
    fn the_last_blocks_of_a_full_slab_may_come_home_unseen() {
        let (blocks, others) = begin_a_slab(&[(32 * KIB, 16), (32 * KIB, 16)]);
        let slab = record(blocks[0]);
        // The slab's blocks went out twice, so it is no orphan when it is full.
        free(blocks[1]);
        assert_eq!(allocate(32 * KIB), blocks[1]);
        assert!(slab.state() == State::Full && !slab.is_orphan());
        free_while_busy(&blocks);
        assert!(slab.free.get().is_null() && slab.needed.get() == 1, "the slab is as it was");
        assert_eq!(slab.remote.waiting(), 0, "all units are home, so it was given back");
        others.into_iter().for_each(free);
        collect();
    }

    #[test]
    fn a_full_slab_with_a_rest_is_no_orphan() {
        // The alignment leaves three units between the first two.
        let (blocks, mut others) =
            begin_a_slab(&[(5 * KIB, 16), (8 * KIB, 8 * KIB), (32 * KIB, 16), (16 * KIB, 16)]);
        let slab = record(blocks[0]);
        while slab.state() != State::Full {
            others.push(allocate(5 * KIB));
        }
        assert!(!slab.was_reused() && !slab.is_orphan() && slab.vacant.get().count_ones() == 3);
        // As if without a heap: the blocks wait in the owner's mailbox.
        free_while_busy(&blocks);
        assert_eq!(slab.remote.waiting(), 61);
        others.into_iter().for_each(free);
        collect();
        assert_eq!(slab.remote.waiting(), 0);
    }

    /// A handler that interrupts the moment in which the kept block goes home must not get it.
    #[test]
    fn a_busy_heap_keeps_its_kept_block() {
        let block = allocate(9 * KIB);
        free(block);
        current().busy.set(true);
        let other = allocate(9 * KIB);
        current().busy.set(false);
        assert!(!other.is_null() && other != block);
        let again = allocate(9 * KIB);
        assert_eq!(again, block);
        free(again);
        free(other);
    }
}
