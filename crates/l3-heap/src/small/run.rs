//! Runs: requests of 32 KiB to 1 MiB, as neighbouring granules of a split chunk.
//!
//! A run is found by its start; its end is a bit in the chunk's `ends` word. Claiming, growing and giving back are one
//! compare-and-swap each on the chunk's word of free granules.

use stratalloc_primitives::bits;
use stratalloc_primitives::primitive::atomic::Ordering;

use super::slice::give_granules;
use crate::layout::{CHUNK, CHUNK_SHIFT, GRANULE, GRANULE_SHIFT, narrow};
use crate::{region, usage, value};

/// A run of at least `size` bytes (at most 1 MiB) aligned to `align` (at most 64 KiB), and whether it reads as zero.
pub(crate) fn allocate(family: u32, size: usize, align: usize) -> Option<(*mut u8, bool)> {
    let count = narrow(size.div_ceil(GRANULE));
    let align = narrow(align.div_ceil(GRANULE));
    let found = if family == 0 {
        region::take_split_chunk(count, align, true)
    } else {
        value::take_granules(family, count, align)
    };
    let Some(found) = found else {
        usage::RUNS.failed();
        return None;
    };
    usage::claimed(count, found.claim.dirty.count_ones());
    usage::RUNS.allocated(count as usize * GRANULE);
    found.chunk.set_end(found.claim.start + count - 1);
    let offset = found.index as usize * CHUNK + found.claim.start as usize * GRANULE;
    Some((region::at(offset), found.claim.dirty == 0))
}

/// Chunk number, first and last granule of the run at `offset`; `None` when no run starts there.
fn locate(offset: usize) -> Option<(u32, u32, u32)> {
    let index = narrow(offset >> CHUNK_SHIFT);
    let start = narrow((offset & (CHUNK - 1)) >> GRANULE_SHIFT);
    if !offset.is_multiple_of(GRANULE) {
        return None;
    }
    let chunk = region::chunk(index);
    let last = chunk.end_of(start)?;
    // A run that was given back already has no end of its own: the one found would be a neighbour's.
    let private = chunk.family.load(Ordering::Relaxed) != 0;
    if chunk.free_mask(private) & bits::mask(start, last + 1 - start) != 0 {
        return None;
    }
    Some((index, start, last))
}

/// Bytes of the run at `offset`; 0 when there is none.
pub(crate) fn usable(offset: usize) -> usize {
    locate(offset).map_or(0, |(_, start, last)| (last + 1 - start) as usize * GRANULE)
}

/// Gives the run at `offset` back.
pub(crate) fn free(offset: usize) -> bool {
    let Some((index, start, last)) = locate(offset) else { return false };
    let chunk = region::chunk(index);
    let mask = bits::mask(start, last + 1 - start);
    chunk.clear_end(last);
    chunk.mark_dirty(mask);
    usage::RUNS.released(mask.count_ones() as usize * GRANULE);
    give_granules(chunk, index, mask);
    true
}

/// Changes the run's size in place if the chunk has room; true on success.
pub(crate) fn resize(offset: usize, size: usize) -> bool {
    let Some((index, start, last)) = locate(offset) else { return false };
    let (have, want) = (last + 1 - start, narrow(size.div_ceil(GRANULE)).max(1));
    let chunk = region::chunk(index);
    if want == have {
        return true;
    }
    if want < have {
        let mask = bits::mask(start + want, have - want);
        // The new end first: until then the old one covers the granules that are about to go.
        chunk.set_end(start + want - 1);
        chunk.clear_end(last);
        chunk.mark_dirty(mask);
        usage::RUNS.change(-(((have - want) as usize * GRANULE).cast_signed()));
        give_granules(chunk, index, mask);
        return true;
    }
    if start + want > 64 {
        return false;
    }
    let private = chunk.family.load(Ordering::Relaxed) != 0;
    let mask = bits::mask(last + 1, want - have);
    let Some(dirty) = chunk.claim_exact(mask, private) else { return false };
    usage::claimed(want - have, dirty.count_ones());
    usage::RUNS.change(((want - have) as usize * GRANULE).cast_signed());
    chunk.set_end(start + want - 1);
    chunk.clear_end(last);
    true
}
