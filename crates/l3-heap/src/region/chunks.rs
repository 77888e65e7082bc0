//! Handing out whole chunks: touched memory first, lowest address first, fresh memory last.
//!
//! A range of chunks is found by first fit over the map of free chunks (any start, not only aligned ones: blocks of 5 or 25
//! MiB then pack without the holes of a pure buddy system) and claimed from the buddy tree piece by piece, all or nothing.

use stratalloc_platform::fork;
use stratalloc_primitives::primitive::atomic::Ordering;
use stratalloc_primitives::{ProcessLock, bits};

use super::area::WIDE_LEVEL;
use super::chunk::{Chunk, ChunkKind, Claim};
use super::{LARGE_BLOCK, activate, area, area_count, chunk, growth, touched_chunks};
use crate::layout::{CHUNKS_PER_AREA, WIDE};
use crate::purge;

/// At most one worker merges buddies at a time; the others go on without waiting.
static MERGE: ProcessLock = ProcessLock::new();

/// Chunks of area `index` that lie below the touched edge.
pub(crate) fn touched_limit(index: u32) -> u32 {
    touched_chunks().saturating_sub(index * CHUNKS_PER_AREA).min(CHUNKS_PER_AREA)
}

/// A bit per chunk of an area.
type Map = [u64; 8];

/// First chunk of the lowest run of `count` ones below `limit`; runs of [`LARGE_BLOCK`] and more start at even chunks.
fn lowest_run(map: &Map, count: u32, limit: u32) -> Option<u32> {
    let step = if count >= LARGE_BLOCK { 2 } else { 1 };
    let ones = (1u64 << step) - 1;
    let mut run = 0;
    let mut at = 0;
    while at < limit {
        run = if map[(at / 64) as usize & 7] >> (at % 64) & ones == ones { run + step } else { 0 };
        at += step;
        if run >= count {
            return Some(at - run);
        }
    }
    None
}

/// Claims `count` neighbouring free chunks of area `index` below `limit`: the lowest that are all dirty, so that resident memory is
/// used again before other memory becomes resident; if there are none, the lowest.
fn first_fit(index: u32, count: u32, limit: u32) -> Option<u32> {
    if limit < count {
        return None;
    }
    let area = area(index);
    // Another thread may take what the map showed; the map is drawn again a few times before the caller looks elsewhere.
    for _ in 0..4 {
        let (mut free, mut dirty): (Map, Map) = ([0; 8], [0; 8]);
        for (first, order) in area.tree.free_blocks() {
            for at in first..(first + (1 << order)).min(limit) {
                let (word, bit) = ((at / 64) as usize & 7, 1u64 << (at % 64));
                free[word] |= bit;
                if chunk(index * CHUNKS_PER_AREA + at).dirty_mask() != 0 {
                    dirty[word] |= bit;
                }
            }
        }
        let first = lowest_run(&dirty, count, limit).or_else(|| lowest_run(&free, count, limit))?;
        if area.tree.claim_range(first, count) {
            return Some(first);
        }
    }
    None
}

fn take_from(index: u32, count: u32, limit: u32) -> Option<u32> {
    if count == 1 { area(index).tree.allocate_below(0, limit) } else { first_fit(index, count, limit) }
}

/// Merges what waits to be merged, unless another worker is at it.
pub(crate) fn merge_all() {
    if let Some(guard) = MERGE.try_acquire(fork::identity()) {
        for index in 0..area_count() {
            let area = area(index);
            if touched_limit(index) == 0 {
                break;
            }
            if area.tree.pending() > 0 {
                area.tree.merge(&guard);
            }
        }
    }
}

/// Takes `count` neighbouring chunks (at most an area); returns the first one's number. The caller owns them afterwards; their
/// kind is still `Free` and their dirty words tell what is zero. `None`: no address space or no memory.
pub(crate) fn take_chunks(count: u32) -> Option<u32> {
    take_touched(count).or_else(|| take_fresh(count))
}

/// Takes chunks below the touched edge: no growth, so no purge either.
fn take_touched(count: u32) -> Option<u32> {
    for index in 0..area_count() {
        let limit = touched_limit(index);
        if limit == 0 {
            break;
        }
        if let Some(first) = take_usable(index, count, limit) {
            return Some(first);
        }
    }
    None
}

fn take_fresh(count: u32) -> Option<u32> {
    // Twice, with a merge in between: while others split or merge, some memory is in nobody's bitmap, and a search may miss it.
    for _ in 0..2 {
        for index in 0..area_count() {
            if !activate(index) {
                break;
            }
            if area(index).tree.pending() > 0 {
                merge_all();
            }
            if let Some(first) = take_usable(index, count, CHUNKS_PER_AREA) {
                return Some(first);
            }
        }
        merge_all();
    }
    None
}

