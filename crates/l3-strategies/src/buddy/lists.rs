//! The free lists: one per order, linked through the free blocks, and a word that tells which are not empty.
//!
//! ```text
//!   filled   …0 1 0 0 1     bit o ⟺ list o is not empty
//!   heads[0] ──► │next│prev│ … │ ◄──► │next│prev│ … │
//!   heads[3] ──► │next│prev│ …………………………… │
//! ```

use core::cell::Cell;
use core::ptr::NonNull;

/// The first bytes of a free block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    pub(super) next: Option<NonNull<Links>>,
    pub(super) previous: Option<NonNull<Links>>,
}

#[derive(Debug)]
pub(super) struct Lists<const ORDERS: usize> {
    filled: Cell<usize>,
    // Invariant LIST: list o holds exactly the blocks that the map calls free at order o, each linked both ways.
    heads: [Cell<Option<NonNull<Links>>>; ORDERS],
}

impl<const ORDERS: usize> Lists<ORDERS> {
    pub(super) const fn new() -> Self {
        Self { filled: Cell::new(0), heads: [const { Cell::new(None) }; ORDERS] }
    }

    #[inline(always)]
    fn head(&self, order: usize) -> &Cell<Option<NonNull<Links>>> {
        debug_assert!(order < ORDERS);
        // SAFETY: orders come from requests that were compared with the highest, or from bits of `filled` (LIST).
        unsafe { self.heads.get_unchecked(order) }
    }

    /// The smallest order from `order` on with a free block.
    #[inline(always)]
    pub(super) fn smallest(&self, order: usize) -> Option<usize> {
        let filled = self.filled.get() >> order;
        if filled == 0 { None } else { Some(order + filled.trailing_zeros() as usize) }
    }

    /// The largest order with a free block.
    pub(super) fn largest(&self) -> Option<usize> {
        self.filled.get().checked_ilog2().map(|order| order as usize)
    }

    /// # Safety
    ///
    /// A free block of `order` that is in no list.
    #[inline(always)]
    pub(super) unsafe fn push(&self, block: NonNull<Links>, order: usize) {
        let head = self.head(order);
        let next = head.replace(Some(block));
        // SAFETY: free, hence ours, and at least two words long.
        unsafe { block.write(Links { next, previous: None }) };
        if let Some(next) = next {
            // SAFETY: in this list: LIST.
            unsafe { (*next.as_ptr()).previous = Some(block) };
        }
        self.filled.set(self.filled.get() | 1 << order);
    }

    /// # Safety
    ///
    /// `block` is in the list of `order`.
    #[inline(always)]
    pub(super) unsafe fn remove(&self, block: NonNull<Links>, order: usize) {
        // SAFETY: in a list: LIST.
        let Links { next, previous } = unsafe { block.read() };
        if let Some(next) = next {
            // SAFETY: in this list: LIST.
            unsafe { (*next.as_ptr()).previous = previous };
        }
        match previous {
            // SAFETY: in this list: LIST.
            Some(previous) => unsafe { (*previous.as_ptr()).next = next },
            None => self.set_head(order, next),
        }
    }

    /// Takes the block in front of a list that is not empty.
    #[inline(always)]
    pub(super) fn pop(&self, order: usize) -> Option<NonNull<Links>> {
        let block = self.head(order).get()?;
        // SAFETY: in a list: LIST.
        let Links { next, .. } = unsafe { block.read() };
        if let Some(next) = next {
            // SAFETY: in this list: LIST.
            unsafe { (*next.as_ptr()).previous = None };
        }
        self.set_head(order, next);
        Some(block)
    }

    #[inline(always)]
    fn set_head(&self, order: usize, head: Option<NonNull<Links>>) {
        self.head(order).set(head);
        if head.is_none() {
            self.filled.set(self.filled.get() & !(1 << order));
        }
    }

    /// The head of a list, and whether the word calls it filled.
    pub(super) fn look(&self, order: usize) -> (Option<NonNull<Links>>, bool) {
        (self.head(order).get(), self.filled.get() & 1 << order != 0)
    }
}
