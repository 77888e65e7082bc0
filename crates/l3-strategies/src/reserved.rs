//! A range of addresses, reserved at once and made memory as far as it is needed: what a frame grows in.
//!
//! ```text
//!   │ guard │▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░│ · · · · · · · · · · · · · · · · · │ guard │
//!           ▲            ▲     ▲                                   ▲
//!           start        cursor committed                          end
//!
//!   ▓ blocks   ░ memory for the next ones   · addresses only: any access faults, and nobody counts them   guard: a page, likewise
//! ```
//!
//! Blocks lie one behind the other. A frame over a range ([`Frame::growing`](crate::frame::Frame::growing)) has its chunks next to each
//! other, whatever else the process maps meanwhile; it can grow up to the range's end, costs no memory before, and whoever writes
//! beyond its memory, or before it, is stopped at that instruction.
//!
//! | operation | cost |
//! | --- | --- |
//! | [`new`](ReservedRange::new) | one or two system calls, whatever the length |
//! | allocate | a pointer that moves; a system call per 64 KiB that were not needed before |
//! | deallocate | the youngest block, or the last live one: the cursor goes back; any other: nothing happens |
//! | reallocate | the youngest block, and every shrink: in place; else a copy |
//! | [`collect`](Collect::collect) | one system call: what is committed and not needed goes back to the system |
//!
//! **Decommit on reset.** `frame.reset()` keeps all memory; `frame.collect()` then gives the chunks to the range, and
//! `frame.upstream().collect()` gives their memory to the system. The addresses stay reserved.
//!
//! **Threads:** one at a time; it may be sent.
//!
//! **Use it** as upstream of a frame or a stack that may become large, and for guard pages. **Use something else** where blocks are
//! released in any order: nothing behind the youngest is used again until all are gone.
//!
//! **Source:** arenas by `mmap` and `mprotect`, as Windows' `MEM_RESERVE` and `MEM_COMMIT` made them common.
//!
//! ```
//! use stratalloc_resource::Collect;
//! use stratalloc_strategies::frame::{Frame, Speed};
//! use stratalloc_strategies::reserved::ReservedRange;
//!
//! // A GiB of addresses; memory comes as the frame grows.
//! let mut frame: Frame<'_, Speed, _> = Frame::growing(ReservedRange::new(1 << 30)?);
//! let numbers = frame.try_alloc_slice_fill_copy(100_000, 7_u64)?;
//! assert_eq!(numbers[99_999], 7);
//! assert!(frame.upstream().committed() < 2 << 20);
//!
//! frame.reset();
//! frame.collect();
//! frame.upstream().collect();
//! assert_eq!(frame.upstream().committed(), 0);
//! # Ok::<(), stratalloc_resource::AllocError>(())
//! ```

use core::alloc::Layout;
use core::cell::Cell;
use core::fmt;
use core::ptr::NonNull;

use stratalloc_platform::{page, vm};
use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Reuse,
    ThreadSafety, Validate, Violation, reallocate_by_moving,
};

use crate::misuse::{self, CHECKED, MisuseKind};
use crate::reservation::GuardedReservation;

/// What is committed at once, at least.
const STEP: usize = 64 << 10;

/// Reserved addresses with guard pages; see the [module](self).
// Equations, checked by `validate`:
// RANGE-1  cursor ≤ committed ≤ len
// RANGE-2  live == 0 ⟹ cursor == 0
// Invariant RANGE: of the memory of `reservation` the bytes below `committed` are readable and writable, the others are not. No live block
// reaches beyond `cursor`.
pub struct ReservedRange {
    reservation: GuardedReservation,
    cursor: Cell<usize>,
    committed: Cell<usize>,
    live: Cell<usize>,
}

// SAFETY: the range is this value's alone. (Not `Sync`: cells.)
unsafe impl Send for ReservedRange {}

/// The kind of all ranges.
struct RangeKind;

impl ReservedRange {
    /// Reserves at least `bytes` bytes of addresses, rounded up to pages, and a guard page on each side.
    /// See the [module](self) for an example.
    ///
    /// # Errors
    ///
    /// [`AllocError::OutOfMemory`] if the system refuses, [`AllocError::SizeOverflow`] if no address space is so large.
    pub fn new(bytes: usize) -> Result<Self, AllocError> {
        let page = page::size();
        let len = bytes.max(1).checked_next_multiple_of(page).ok_or(AllocError::SizeOverflow)?;
        if len > isize::MAX.unsigned_abs() - 2 * page {
            return Err(AllocError::SizeOverflow);
        }
        let reservation = GuardedReservation::new(len, page, page).map_err(|_| AllocError::OutOfMemory)?;
        Ok(Self { reservation, cursor: Cell::new(0), committed: Cell::new(0), live: Cell::new(0) })
    }

    /// How many bytes there can be.
    ///
    /// ```
    /// # use stratalloc_strategies::reserved::ReservedRange;
    /// let range = ReservedRange::new(100_000)?;
    /// assert!(range.len() >= 100_000 && range.committed() == 0 && range.is_empty());
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub const fn len(&self) -> usize {
        self.reservation.memory().len()
    }

    fn start(&self) -> NonNull<u8> {
        self.reservation.memory().as_non_null()
    }

