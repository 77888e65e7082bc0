//! The algorithm: what [`Tlsf`](super::Tlsf) and [`GrowingTlsf`](super::GrowingTlsf) share.
//!
//! Invariants: BLOCK (`block`), BINS (`bins`), POOL (`pool`), and
//!
//! **MERGED** No two neighbouring blocks are both free.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;

use stratalloc_resource::{MemoryBlock, ResourceId};

use super::bins::Bins;
use super::block::{Block, GRANULE, HEADER, MIN_BLOCK, block_size};
use super::pool::Pool;
use crate::misuse::CHECKED;

/// The kind of both types' identities.
struct TlsfKind;

#[derive(Debug)]
pub(super) struct Core<const FLI: usize, const SLI: usize> {
    pub(super) bins: Bins<FLI, SLI>,
    /// The pools, youngest first (POOL).
    pub(super) pools: Cell<Option<NonNull<Pool>>>,
    /// Where the first block of the oldest pool begins, which names the resource; 0 without a pool.
    name: Cell<usize>,
}

impl<const FLI: usize, const SLI: usize> Core<FLI, SLI> {
    /// The largest block.
    pub(super) const MAX_BLOCK: usize = Bins::<FLI, SLI>::LIMIT - GRANULE;

    pub(super) const fn new() -> Self {
        Self { bins: Bins::new(), pools: Cell::new(None), name: Cell::new(0) }
    }

    /// Makes one or more pools of `memory`; returns how many bytes can be handed out of it.
    ///
    /// # Safety
    ///
    /// `memory` is valid for reads and writes and this structure's alone, until the pools are taken out again or this is dropped.
    pub(super) unsafe fn add(&self, memory: MemoryBlock) -> usize {
        let (mut gained, mut rest) = (0, memory);
        // SAFETY: this function's contract; `rest` is a part that no pool has yet.
        while let Some((room, behind)) = unsafe { self.add_one(rest) } {
            gained += room;
            rest = behind;
        }
        gained
    }

    /// Makes one pool at the start of `memory`; how many bytes it can hand out, and what is left behind it.
    ///
    /// # Safety
    ///
    /// As for [`add`](Self::add).
    pub(super) unsafe fn add_one(&self, memory: MemoryBlock) -> Option<(usize, MemoryBlock)> {
        // SAFETY: this function's contract.
        let (record, rest) = unsafe { Pool::lay_out(memory, Self::MAX_BLOCK) }?;
        // SAFETY: written just now.
        let mut pool = unsafe { record.read() };
        pool.next = self.pools.get();
        // SAFETY: the record is ours.
        unsafe { record.write(pool) };
        self.pools.set(Some(record));
        if pool.next.is_none() {
            self.name.set(pool.first.address());
        }
        // SAFETY: `lay_out` made it a free block of this size, and it is in no list.
        unsafe { self.bins.insert(pool.first, pool.span()) };
        Some((pool.span() - HEADER, rest))
    }

    /// What both types are told apart by: no two pools begin at one address.
    pub(super) fn identity(&self) -> ResourceId {
        ResourceId::new::<TlsfKind>(self.name.get())
    }

