//! Slices of the region for slabs: taken whole, given back whole.

use core::ptr;

use stratalloc_primitives::bits;

use super::slab::{Slab, State};
use super::thread_heap::ThreadHeap;
use crate::layout::{GRANULE, SLICE, SLICES_PER_CHUNK, WIDE, narrow};
use crate::region::chunk::Chunk;
use crate::{region, usage, value};

/// Slices for a new slab of `heap`, one or [`WIDE`]; the first record's owner is set. With `grow` they may come from memory never
/// touched before.
pub(crate) fn take(heap: &'static ThreadHeap, slices: u32, grow: bool) -> Option<(&'static Slab, bool)> {
    let found = if heap.family() == 0 {
        region::take_split_chunk(slices, slices, grow)?
    } else {
        value::take_granules(heap.family(), slices, slices)?
    };
    let index = found.index * SLICES_PER_CHUNK + found.claim.start;
    for body in index + 1..index + slices {
        region::slab(body).set_state(State::Body);
    }
    usage::claimed(slices, found.claim.dirty.count_ones());
    let slab = region::slab(index);
    slab.set_owner(heap);
    Some((slab, found.claim.dirty == 0))
}

/// The record of the slab that `slab`, the record of one of its slices, belongs to.
#[inline]
pub(crate) fn head(slab: &'static Slab) -> &'static Slab {
    if slab.state() == State::Body { region::slab(region::slab_index(slab) & !(WIDE - 1)) } else { slab }
}

/// Gives the slices of an empty slab back.
pub(crate) fn give(slab: &'static Slab) {
    mark_touched(slab);
    let index = region::slab_index(slab);
    let slices = u32::from(slab.facts().slices);
    for body in index + 1..index + slices {
        region::slab(body).set_state(State::None);
    }
    slab.set_state(State::None);
    slab.set_owner(ptr::null());
    let chunk_index = index / SLICES_PER_CHUNK;
    let start = index % SLICES_PER_CHUNK;
    let chunk = region::chunk(chunk_index);
    give_granules(chunk, chunk_index, bits::mask(start, slices));
}

/// Notes which granules of a slab were carved. Needed at every end of a slab's life: its next life as a slab of another class starts
/// with nothing carved.
pub(crate) fn mark_touched(slab: &Slab) {
    let touched = (slab.carved.get() as usize * slab.facts().size as usize).div_ceil(GRANULE);
    if touched > 0 {
        let index = region::slab_index(slab);
        let start = index % SLICES_PER_CHUNK;
        region::chunk(index / SLICES_PER_CHUNK).mark_dirty(bits::mask(start, narrow(touched)));
    }
}

/// Gives granules of a split chunk back that the caller owns; a chunk that is empty then returns to the buddy tree.
pub(crate) fn give_granules(chunk: &'static Chunk, index: u32, mask: u64) {
    let family = chunk.family.load(stratalloc_primitives::primitive::atomic::Ordering::Relaxed);
    usage::released(mask.count_ones(), (chunk.dirty_mask() & mask).count_ones());
    let free = chunk.release(mask, family != 0);
    if family != 0 {
        return;
    }
    if free == !0 && chunk.claim_whole(false) {
        region::give_chunks(index, 1);
    } else {
        let (area, inside) = region::area_of_chunk(index);
        area.announce(chunk, inside, free);
    }
}

const _: () = assert!(SLICE == GRANULE, "a slice is claimed as a granule");
