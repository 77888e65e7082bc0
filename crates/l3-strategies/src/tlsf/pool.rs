//! A pool: one range of memory given to TLSF, from its record to its sentinel.
//!
//! ```text
//!   origin.start                                                             origin.end
//!   │ pad │ Pool record │ header ◄────── blocks without gaps ──────► sentinel header │ pad │
//!                         first                                      size 0, used
//! ```

use core::ptr::NonNull;

use stratalloc_resource::{Alignment, MemoryBlock};

use super::block::{Block, GRANULE, HEADER, MIN_BLOCK};

/// The record at the start of a pool.
// Invariant POOL: `origin` begins as the memory that was given; between `first` and `sentinel` lie blocks without gaps, each with
// BLOCK; the sentinel is used and of size 0. Only `next` ever changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    pub(super) next: Option<NonNull<Pool>>,
    pub(super) origin: MemoryBlock,
    pub(super) first: Block,
    pub(super) sentinel: Block,
}

/// What record, sentinel and alignment of both cost at most, beside the block that a pool is for.
pub(super) const OVERHEAD: usize = size_of::<Pool>() + HEADER + 2 * GRANULE;

impl Pool {
    /// Bytes between first header and sentinel.
    #[inline]
    pub(super) fn span(&self) -> usize {
        self.sentinel.address() - self.first.address()
    }

    /// Whether a header may stand at `address`.
    #[inline]
    pub(super) fn contains(&self, address: usize) -> bool {
        address >= self.first.address() && address < self.sentinel.address()
    }

    /// Lays a pool out in `origin`: writes its record, one free block, its sentinel. At most `limit` bytes become the block; what
    /// is behind that is returned, for another pool or for nothing. `None` if there is no room for a block.
    ///
    /// # Safety
    ///
    /// `origin` is valid for reads and writes and the caller's alone, until the pool is given up.
    pub(super) unsafe fn lay_out(origin: MemoryBlock, limit: usize) -> Option<(NonNull<Pool>, MemoryBlock)> {
        let granule = const { Alignment::constant::<GRANULE>() };
        let record_at = Alignment::of::<Pool>().align_up(origin.address())? - origin.address();
        // The first payload is a multiple of GRANULE; its header stands before it.
        let payload_at = origin.address().checked_add(record_at + size_of::<Pool>() + HEADER)?;
        let first_at = granule.align_up(payload_at)? - HEADER - origin.address();
        let room = origin.len().checked_sub(first_at)?.checked_sub(HEADER)?;
        let span = granule.align_down(room).min(limit);
        if span < MIN_BLOCK {
            return None;
        }
        // SAFETY: `first_at` is inside: the room behind it was computed from the length.
        let first = Block::at(unsafe { origin.as_non_null().add(first_at) });
        // SAFETY: `span + HEADER` bytes are behind `first_at`.
        let sentinel = unsafe { first.shifted(span) };
        // SAFETY: a header fits there, and the range is the caller's alone: this function's contract.
        unsafe { sentinel.make_used(0, false) };
        // SAFETY: as above; the sentinel is where it ends.
        unsafe { first.make_free(span) };
        // SAFETY: `record_at < first_at` is inside.
        let record = unsafe { origin.as_non_null().add(record_at) }.cast::<Pool>();
        let rest = origin.split_at(first_at + span + HEADER)?.1;
        // SAFETY: aligned, before `first`, and the caller's alone.
        unsafe { record.write(Pool { next: None, origin, first, sentinel }) };
        Some((record, rest))
    }
}