    /// A copy of each pool's record.
    pub(super) fn pools(&self) -> impl Iterator<Item = Pool> + '_ {
        let mut next = self.pools.get();
        core::iter::from_fn(move || {
            let record = next?;
            // SAFETY: records in the list are initialised and stay until the pool is taken out (POOL).
            let pool = unsafe { record.read() };
            next = pool.next;
            Some(pool)
        })
    }

    /// The bytes that a block must have for `size` bytes, and with room to place them at `align`.
    #[inline(always)]
    fn sizes(size: usize, align: usize) -> Option<(usize, usize)> {
        let size = block_size(size)?;
        // A gap before an aligned payload is 0 or a block of its own, so it may take `align` and a granule more.
        let gap = if align <= GRANULE { 0 } else { align + GRANULE };
        let search = size.checked_add(gap)?;
        (search <= Self::MAX_BLOCK).then_some((size, search))
    }

    /// Whether some state of some pools could serve `size` bytes at `align`.
    pub(super) fn can_ever(size: usize, align: usize) -> bool {
        Self::sizes(size, align).is_some()
    }

    /// A block for `layout`, or `None` if no free block is large enough.
    #[inline]
    pub(super) fn allocate(&self, layout: Layout) -> Option<MemoryBlock> {
        let (size, search) = Self::sizes(layout.size(), layout.align())?;
        let (block, found, bin) = self.bins.find(search)?;
        if layout.align() > GRANULE {
            // SAFETY: found in the bins just now; its size leaves room for the gap: `sizes`.
            return Some(unsafe { self.allocate_aligned((block, found), size, layout.align()) });
        }
        let kept = if found - size >= MIN_BLOCK { size } else { found };
        // SAFETY: inside the block, or where it ends.
        let rest = unsafe { block.shifted(kept) };
        if kept == found {
            // SAFETY: in front of this list: `find`.
            unsafe { self.bins.pop(bin, block) };
            // SAFETY: the next block: BLOCK.
            unsafe { rest.set_previous_free(false) };
        } else {
            // SAFETY: the end of the block, at least MIN_BLOCK long; the block behind it knows that what is before it is free.
            unsafe { rest.make_free_as_before(found - kept) };
            // SAFETY: in front of this list: `find`; the rest was made free just now.
            unsafe { self.bins.replace_first(bin, block, (rest, found - kept)) };
        }
        // SAFETY: out of its list, ours; a block begins where it ends. What lies before it is used: MERGED.
        unsafe { block.make_used(kept, false) };
        // SAFETY: BLOCK.
        Some(MemoryBlock::new(unsafe { block.payload() }, kept - HEADER))
    }

    /// Goes on for an alignment that is more than a granule.
    ///
    /// # Safety
    ///
    /// The block is in its list, `found` long, and at least `align + GRANULE` longer than `size`.
    #[cold]
    unsafe fn allocate_aligned(
        &self,
        (block, found): (Block, usize),
        size: usize,
        align: usize,
    ) -> MemoryBlock {
        // SAFETY: in its list: this function's contract.
        unsafe { self.bins.remove(block, found) };
        // SAFETY: in no list any more; long enough: this function's contract.
        let (block, found) = unsafe { self.cut_gap(block, found, align) };
        // SAFETY: the block is ours, and `size <= found`: `cut_gap` leaves `size`.
        unsafe { self.occupy(block, found, size) }
    }

    /// Frees what lies before the first aligned payload in a free block that is in no list.
    ///
    /// # Safety
    ///
    /// The block is free, `found` long, in no list, and at least `align + GRANULE` longer than the caller needs.
    unsafe fn cut_gap(&self, block: Block, found: usize, align: usize) -> (Block, usize) {
        let payload = block.address() + HEADER;
        // Both are multiples of GRANULE; the sum stays in the block: this function's contract.
        let mut gap = ((payload + align - 1) & !(align - 1)) - payload;
        if gap == 0 {
            return (block, found);
        }
        if gap < MIN_BLOCK {
            gap += align;
        }
        // SAFETY: inside the block.
        let rest = unsafe { block.shifted(gap) };
        // SAFETY: the rest of the free range, written first so that `make_free` finds a header behind the gap.
        unsafe { rest.make_used(found - gap, false) };
        // SAFETY: at least MIN_BLOCK long, ours, and a block begins behind it.
        unsafe { block.make_free(gap) };
        // SAFETY: made free just now, in no list.
        unsafe { self.bins.insert(block, gap) };
        (rest, found - gap)
    }

    /// Turns a block that is in no list into a used one of `size` bytes, and frees what is behind that, if it is worth it.
    ///
    /// # Safety
    ///
    /// The block is ours, in no list, `found >= size` long; the block behind it is used (MERGED).
    #[inline(always)]
    unsafe fn occupy(&self, block: Block, found: usize, size: usize) -> MemoryBlock {
        // Behind a gap that `cut_gap` made the flag is set, elsewhere it is clear.
        // SAFETY: BLOCK.
        let previous_free = unsafe { block.previous_is_free() };
        let kept = if found - size >= MIN_BLOCK { size } else { found };
        // SAFETY: ours; a block begins or is written next where it ends.
        unsafe { block.make_used(kept, previous_free) };
        // SAFETY: inside the range, or the next block.
        let rest = unsafe { block.shifted(kept) };
        if kept == found {
            // SAFETY: the next block: BLOCK.
            unsafe { rest.set_previous_free(false) };
        } else {
            // SAFETY: ours, at least MIN_BLOCK long, a block begins behind it.
            unsafe { rest.make_free(found - kept) };
            // SAFETY: made free just now, in no list.
            unsafe { self.bins.insert(rest, found - kept) };
        }
        // SAFETY: BLOCK.
        let payload = unsafe { block.payload() };
        MemoryBlock::new(payload, kept - HEADER)
    }

    /// Takes a used block back and merges it with free neighbours.
    ///
    /// # Safety
    ///
    /// `payload` is the start of a live block, which nobody uses any more.
    #[inline]
    pub(super) unsafe fn deallocate(&self, payload: NonNull<u8>) {
        // SAFETY: a live block's payload.
        let mut block = unsafe { Block::of_payload(payload) };
        // SAFETY: BLOCK.
        let mut size = unsafe { block.size() };
        if CHECKED {
            // Its header may end up inside the merged block, where a second release shall not take it for a live one.
            // SAFETY: BLOCK.
            unsafe { block.mark_free() };
        }
        // SAFETY: BLOCK, and a used block that is not the sentinel.
        let next = unsafe { block.next() };
        // SAFETY: BLOCK.
        let (behind, next_is_free) = unsafe { next.state() };
        // SAFETY: BLOCK.
        if unsafe { block.previous_is_free() } {
            // SAFETY: checked just now.
            let before = unsafe { block.previous_footer() };
            // SAFETY: as above.
            block = unsafe { block.previous() };
            size += before;
            if next_is_free {
                // SAFETY: free, hence in the bins: BINS.
                unsafe { self.bins.remove(next, behind) };
                size += behind;
            }
            // SAFETY: free, so in the bins (BINS), with the size that its footer told; it only grows.
            unsafe { self.bins.replace((block, before), (block, size)) };
        } else if next_is_free {
            size += behind;
            // SAFETY: free, hence in the bins: BINS; the other is in no list, and its links are ours to write.
            unsafe { self.bins.replace((next, behind), (block, size)) };
        } else {
            // SAFETY: in no list.
            unsafe { self.bins.insert(block, size) };
        }
        // SAFETY: the merged range is ours; MERGED: the block before is used, and the next one too.
        unsafe { block.make_free(size) };
    }

    /// Takes the block behind `block` out of the bins if it is free; its size, or 0.
    ///
    /// # Safety
    ///
    /// BLOCK; `block` is not the sentinel.
    #[inline(always)]
    unsafe fn detach_next(&self, block: Block) -> usize {
        // SAFETY: this function's contract.
        let next = unsafe { block.next() };
        // SAFETY: BLOCK.
        let (size, free) = unsafe { next.state() };
        if !free {
            return 0;
        }
        // SAFETY: free, hence in the bins: BINS.
        unsafe { self.bins.remove(next, size) };
        size
    }

    /// Changes the size of a live block without moving it; `None` if the block behind is not free or too small.
    ///
    /// # Safety
    ///
    /// `payload` is the start of a live block.
    pub(super) unsafe fn resize(&self, payload: NonNull<u8>, new_size: usize) -> Option<MemoryBlock> {
        let wanted = block_size(new_size).filter(|&size| size <= Self::MAX_BLOCK)?;
        // SAFETY: a live block's payload.
        let block = unsafe { Block::of_payload(payload) };
        // SAFETY: BLOCK.
        let old = unsafe { block.size() };
        if wanted > old {
            // SAFETY: BLOCK, not the sentinel.
            let next = unsafe { block.next() };
            // SAFETY: BLOCK.
            let (size, free) = unsafe { next.state() };
            if old + if free { size } else { 0 } < wanted {
                return None;
            }
        } else if old - wanted < MIN_BLOCK {
            return Some(MemoryBlock::new(payload, old - HEADER));
        }
        // SAFETY: BLOCK, not the sentinel.
        let found = old + unsafe { self.detach_next(block) };
        // SAFETY: the range is ours, `wanted <= found`, and behind it is a used block (MERGED).
        Some(unsafe { self.occupy(block, found, wanted) })
    }
}
