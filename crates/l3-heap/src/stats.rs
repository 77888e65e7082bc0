//! Statistics: everything is derived when somebody asks, from counters that slow paths keep.

use stratalloc_primitives::primitive::atomic::Ordering;

use crate::layout::{CHUNK, CHUNKS_PER_AREA, SLICE, SLICES_PER_CHUNK};
use crate::region::chunk::ChunkKind;
use crate::small::class::{self, BINS, CLASSES, Class};
use crate::small::slab::{Block, Slab, State};
use crate::small::{home, mixed, pool};
use crate::usage::{self, Domain};
use crate::{os, region};

/// Counters of one domain. Sizes in bytes, of blocks as handed out (rounded up). See [`statistics`] for an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DomainStatistics {
    /// Blocks handed out since the start.
    pub allocations: u64,
    /// Blocks that came back.
    pub releases: u64,
    /// Requests that could not be served.
    pub failures: u64,
    /// Bytes in use now.
    pub live_bytes: u64,
    /// Most bytes that were in use at once.
    pub peak_bytes: u64,
}

/// Counters of one size class. See [`statistics`] for an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassStatistics {
    /// Block size in bytes; 0 for a number that is no class.
    pub size: u32,
    /// Blocks handed out since the start.
    pub allocations: u64,
    /// Blocks in use now.
    pub live: u64,
    /// Slabs of the class; 0 above 4 KiB, where classes share slabs.
    pub slabs: u64,
}

/// What the process heap holds and did. See [`statistics`] for an example.
#[derive(Clone, Copy, Debug)]
pub struct Statistics {
    /// Up to 1 MiB: slabs and runs.
    pub small: DomainStatistics,
    /// 1 MiB to 512 MiB.
    pub medium: DomainStatistics,
    /// 512 MiB to 1 GiB.
    pub large: DomainStatistics,
    /// Above 1 GiB, and requests aligned to more than 64 KiB.
    pub huge: DomainStatistics,
    /// Size classes, by class number.
    pub classes: [ClassStatistics; BINS],
    /// Bytes of the region in use by blocks, slabs included whole.
    pub in_use_bytes: u64,
    /// Bytes of the region that are free and may still be resident.
    pub dirty_bytes: u64,
    /// Bytes in use, dirty, and mapped for large and huge blocks: what the heap has committed.
    pub committed_bytes: u64,
    /// Most bytes that were in use or dirty at once in the region.
    pub peak_bytes: u64,
    /// Address space reserved, in bytes.
    pub reserved_bytes: u64,
    /// Purge calls, and the bytes that they gave back.
    pub purges: u64,
    /// Bytes given back by purges.
    pub purged_bytes: u64,
    /// Blocks that one thread freed and another thread's slab took back.
    pub remote_frees: u64,
    /// Chains in which they travelled.
    pub remote_batches: u64,
    /// Blocks that wait in a slab's remote list now.
    pub remote_waiting: u64,
    /// Thread heaps made so far.
    pub thread_heaps: u64,
    /// Slabs in use.
    pub slabs: u64,
    /// Chunks for which huge pages were asked.
    pub huge_page_chunks: u64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            small: DomainStatistics::default(),
            medium: DomainStatistics::default(),
            large: DomainStatistics::default(),
            huge: DomainStatistics::default(),
            classes: [ClassStatistics::default(); BINS],
            in_use_bytes: 0,
            dirty_bytes: 0,
            committed_bytes: 0,
            peak_bytes: 0,
            reserved_bytes: 0,
            purges: 0,
            purged_bytes: 0,
            remote_frees: 0,
            remote_batches: 0,
            remote_waiting: 0,
            thread_heaps: 0,
            slabs: 0,
            huge_page_chunks: 0,
        }
    }
}

fn positive(n: isize) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn read(domain: &Domain) -> DomainStatistics {
    let live_bytes = positive(domain.live.load(Ordering::Relaxed));
    DomainStatistics {
        allocations: domain.allocations.load(Ordering::Relaxed),
        releases: domain.releases.load(Ordering::Relaxed),
        failures: domain.failures.load(Ordering::Relaxed),
        live_bytes,
        peak_bytes: positive(domain.peak.load(Ordering::Relaxed)).max(live_bytes),
    }
}

/// Every chunk that was touched, with its number.
pub(crate) fn touched_chunks() -> impl Iterator<Item = u32> {
    (0..region::area_count())
        .map(|area| (area * CHUNKS_PER_AREA, region::touched_limit(area)))
        .take_while(|(_, limit)| *limit > 0)
        .flat_map(|(first, limit)| first..first + limit)
}

/// Every slab, by the number of its first slice.
pub(crate) fn slabs() -> impl Iterator<Item = (u32, State)> {
    touched_chunks().filter(|index| region::chunk(*index).kind() == ChunkKind::Split).flat_map(|index| {
        (index * SLICES_PER_CHUNK..(index + 1) * SLICES_PER_CHUNK)
            .map(|slab| (slab, region::slab(slab).state()))
            .filter(|(_, state)| !matches!(state, State::None | State::Body))
    })
}

