//! The free blocks of a [`Pool`](super::Pool): the youngest comes out first, and two loads of links are under way at a time.
//!
//! ```text
//!   first ─► D ─────────► B ─────────► ∅          youngest D, then C, B, A
//!   second ─────► C ─────────► A ─────────► ∅     a link leads to the block after the next
//! ```
//!
//! In a list whose links lead to the next block, each `pop` has to wait for the link that the `pop` before it has loaded; where blocks came back in no
//! order that is a miss of the nearest cache each time. Here the next block is known already, and the link that is loaded is wanted by the
//! `pop` after the next: 1000 blocks of 64 bytes made and ended in no order take 3.2 ns each and not 4.7, at the price of two moves
//! in `push` and `pop` each (`bench/toolkit.sh --cases pool-`).

use core::cell::Cell;
use core::ptr::NonNull;

/// What a free block begins with.
#[derive(Debug)]
pub(super) struct Free {
    pub(super) next: Option<NonNull<Free>>,
}

/// A stack of blocks; see the [module](self).
// Invariant LINKS: `first` and `second` are the youngest two, and the link of each block in the list is the one two after it; `None` where
// there is none.
#[derive(Debug)]
pub(super) struct FreeList {
    first: Cell<Option<NonNull<Free>>>,
    second: Cell<Option<NonNull<Free>>>,
}

impl FreeList {
    pub(super) const fn new() -> Self {
        Self { first: Cell::new(None), second: Cell::new(None) }
    }

    /// Puts a block in front.
    ///
    /// # Safety
    ///
    /// The block is the list's from now on, valid for writes, long and aligned enough for a link.
    #[inline(always)]
    pub(super) unsafe fn push(&self, block: NonNull<Free>) {
        // SAFETY: this function's contract.
        unsafe { block.write(Free { next: self.second.get() }) };
        self.second.set(self.first.get());
        self.first.set(Some(block));
    }

    /// Takes the youngest block out.
    ///
    /// # Safety
    ///
    /// Nobody has written to a block since it was pushed.
    #[inline(always)]
    pub(super) unsafe fn pop(&self) -> Option<NonNull<Free>> {
        let block = self.first.get()?;
        self.first.set(self.second.get());
        // SAFETY: in the list: LINKS, this function's contract.
        self.second.set(unsafe { block.read() }.next);
        Some(block)
    }

    /// All blocks, the youngest first. The link of a block is read when the block after it is asked for, so a caller may look at a block
    /// before it is trusted.
    ///
    /// # Safety
    ///
    /// As for [`pop`](Self::pop).
    pub(super) unsafe fn iter(&self) -> impl Iterator<Item = NonNull<Free>> + '_ {
        let (mut first, mut second) = (self.first.get(), self.second.get());
        let mut shown: Option<NonNull<Free>> = None;
        core::iter::from_fn(move || {
            if let Some(block) = shown {
                first = second;
                // SAFETY: in the list: LINKS, this function's contract.
                second = unsafe { block.read() }.next;
            }
            shown = first;
            first
        })
    }
}
