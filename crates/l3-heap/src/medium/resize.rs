//! Growing and shrinking medium blocks.

use core::ptr::NonNull;

use stratalloc_platform::vm;
use stratalloc_primitives::primitive::atomic::{AtomicU32, Ordering};

use super::{
    account_claim, account_release, allocate, begin, chunks_of, dirty_tail, extent, give_back, locate,
    set_kinds,
};
use crate::layout::{CHUNK, CHUNKS_PER_AREA, GRANULE, MEDIUM_MAX, narrow};
use crate::{region, usage};

/// Blocks whose pages were moved and not yet mapped afresh. Each costs up to two mappings, of which a process has 65 530.
static MOVED: AtomicU32 = AtomicU32::new(0);
const MOVED_MAX: u32 = 4096;

/// Changes the size of the block at `offset` (to more than 1 MiB, at most 512 MiB) without moving it.
pub(crate) fn resize_in_place(offset: usize, size: usize) -> bool {
    let Some(index) = locate(offset) else { return false };
    let head = region::chunk(index);
    let old = extent(index);
    let (have, want) = (chunks_of(old), chunks_of(size));
    if want > have {
        if head.family.load(Ordering::Relaxed) != 0 || !region::take_exact(index + have, want - have) {
            return false;
        }
        set_kinds(index, want);
    }
    usage::restored(dirty_tail(index, old));
    if size >= old {
        account_claim(index, old, size);
        usage::MEDIUM.change((size - old).cast_signed());
    } else {
        account_release(index, size, old, true);
        usage::MEDIUM.change(-(old - size).cast_signed());
    }
    usage::withheld(dirty_tail(index, size));
    head.extent.store(size, Ordering::Relaxed);
    if want < have {
        region::give_chunks(index + want, have - want);
    }
    true
}

/// A place for a block that keeps growing: at the start of twice the space it needs, so that the next growth finds room.
fn roomy(size: usize) -> Option<u32> {
    let want = chunks_of(size);
    let room = (want * 2).min(CHUNKS_PER_AREA);
    if want >= CHUNKS_PER_AREA / 2 {
        return region::take_chunks(want);
    }
    match region::take_chunks(room) {
        Some(first) => {
            region::give_chunks(first + want, room - want);
            Some(first)
        }
        None => region::take_chunks(want),
    }
}

/// Moves the block at `offset` to a larger place. `None`: no memory; the old block is as it was.
pub(crate) fn resize_moving(offset: usize, size: usize) -> Option<*mut u8> {
    let index = locate(offset)?;
    let family = region::chunk(index).family.load(Ordering::Relaxed);
    let old = extent(index);
    debug_assert!(size > old && size <= MEDIUM_MAX);
    let target = if family == 0 {
        let first = roomy(size)?;
        begin(first, 0, size).0
    } else {
        allocate(family, size)?.0
    };
    let source = region::at(offset);
    let moved = move_pages(index, source, target, old);
    if !moved {
        // SAFETY: both blocks are ours and hold at least `old` bytes; different blocks never overlap.
        unsafe { core::ptr::copy_nonoverlapping(source, target, old) };
    }
    give_back(index, !moved);
    Some(target)
}

/// Moves whole pages by the page tables. False: not done, nothing changed.
fn move_pages(index: u32, source: *mut u8, target: *mut u8, len: usize) -> bool {
    let page = stratalloc_platform::page::size();
    let len = (len + page - 1) & !(page - 1);
    if MOVED.load(Ordering::Relaxed) >= MOVED_MAX {
        return false;
    }
    let (Some(from), Some(to)) = (NonNull::new(source), NonNull::new(target)) else { return false };
    // SAFETY: both ranges are whole pages of blocks that the caller owns; nothing of the target is in use yet.
    if unsafe { vm::move_pages(from, to, len) }.is_err() {
        return false;
    }
    MOVED.fetch_add(1, Ordering::Relaxed);
    let number = narrow((target.addr() - region::range().0) / CHUNK);
    region::chunk(number).moved.store(1, Ordering::Relaxed);
    // Both places read as zero now wherever no page was moved to; the source wholly.
    // Only whole granules: behind the last page that moved, an earlier block's bytes may lie in the same granule.
    let whole = len / GRANULE * GRANULE;
    super::for_granules(index, 0, whole, |number, mask| region::chunk(number).mark_clean(mask));
    true
}

/// A block is about to be given back: joins its mapping with the neighbours again if its pages had been moved here. True when
/// the memory was mapped afresh, and so reads as zero.
pub(super) fn unmove(index: u32, size: usize) -> bool {
    let head = region::chunk(index);
    if head.moved.load(Ordering::Relaxed) == 0 {
        return false;
    }
    let Some(start) = NonNull::new(region::at(index as usize * CHUNK)) else { return false };
    let count = chunks_of(size);
    // SAFETY: the block belongs to the caller, who gives it up: its contents are no longer needed.
    if unsafe { vm::reset(start, count as usize * CHUNK) }.is_err() {
        return false;
    }
    head.moved.store(0, Ordering::Relaxed);
    MOVED.fetch_sub(1, Ordering::Relaxed);
    for number in index..index + count {
        let chunk = region::chunk(number);
        let dirty = chunk.dirty_mask();
        chunk.mark_clean(dirty);
        // A fresh mapping has lost the advice; with it, it joins its neighbours.
        if let Some(start) = NonNull::new(region::at(number as usize * CHUNK)) {
            // SAFETY: as above; advice changes no contents.
            let _ = unsafe { vm::advise_huge(start, CHUNK, chunk.huge.load(Ordering::Relaxed) != 0) };
        }
    }
    true
}