/// Takes chunks of one area and makes them usable. A chunk whose addresses turn out to be somebody else's stays taken for ever,
/// and other ones are tried; each area has 512 of them, so this ends.
fn take_usable(index: u32, count: u32, limit: u32) -> Option<u32> {
    loop {
        let first = index * CHUNKS_PER_AREA + take_from(index, count, limit)?;
        match growth::touch(first, count) {
            growth::Touched::Ready => {
                let clean = (first..first + count).any(|at| chunk(at).dirty_mask() == 0);
                if clean {
                    purge::before_growth();
                }
                return Some(first);
            }
            growth::Touched::Foreign(foreign) => give_around(first, count, foreign),
            growth::Touched::NoMemory => {
                give_chunks(first, count);
                return None;
            }
        }
    }
}

/// Gives chunks back that the caller owns wholly. O(log count).
pub(crate) fn give_chunks(first: u32, count: u32) {
    for index in first..first + count {
        let record = chunk(index);
        record.set_kind(ChunkKind::Free);
        record.family.store(0, Ordering::Relaxed);
    }
    let (area, inside) = super::area_of_chunk(first);
    area.tree.release_range(inside, count);
}

/// Tries to take the `count` chunks from `first` on, all or none; they must lie in one area.
pub(crate) fn take_exact(first: u32, count: u32) -> bool {
    let (area, inside) = super::area_of_chunk(first);
    if inside + count > CHUNKS_PER_AREA || !area.tree.claim_range(inside, count) {
        return false;
    }
    match growth::touch(first, count) {
        growth::Touched::Ready => return true,
        growth::Touched::Foreign(foreign) => give_around(first, count, foreign),
        growth::Touched::NoMemory => give_chunks(first, count),
    }
    false
}

/// Gives all but one of the chunks back.
fn give_around(first: u32, count: u32, kept: u32) {
    for (first, end) in [(first, kept), (kept + 1, first + count)] {
        if first < end {
            give_chunks(first, end - first);
        }
    }
}

/// A claim inside a split chunk.
pub(crate) struct SplitClaim {
    pub(crate) chunk: &'static Chunk,
    pub(crate) index: u32,
    pub(crate) claim: Claim,
}

/// Claims `count` granules (start a multiple of `align` granules) in a shared split chunk that already exists.
fn take_granules(count: u32, align: u32) -> Option<SplitClaim> {
    let wide = count == WIDE && align == WIDE;
    let floor = if wide { WIDE_LEVEL } else { count.max(1).ilog2() as usize };
    let ceil = if wide { WIDE_LEVEL } else { count.next_power_of_two().ilog2() as usize };
    for index in 0..area_count() {
        if touched_limit(index) == 0 {
            break;
        }
        let area = area(index);
        // Between two powers of two a hint promises less than is asked for: after a few disappointments only larger runs are
        // looked at, so that a search never walks all chunks in vain.
        let mut patience = 8;
        let mut level = floor;
        while level <= ceil {
            for inside in area.candidates(level, 0) {
                let number = index * CHUNKS_PER_AREA + inside;
                let record = chunk(number);
                if let Some(claim) = record.claim(count, align, false) {
                    return Some(SplitClaim { chunk: record, index: number, claim });
                }
                area.refresh(record, inside, level);
                patience -= i32::from(level < ceil);
                if patience == 0 {
                    break;
                }
            }
            level += 1;
        }
    }
    None
}

/// Claims `count` granules for the process heap. A chunk is split when no split one has room; with `grow` it may be one that
/// was never touched.
pub(crate) fn take_split_chunk(count: u32, align: u32, grow: bool) -> Option<SplitClaim> {
    if let Some(found) = take_granules(count, align) {
        return Some(found);
    }
    if grow && touched_chunks() == 0 && activate(0) {
        // The first request of all: the first chunk is split by now, and has room.
        return take_split_chunk(count, align, grow);
    }
    let index = if grow { take_chunks(1)? } else { take_touched(1)? };
    Some(split_new(index, count, 0))
}

/// Splits a chunk that the caller owns and claims its first `count` granules.
pub(crate) fn split_new(index: u32, count: u32, family: u32) -> SplitClaim {
    let record = chunk(index);
    let mask = bits::mask(0, count);
    record.split(family, mask);
    if family == 0 {
        let (area, inside) = super::area_of_chunk(index);
        area.announce(record, inside, record.free_mask(false));
    }
    SplitClaim { chunk: record, index, claim: Claim { start: 0, dirty: record.dirty_mask() & mask } }
}

/// Splits the region's first chunk, which is in no tree yet. Its first slice is set aside: slice number 0 means "none" in every link.
pub(super) fn split_without_null_slice() {
    split_new(0, 1, 0);
}