/// Fills `out`. O(slabs + threads); other threads may go on, then the figures are a moment's approximation. Exact at rest, but for
/// three figures of slabs: `allocations` counts a block once per way from its slab into a bin, not each time a sized free put it
/// back in front; `peak_bytes` is kept to 64 KiB per thread; and a block above 32 KiB of a slab counts as one of 32.
///
/// ```
/// use stratalloc_heap::{ClassStatistics, DomainStatistics, Statistics, allocate, statistics};
///
/// let _blocks = (allocate(100), allocate(3 << 20)); // never given back
/// let mut now = Statistics::default();
/// statistics(&mut now);
/// let medium: DomainStatistics = now.medium;
/// assert!(medium.live_bytes >= 3 << 20 && now.committed_bytes >= medium.live_bytes);
/// let of_112: Option<&ClassStatistics> = now.classes.iter().find(|class| class.size == 112);
/// assert!(of_112.is_some_and(|class| class.live >= 1));
/// ```
pub fn statistics(out: &mut Statistics) {
    *out = Statistics::default();
    let in_bins = sum_heaps(out);
    let away = sum_slabs(out);
    out.small = read(&usage::RUNS);
    let slabs = read(&usage::SLABS);
    let mut live_bytes = 0;
    for (class, entry) in out.classes.iter_mut().enumerate().take(CLASSES).skip(1) {
        entry.size = class::facts(class).size;
        if !class::is_mixed(class) {
            entry.allocations = entry.allocations.saturating_sub(in_bins[class % BINS]);
        }
        entry.live = away[class % BINS].saturating_sub(in_bins[class % BINS]).min(entry.allocations);
        live_bytes += entry.live * u64::from(entry.size);
        out.small.allocations += entry.allocations;
        out.small.releases += entry.allocations - entry.live;
    }
    out.small.failures += slabs.failures;
    out.small.live_bytes += live_bytes;
    out.small.peak_bytes = (out.small.peak_bytes + slabs.peak_bytes).max(out.small.live_bytes);
    out.medium = read(&usage::MEDIUM);
    out.large = read(&usage::LARGE);
    out.huge = read(&usage::HUGE);
    out.in_use_bytes = usage::in_use_bytes() as u64;
    out.dirty_bytes = usage::dirty_free_bytes() as u64;
    out.peak_bytes = usage::peak_bytes() as u64;
    out.committed_bytes = out.in_use_bytes + out.dirty_bytes;
    os::for_each(|entry| out.committed_bytes += entry.len as u64);
    out.reserved_bytes = region::range().1 as u64;
    out.purges = usage::PURGES.load(Ordering::Relaxed);
    out.purged_bytes = usage::PURGED.load(Ordering::Relaxed);
    out.huge_page_chunks = usage::HUGE_CHUNKS.load(Ordering::Relaxed) as u64;
}

/// Adds what thread heaps count; returns the blocks in their bins, per class.
fn sum_heaps(out: &mut Statistics) -> [u64; BINS] {
    let mut in_bins = [0; BINS];
    for heap in pool::all() {
        out.thread_heaps += 1;
        out.remote_frees += heap.remote_blocks.get();
        out.remote_batches += heap.remote_batches.get();
        for (class, (entry, in_bin)) in
            out.classes.iter_mut().zip(&mut in_bins).enumerate().take(CLASSES).skip(1)
        {
            entry.allocations = entry.allocations.wrapping_add(heap.handed(class).get());
            *in_bin += bin_length(heap.bin(class).get(), class::facts(class));
        }
    }
    in_bins
}

/// Adds what slabs count; returns the blocks that are neither in their slab nor on the way there, per class.
fn sum_slabs(out: &mut Statistics) -> [u64; BINS] {
    let mut away = [0u64; BINS];
    for (index, state) in slabs() {
        out.slabs += 1;
        let slab = region::slab(index);
        if state == State::Spare {
            continue;
        }
        let class = slab.class() % BINS;
        let waiting = slab.remote.waiting();
        if class == class::MIXED {
            mixed::blocks(slab).for_each(|units| away[class::of_units(units) % BINS] += 1);
            out.remote_waiting += back(&mut away, slab, home::first_waiting(slab), waiting);
            continue;
        }
        out.remote_waiting += u64::from(waiting);
        out.classes[class].slabs += 1;
        away[class] += u64::from(u32::from(slab.carved.get()).saturating_sub(slab.in_free() + waiting));
    }
    for heap in pool::all() {
        for (slab, first, count) in heap.rings.waiting() {
            let slab = region::slab(slab);
            if slab.class() == class::MIXED {
                back(&mut away, slab, first, count);
            } else {
                let class = slab.class() % BINS;
                away[class] = away[class].saturating_sub(u64::from(count));
            }
        }
    }
    away
}

/// Takes the blocks of a chain, `units` of a mixed slab, from the counts. Returns how many they are.
fn back(away: &mut [u64; BINS], slab: &Slab, first: *mut Block, units: u32) -> u64 {
    let mut blocks = 0;
    for (_, units) in mixed::chain(slab, first, units) {
        let class = class::of_units(units) % BINS;
        away[class] = away[class].saturating_sub(1);
        blocks += 1;
    }
    blocks
}

/// Blocks in a bin: at most one slab's, and all in that slab. A running owner may change the chain under our eyes; so a link that
/// leaves the slab or is not aligned ends the walk.
fn bin_length(first: *mut Block, class: &Class) -> u64 {
    let mut block = first;
    let mut length = 0;
    while !block.is_null() && length < u64::from(class.capacity) {
        if block.addr() ^ first.addr() >= usize::from(class.slices) * SLICE
            || !block.addr().is_multiple_of(16)
        {
            break;
        }
        length += 1;
        // SAFETY: the address lies in the slab of the bin's first block, which is mapped; it is aligned for a word.
        block = unsafe { &*block }.next.get();
    }
    length
}

const _: () = assert!(CHUNK / SLICE == SLICES_PER_CHUNK as usize);
