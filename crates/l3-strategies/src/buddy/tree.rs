//! Splitting and merging: the algorithm over one range.
//!
//! Invariants: MAP (`map`), LIST (`lists`), KEPT (`kept`), and
//!
//! **TILE** The free and the live blocks cover the range without gaps and without overlap, each aligned to its size.
//! **BUDDIES** No two buddies of the same order below the highest are both free. (Kept blocks are live in the map.)

use core::num::NonZero;
use core::ptr::NonNull;

use stratalloc_resource::MemoryBlock;

use super::kept::Kept;
use super::lists::{Links, Lists};
use super::map::{Map, Place, State};

/// The tree of one range, or of none: then `start == end` and every request is refused.
#[derive(Debug)]
pub(super) struct Tree<const ORDERS: usize, const MIN: usize> {
    pub(super) kept: Kept<ORDERS>,
    pub(super) lists: Lists<ORDERS>,
    pub(super) map: Map<ORDERS>,
    /// The first block; its provenance covers the range.
    pub(super) start: NonNull<u8>,
    pub(super) end: usize,
    /// The order of the largest block that fits the range.
    pub(super) top: usize,
}

impl<const ORDERS: usize, const MIN: usize> Tree<ORDERS, MIN> {
    pub(super) const MIN_LOG2: u32 = {
        assert!(MIN.is_power_of_two(), "MIN is a power of two");
        assert!(MIN >= size_of::<Links>(), "MIN has room for the two links of a free block");
        assert!(ORDERS >= 1, "ORDERS is at least 1");
        let log2 = MIN.trailing_zeros();
        assert!(
            log2 as usize + ORDERS <= usize::BITS as usize,
            "the largest order lies beyond the address space"
        );
        log2
    };

