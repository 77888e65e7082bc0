//! Whether what is handed back is a live block, and what is wrong if not. The map knows each block's place and order exactly.

use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock};

use super::kept::Link;
use super::map::State;
use super::tree::Tree;
use crate::misuse::{self, CHECKED, MisuseKind};

impl<const ORDERS: usize, const MIN: usize> Tree<ORDERS, MIN> {
    /// The order of the live block that is handed back. In builds that check, `None` and a report if there is no such block.
    #[inline(always)]
    pub(super) fn admit(&self, handed: MemoryBlock, align: Alignment) -> Option<usize> {
        if CHECKED && self.check_live(handed, align).is_err() {
            self.denounce(handed);
            return None;
        }
        Some(Self::order(handed.len(), align.bytes()))
    }

    #[cold]
    #[inline(never)]
    fn denounce(&self, handed: MemoryBlock) {
        misuse::report("buddy", self.judge(handed.address()), handed.address());
    }

    /// What is wrong with a release of `handed`.
    pub(super) fn inspect(&self, handed: MemoryBlock, align: Alignment) -> Result<(), MisuseKind> {
        self.check_live(handed, align).map(|_| ()).map_err(|_| self.judge(handed.address()))
    }

    /// The order, or [`AllocError::NotOwned`] unless `handed` is a live block of this size; O(1).
    pub(super) fn check_live(&self, handed: MemoryBlock, align: Alignment) -> Result<usize, AllocError> {
        let (address, order) = (handed.address(), Self::order(handed.len(), align.bytes()));
        if !self.contains(address) || order > self.top || !address.is_multiple_of(Self::size(order)) {
            return Err(AllocError::NotOwned);
        }
        // SAFETY: in the range, `order <= top`.
        let place = unsafe { self.place(address, order) };
        // SAFETY: MAP.
        let live = unsafe { place.state() } == State::Live && !self.is_kept(address, order);
        if live { Ok(order) } else { Err(AllocError::NotOwned) }
    }

    /// Whether the block of `order` at `address` is kept. A caller may have overwritten links, so they are not trusted.
    fn is_kept(&self, address: usize, order: usize) -> bool {
        self.kept_blocks(order).any(|block| block.addr().get() == address)
    }

    /// The kept blocks of an order, up to a link that leads out of the range.
    fn kept_blocks(&self, order: usize) -> impl Iterator<Item = NonNull<Link>> + '_ {
        let (first, len) = self.kept.look(order);
        let inside = |block: &NonNull<Link>| {
            let address = block.addr().get();
            self.contains(address) && address.is_multiple_of(MIN)
        };
        let next = move |block: &NonNull<Link>| {
            // SAFETY: a place of the range that has room for a link, and had one when the block was kept.
            let link = unsafe { block.read() };
            link.next.filter(inside)
        };
        core::iter::successors(first, next).take(len)
    }

    /// What is wrong with a release of `address` that `check_live` refused.
    fn judge(&self, address: usize) -> MisuseKind {
        match self.block_around(address) {
            None => MisuseKind::ForeignBlock,
            Some((_, State::Free)) => MisuseKind::DoubleRelease,
            Some((start, _)) if start == address => MisuseKind::WrongSize,
            Some(_) => MisuseKind::InteriorPointer,
        }
    }

    /// The block that contains `address`, and whether it is free or live; O(orders).
    pub(super) fn block_around(&self, address: usize) -> Option<(usize, State)> {
        if !self.contains(address) {
            return None;
        }
        (0..=self.top).find_map(|order| {
            let start = address & !(Self::size(order) - 1);
            // SAFETY: a place exists for every address of the range, and the block around it has that of its number: MAP.
            let place = unsafe { self.place(address, order) };
            // SAFETY: MAP.
            let state = unsafe { place.state() };
            let state = if state == State::Live && self.is_kept(start, order) { State::Free } else { state };
            (state != State::Nothing).then_some((start, state))
        })
    }
}
