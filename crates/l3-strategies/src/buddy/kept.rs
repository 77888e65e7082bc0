//! Released blocks that wait to be merged: a few of each order, handed out again before anything is split.
//!
//! ```text
//!   stacks[o] ──► │next│ … │ ──► │next│ … │       at most KEPT; linked through themselves; live in the map, in nobody's hands
//! ```
//!
//! Most blocks that come back are wanted again soon; to merge them at once is to split them again then. The map goes on calling
//! a kept block live, so neither keeping it nor handing it out looks at the map.

use core::cell::Cell;
use core::ptr::NonNull;

/// So many blocks of an order wait at most.
pub(super) const KEPT: usize = 16;

/// The first bytes of a kept block. One word, written and read as one: a store of two words is slow to load one from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) next: Option<NonNull<Link>>,
}

#[derive(Debug)]
pub(super) struct Kept<const ORDERS: usize> {
    // Invariant KEPT: stack o holds `len` blocks that the map calls live at order o and that nobody uses, each once.
    stacks: [Stack; ORDERS],
}

#[derive(Debug)]
struct Stack {
    first: Cell<Option<NonNull<Link>>>,
    len: Cell<usize>,
}

impl<const ORDERS: usize> Kept<ORDERS> {
    pub(super) const fn new() -> Self {
        Self { stacks: [const { Stack { first: Cell::new(None), len: Cell::new(0) } }; ORDERS] }
    }

    #[inline(always)]
    fn stack(&self, order: usize) -> &Stack {
        debug_assert!(order < ORDERS);
        // SAFETY: orders come from requests that were compared with the highest, or from blocks.
        unsafe { self.stacks.get_unchecked(order) }
    }

    /// Keeps a block, unless as many as may be are kept; whether it did.
    ///
    /// # Safety
    ///
    /// A block that the map calls live at `order`, and that nobody uses.
    #[inline(always)]
    pub(super) unsafe fn push(&self, block: NonNull<Link>, order: usize) -> bool {
        let stack = self.stack(order);
        let len = stack.len.get();
        if len == KEPT {
            return false;
        }
        stack.len.set(len + 1);
        let next = stack.first.replace(Some(block));
        // SAFETY: ours, and at least two words long.
        unsafe { block.write(Link { next }) };
        true
    }

    /// The block of this order that was kept last.
    #[inline(always)]
    pub(super) fn pop(&self, order: usize) -> Option<NonNull<Link>> {
        let stack = self.stack(order);
        let block = stack.first.get()?;
        // SAFETY: kept: KEPT.
        let Link { next } = unsafe { block.read() };
        stack.first.set(next);
        stack.len.set(stack.len.get() - 1);
        Some(block)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stacks.iter().all(|stack| stack.first.get().is_none())
    }

    /// The last kept block of an order, and how many there are.
    pub(super) fn look(&self, order: usize) -> (Option<NonNull<Link>>, usize) {
        let stack = self.stack(order);
        (stack.first.get(), stack.len.get())
    }
}