    /// Whether no block is live; see [`len`](Self::len).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live.get() == 0
    }

    /// How many bytes are memory now, in use or not; see [`len`](Self::len).
    #[must_use]
    pub const fn committed(&self) -> usize {
        self.committed.get()
    }

    /// Makes sure that there is memory up to `end`.
    #[inline]
    fn reach(&self, end: usize) -> Result<(), AllocError> {
        if end <= self.committed.get() { Ok(()) } else { self.commit(end) }
    }

    #[cold]
    fn commit(&self, end: usize) -> Result<(), AllocError> {
        if end > self.len() {
            return Err(AllocError::CapacityExhausted);
        }
        let from = self.committed.get();
        let to = end.next_multiple_of(STEP.max(page::size())).min(self.len());
        // SAFETY: inside the range: RANGE.
        let fresh = unsafe { self.start().add(from) };
        // SAFETY: whole pages of the reservation.
        unsafe { vm::commit(fresh, to - from) }.map_err(|_| AllocError::OutOfMemory)?;
        self.committed.set(to);
        Ok(())
    }

    /// Where a block begins in the range.
    fn offset(&self, block: MemoryBlock) -> usize {
        block.address().wrapping_sub(self.start().addr().get())
    }

    fn is_youngest(&self, block: MemoryBlock) -> bool {
        self.offset(block).wrapping_add(block.len()) == self.cursor.get()
    }

    /// Whether a block may be handed back; if not, that is reported.
    fn may_return(&self, block: MemoryBlock) -> bool {
        if !CHECKED {
            return true;
        }
        let offset = self.offset(block);
        let wrong = if offset >= self.len() {
            Some(MisuseKind::ForeignBlock)
        } else {
            (offset + block.len() > self.cursor.get()).then_some(MisuseKind::DoubleRelease)
        };
        if let Some(kind) = wrong {
            misuse::report("reserved range", kind, block.address());
        }
        wrong.is_none()
    }
}

// SAFETY:
// * Fit: `allocate` aligns, and commits up to the end of the block before it hands it out;
// * Disjoint: RANGE; Stable: the cursor goes back over the youngest block when it is released, and over all when none is live; memory
//   is decommitted behind the cursor only; blocks lie outside the value;
// * Threads: not `Sync`. Re-entrancy: the system is called, which calls nobody;
// * Errors: values; a block that cannot move stays. Identity: the reservation, which stays until the drop.
unsafe impl MemoryResource for ReservedRange {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let base = self.start().addr().get();
        let address = (base + self.cursor.get()).checked_next_multiple_of(layout.align());
        let start = address.ok_or(AllocError::SizeOverflow)? - base;
        // One byte for nothing, so that the block is known to be the range's.
        let end = start.checked_add(layout.size().max(1)).ok_or(AllocError::SizeOverflow)?;
        self.reach(end)?;
        self.cursor.set(end);
        self.live.set(self.live.get() + 1);
        // SAFETY: inside the range: `reach`.
        Ok(MemoryBlock::new(unsafe { self.start().add(start) }, end - start))
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _: Alignment) {
        if !self.may_return(block) {
            return;
        }
        self.live.set(self.live.get() - 1);
        if self.live.get() == 0 {
            self.cursor.set(0);
        } else if self.is_youngest(block) {
            self.cursor.set(self.offset(block));
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        if !self.may_return(block) {
            return Err(AllocError::NotOwned);
        }
        let new_len = new_size.max(1);
        if self.is_youngest(block) {
            let end = self.offset(block).checked_add(new_len).ok_or(AllocError::SizeOverflow)?;
            self.reach(end)?;
            self.cursor.set(end);
            return Ok(MemoryBlock::new(block.as_non_null(), new_len));
        }
        if new_len <= block.len() {
            return Ok(block);
        }
        // SAFETY: this function's contract.
        unsafe { reallocate_by_moving(self, block, new_size, align) }
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<RangeKind>(self.start().addr().get())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("reserved range", ThreadSafety::Confined)
            .with_reuse(Reuse::AllTogether)
            .with_capacity(self.len())
    }
}

// SAFETY: live blocks have at least one byte below the cursor, and nobody else's lie there; only addresses are compared.
unsafe impl Owns for ReservedRange {
    fn owns(&self, ptr: *const u8) -> bool {
        ptr.addr().wrapping_sub(self.start().addr().get()) < self.cursor.get()
    }
}

impl Collect for ReservedRange {
    /// Gives the memory behind the youngest block to the system; the addresses stay.
    fn collect(&self) -> usize {
        let from = self.cursor.get().next_multiple_of(page::size());
        let surplus = self.committed.get().saturating_sub(from);
        if surplus == 0 {
            return 0;
        }
        // SAFETY: inside the range, or its end: RANGE.
        let start = unsafe { self.start().add(from) };
        // SAFETY: whole pages of the reservation, and no block reaches there: RANGE.
        match unsafe { vm::decommit(start, surplus) } {
            Ok(()) => {
                self.committed.set(from);
                surplus
            }
            Err(_) => 0,
        }
    }
}

impl Validate for ReservedRange {
    fn validate(&self) -> Result<(), Violation> {
        let (cursor, committed, live) = (self.cursor.get(), self.committed.get(), self.live.get());
        if cursor > committed || committed > self.len() {
            let terms = &["cursor", "committed", "len"];
            return Err(Violation::new(
                "RANGE-1",
                "cursor <= committed <= len",
                terms,
                &[cursor, committed, self.len()],
            ));
        }
        if live == 0 && cursor != 0 {
            return Err(Violation::new("RANGE-2", "live == 0 => cursor == 0", &["cursor"], &[cursor]));
        }
        Ok(())
    }
}

impl fmt::Debug for ReservedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReservedRange")
            .field("len", &self.len())
            .field("committed", &self.committed.get())
            .field("live", &self.live.get())
            .finish_non_exhaustive()
    }
}