    pub(super) const fn new() -> Self {
        // Evaluated here, so that parameters without sense do not compile.
        let _ = Self::MIN_LOG2;
        let (kept, lists, map) = (Kept::new(), Lists::new(), Map::new());
        Self { kept, lists, map, start: NonNull::dangling(), end: 0, top: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Bytes of all blocks.
    pub(super) fn capacity(&self) -> usize {
        if self.is_empty() { 0 } else { self.end - self.start.addr().get() }
    }

    #[inline(always)]
    pub(super) fn contains(&self, address: usize) -> bool {
        address >= self.start.addr().get() && address < self.end
    }

    #[inline(always)]
    pub(super) const fn size(order: usize) -> usize {
        MIN << order
    }

    /// The order of the blocks that serve `size` bytes at `align`; it may be above the highest.
    #[inline(always)]
    pub(super) const fn order(size: usize, align: usize) -> usize {
        let need = if size > align { size } else { align };
        if need <= MIN { 0 } else { ((need - 1).ilog2() + 1 - Self::MIN_LOG2) as usize }
    }

    /// The place in the map. The shift of a size needs no table: sizes are MIN times a power of two.
    ///
    /// # Safety
    ///
    /// The address is in the range, `order <= top`.
    #[inline(always)]
    pub(super) unsafe fn place(&self, address: usize, order: usize) -> Place {
        #[expect(clippy::cast_possible_truncation, reason = "an order is below the number of bits in a word")]
        let log2 = Self::MIN_LOG2 + order as u32;
        // SAFETY: this function's contract.
        unsafe { self.map.place(address, order, log2) }
    }

    /// The block at an address in the range.
    #[inline(always)]
    pub(super) fn at(&self, address: usize) -> NonNull<Links> {
        debug_assert!(self.contains(address));
        // No address in the range is 0.
        NonZero::new(address).map_or(self.start, |address| self.start.with_addr(address)).cast()
    }

    /// Takes `blocks` as the range and `words` as its map, and makes all of it free.
    ///
    /// # Safety
    ///
    /// `blocks` is aligned to MIN at both ends and not empty; it and the words, as many as `words_for` says, are this tree's alone.
    pub(super) unsafe fn take_over(&mut self, blocks: MemoryBlock, words: NonNull<usize>) {
        let (start, end) = (blocks.address(), blocks.end_address());
        self.start = blocks.as_non_null();
        self.end = end;
        self.top = 0;
        let mut address = start;
        while address < end {
            let order = Self::largest_at(address, end);
            self.top = self.top.max(order);
            address += Self::size(order);
        }
        // SAFETY: this function's contract.
        unsafe { self.map.lay_out(words, (start, end), Self::MIN_LOG2, self.top) };
        while address > start {
            // From the top down, so that the lists begin with the lowest addresses.
            let order = Self::largest_before(start, address);
            address -= Self::size(order);
            // SAFETY: in the range, not above `top`: by symmetry the same blocks as above; in no list yet.
            unsafe { self.release(address, order) };
        }
    }

    /// The order of the largest aligned block that begins at `address` and ends by `end`.
    fn largest_at(address: usize, end: usize) -> usize {
        let most = (end - address).ilog2().min(address.trailing_zeros()) - Self::MIN_LOG2;
        (most as usize).min(ORDERS - 1)
    }

    /// The order of the largest aligned block that ends at `end` and begins no earlier than `start`.
    fn largest_before(start: usize, end: usize) -> usize {
        let most = (end - start).ilog2().min(end.trailing_zeros()) - Self::MIN_LOG2;
        (most as usize).min(ORDERS - 1)
    }

    /// A block of this order: one that is kept, or one split off a larger one if need be; `None` if there is none even when all
    /// that can be merged is.
    #[inline(always)]
    pub(super) fn allocate(&self, order: usize) -> Option<NonNull<u8>> {
        if order >= ORDERS {
            return None;
        }
        match self.kept.pop(order) {
            Some(block) => Some(block.cast()),
            None => self.allocate_slow(order),
        }
    }

    /// None of the order is kept: a free one, or else what merging yields.
    #[inline(never)]
    fn allocate_slow(&self, order: usize) -> Option<NonNull<u8>> {
        match self.allocate_free(order) {
            None if order <= self.top && self.merge_kept() => self.allocate_free(order),
            found => found,
        }
    }

    #[inline(always)]
    fn allocate_free(&self, order: usize) -> Option<NonNull<u8>> {
        let found = self.lists.smallest(order)?;
        let block = self.lists.pop(found)?;
        if found > order {
            self.split(block.addr().get(), found, order);
        }
        // SAFETY: a free block's address, and `order <= found <= top`.
        let place = unsafe { self.place(block.addr().get(), order) };
        // SAFETY: MAP; the block is out of its list and the caller's.
        unsafe { place.set(State::Live) };
        Some(block.cast())
    }

    /// Frees the upper half again and again until the rest at `address` is of `order`.
    fn split(&self, address: usize, found: usize, order: usize) {
        // SAFETY: a free block's address and order: LIST.
        let place = unsafe { self.place(address, found) };
        // SAFETY: MAP; it is split now.
        unsafe { place.set(State::Nothing) };
        self.free_upper_halves(address, found, order);
    }

    /// For a block at `address` that was of order `from` and is to be of order `to`.
    fn free_upper_halves(&self, address: usize, from: usize, to: usize) {
        let mut half = from;
        while half > to {
            half -= 1;
            // SAFETY: in the range, below `top`.
            let place = unsafe { self.place(address, half) };
            // SAFETY: MAP; `address` is aligned to the double of this size, so it is the lower one.
            unsafe { place.free_upper() };
            // SAFETY: the upper half, which nobody uses, just marked as free.
            unsafe { self.lists.push(self.at(address + Self::size(half)), half) };
        }
    }

    /// Takes a live block back: keeps it, or, if enough are kept, frees it.
    ///
    /// # Safety
    ///
    /// The block of `order` at `address` is live, and nobody uses it any more.
    #[inline(always)]
    pub(super) unsafe fn give(&self, address: usize, order: usize) {
        // SAFETY: this function's contract.
        if !unsafe { self.kept.push(self.at(address).cast(), order) } {
            // SAFETY: this function's contract.
            unsafe { self.release(address, order) };
        }
    }

    /// Frees the kept blocks; whether there were any.
    #[cold]
    #[inline(never)]
    pub(super) fn merge_kept(&self) -> bool {
        let any = !self.kept.is_empty();
        for order in 0..=self.top {
            while let Some(block) = self.kept.pop(order) {
                // SAFETY: live in the map, and nobody uses it: KEPT.
                unsafe { self.release(block.addr().get(), order) };
            }
        }
        any
    }

    /// Makes a block free that is in no list and not kept, and merges it with its buddies.
    ///
    /// # Safety
    ///
    /// The block of `order` at `address` lies in the range and nobody uses it; `order <= top`.
    #[inline(never)]
    pub(super) unsafe fn release(&self, mut address: usize, mut order: usize) {
        loop {
            // SAFETY: this function's contract.
            let place = unsafe { self.place(address, order) };
            // SAFETY: MAP.
            if order == self.top || !unsafe { place.buddy_is_free() } {
                // SAFETY: MAP; the block is free from here on.
                unsafe { place.set(State::Free) };
                // SAFETY: free, and in no list.
                unsafe { self.lists.push(self.at(address), order) };
                return;
            }
            // SAFETY: free at this order: in its list (LIST).
            unsafe { self.lists.remove(self.at(address ^ Self::size(order)), order) };
            // SAFETY: MAP; both become part of the block above.
            unsafe { place.clear_pair() };
            address &= !Self::size(order);
            order += 1;
        }
    }

    /// Makes a live block one of another order without moving it; whether that was possible.
    ///
    /// # Safety
    ///
    /// The block of order `from` at `address` is live.
    pub(super) unsafe fn resize(&self, address: usize, from: usize, to: usize) -> bool {
        if to > from && !self.can_grow(address, from, to) {
            return false;
        }
        // SAFETY: a live block's place.
        let place = unsafe { self.place(address, from) };
        // SAFETY: MAP.
        unsafe { place.set(State::Nothing) };
        for order in from..to {
            // SAFETY: a free block, the upper half of the next order: `can_grow`.
            unsafe { self.lists.remove(self.at(address + Self::size(order)), order) };
            // SAFETY: in the range, `order < to <= top`.
            let place = unsafe { self.place(address, order) };
            // SAFETY: MAP; both become part of the block above.
            unsafe { place.clear_pair() };
        }
        self.free_upper_halves(address, from, to);
        // SAFETY: in the range, `to <= top`: it was so for a shrinking block, and `can_grow` saw to it for a growing one.
        let place = unsafe { self.place(address, to) };
        // SAFETY: MAP; the caller's block.
        unsafe { place.set(State::Live) };
        true
    }

    /// Whether the block is the lower half and its buddy free at every order on the way, if need be after merging what is kept.
    fn can_grow(&self, address: usize, from: usize, to: usize) -> bool {
        let buddies_are_free = || {
            (from..to).all(|order| {
                // SAFETY: a live block's address, below `top`.
                let place = unsafe { self.place(address, order) };
                // SAFETY: MAP.
                unsafe { place.buddy_is_free() }
            })
        };
        to <= self.top
            && address.is_multiple_of(Self::size(to))
            && (buddies_are_free() || (self.merge_kept() && buddies_are_free()))
    }

    /// Whether some state of the range could serve `size` bytes at `align`; without a range, whether some range could.
    pub(super) fn can_ever(&self, size: usize, align: usize) -> bool {
        let order = Self::order(size, align);
        if self.is_empty() { order < ORDERS } else { order <= self.top }
    }
}
