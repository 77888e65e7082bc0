//! The medium domain: 1 MiB to 512 MiB, in whole chunks from the buddy tree.
//!
//! A block takes as many chunks as it needs, no power of two: the tail of its last chunk is address space, not memory, until
//! somebody touches it. What is dirty is known per granule, so zeroed requests clear only what needs it. Growth claims
//! the chunks behind the block; when those are taken, the pages move to a larger place by the page tables, not by copying.

pub(crate) mod buddy_tree;
mod resize;

use stratalloc_primitives::bits;
use stratalloc_primitives::primitive::atomic::Ordering;

use crate::layout::{CHUNK, CHUNK_SHIFT, GRANULE, narrow};
use crate::region::LARGE_BLOCK;
use crate::region::chunk::ChunkKind;
use crate::{purge, region, usage};

pub(crate) use resize::{resize_in_place, resize_moving};

/// Calls `f(chunk number, granule mask)` for the granules that `from..to` (bytes from the first chunk `index`) covers; `from` and
/// `to` are rounded up to granules, so neighbouring ranges never share one.
fn for_granules(index: u32, from: usize, to: usize, mut f: impl FnMut(u32, u64)) {
    let (mut at, end) = (from.div_ceil(GRANULE), to.div_ceil(GRANULE));
    while at < end {
        let inside = at % 64;
        let count = (64 - inside).min(end - at);
        f(index + narrow(at / 64), bits::mask(narrow(inside), narrow(count)));
        at += count;
    }
}

/// Counts granules of a block as in use.
fn account_claim(index: u32, from: usize, to: usize) -> u32 {
    let (mut all, mut dirty) = (0, 0);
    for_granules(index, from, to, |number, mask| {
        all += mask.count_ones();
        dirty += (region::chunk(number).dirty_mask() & mask).count_ones();
    });
    usage::claimed(all, dirty);
    dirty
}

/// Counts granules of a block as free again, and dirty.
fn account_release(index: u32, from: usize, to: usize, touched: bool) {
    let (mut all, mut dirty) = (0, 0);
    for_granules(index, from, to, |number, mask| {
        let chunk = region::chunk(number);
        if touched {
            chunk.mark_dirty(mask);
        }
        all += mask.count_ones();
        dirty += (chunk.dirty_mask() & mask).count_ones();
    });
    usage::released(all, dirty);
}

/// Dirty granules between the end of a block of `size` bytes and the end of its chunks. They are nobody's: no request can have them
/// while the block lives, and no purge, so they do not count as free.
fn dirty_tail(index: u32, size: usize) -> u32 {
    let mut dirty = 0;
    for_granules(index, size, chunks_of(size) as usize * CHUNK, |number, mask| {
        dirty += (region::chunk(number).dirty_mask() & mask).count_ones();
    });
    dirty
}

/// Marks the chunks `[first, first + count)` as one block.
fn set_kinds(first: u32, count: u32) {
    for index in first..first + count {
        let kind = if index == first { ChunkKind::MediumHead } else { ChunkKind::MediumBody };
        region::chunk(index).set_kind(kind);
    }
}

/// Chunks of a block of `size` bytes. From 4 MiB on an even number: such blocks start and end on huge-page boundaries, so that no
/// huge page is shared by two of them and purging one breaks no page of the other.
fn chunks_of(size: usize) -> u32 {
    let count = narrow(size.div_ceil(CHUNK));
    if count >= LARGE_BLOCK { (count + 1) & !1 } else { count }
}

/// A block of `size` bytes (1 MiB to 512 MiB, 1 MiB aligned), and whether it reads as zero.
pub(crate) fn allocate(family: u32, size: usize) -> Option<(*mut u8, bool)> {
    let count = chunks_of(size);
    let Some(first) = region::take_chunks(count) else {
        usage::MEDIUM.failed();
        return None;
    };
    Some(begin(first, family, size))
}

/// Makes a block of chunks that the caller owns.
fn begin(first: u32, family: u32, size: usize) -> (*mut u8, bool) {
    set_kinds(first, chunks_of(size));
    let head = region::chunk(first);
    head.extent.store(size, Ordering::Relaxed);
    head.family.store(family, Ordering::Relaxed);
    let dirty = account_claim(first, 0, size);
    usage::withheld(dirty_tail(first, size));
    usage::MEDIUM.allocated(size);
    (region::at(first as usize * CHUNK), dirty == 0)
}

/// Number of the first chunk of the block at `offset`; `None` when no block starts there.
fn locate(offset: usize) -> Option<u32> {
    let index = narrow(offset >> CHUNK_SHIFT);
    if !offset.is_multiple_of(CHUNK) || region::chunk(index).kind() != ChunkKind::MediumHead {
        None
    } else {
        Some(index)
    }
}

fn extent(index: u32) -> usize {
    region::chunk(index).extent.load(Ordering::Relaxed)
}

/// Bytes of the block at `offset`; 0 when there is none.
pub(crate) fn usable(offset: usize) -> usize {
    locate(offset).map_or(0, extent)
}

/// Gives the block at `offset` back. O(log chunks), no system call unless its pages had been moved.
pub(crate) fn free(offset: usize) -> bool {
    let Some(index) = locate(offset) else { return false };
    give_back(index, true);
    purge::now_and_then();
    true
}

/// Gives a block back; `touched` is false when its pages are known to be gone.
fn give_back(index: u32, touched: bool) {
    let size = extent(index);
    let touched = touched && !resize::unmove(index, size);
    account_release(index, 0, size, touched);
    usage::restored(dirty_tail(index, size));
    usage::MEDIUM.released(size);
    region::give_chunks(index, chunks_of(size));
}

/// Clears the dirty granules of the block at `offset`, up to `size` bytes.
pub(crate) fn zero(offset: usize, size: usize) {
    let Some(index) = locate(offset) else { return };
    for_granules(index, 0, size, |number, mask| {
        let mut dirty = region::chunk(number).dirty_mask() & mask;
        while dirty != 0 {
            let start = dirty.trailing_zeros();
            let count = (dirty >> start).trailing_ones();
            let at = region::at(number as usize * CHUNK + start as usize * GRANULE);
            // SAFETY: the granules belong to the block, which the caller owns; the block's last granule is whole, since chunks are.
            unsafe { at.write_bytes(0, count as usize * GRANULE) };
            dirty &= !bits::mask(start, count);
        }
    });
}
