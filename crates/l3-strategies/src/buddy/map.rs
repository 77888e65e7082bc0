//! The map: two bits for every place where a block may lie, at every order.
//!
//! ```text
//!   order 2   │      00       │      01       │        00 no block of this order begins here: split, or part of a larger one
//!   order 1   │  00   │  10   │  00   │  00   │        01 a free block
//!   order 0   │01 │10 │00 │00 │00 │00 │00 │00 │        10 a live block
//!             ◄─ pair ─►  four bits in one word: a block and its buddy are read and written together
//!
//!   words     │ order 0 …………………… │ order 1 ………… │ order 2 …… │ …
//!   place of (address, order) = (address >> log2 of the order's size) + shift[order], wrapping
//! ```
//!
//! Places are numbered by absolute addresses, so buddies differ in the lowest bit of their number, and blocks are aligned to their
//! size whatever the range.

use core::ptr::NonNull;

/// What begins at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Nothing,
    Free,
    Live,
}

const FREE: usize = 0b01;
const LIVE: usize = 0b10;
const MASK: usize = 0b11;
const BITS: usize = 2;
/// Places in one word.
const PLACES: usize = usize::BITS as usize / BITS;

/// A word of the map and the two bits of one place in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    word: NonNull<usize>,
    at: usize,
}

/// The map of one range; without a range it has no words and no place.
#[derive(Debug)]
pub(super) struct Map<const ORDERS: usize> {
    // Invariant MAP: `words` has a place for every address of the range at every order up to the highest one in use, and for the
    // buddy of each; `shift` numbers them so that no two coincide and buddies share a word.
    words: NonNull<usize>,
    len: usize,
    shift: [usize; ORDERS],
}

/// The numbers of the places at one order: from the first to behind the last, both even, so that pairs are whole.
fn places(start: usize, end: usize, log2: u32) -> (usize, usize) {
    ((start >> log2) & !1, ((end - 1) >> log2 | 1) + 1)
}

/// Words for any range of `len` bytes with blocks of `min_log2` and up, wherever it lies.
pub(super) const fn words_for(len: usize, min_log2: u32, orders: usize) -> usize {
    let (mut total, mut log2, mut order) = (0, min_log2, 0);
    while order < orders && (len >> log2) > 0 {
        // Cutting both ends off-grid adds a place, rounding to pairs two.
        total += (len >> log2) + 4;
        log2 += 1;
        order += 1;
    }
    total.div_ceil(PLACES)
}

impl<const ORDERS: usize> Map<ORDERS> {
    pub(super) const fn new() -> Self {
        Self { words: NonNull::dangling(), len: 0, shift: [0; ORDERS] }
    }

    /// Lays the map of `start .. end` out, for the orders up to `top`, all places empty.
    ///
    /// # Safety
    ///
    /// `words` points to `words_for(end - start, …)` words that are this map's alone as long as it is used.
    pub(super) unsafe fn lay_out(
        &mut self,
        words: NonNull<usize>,
        (start, end): (usize, usize),
        min_log2: u32,
        top: usize,
    ) {
        let mut total = 0_usize;
        for (shift, log2) in self.shift.iter_mut().zip(min_log2..).take(top + 1) {
            let (first, behind) = places(start, end, log2);
            *shift = total.wrapping_sub(first);
            total += behind - first;
        }
        self.words = words;
        self.len = total.div_ceil(PLACES);
        for index in 0..self.len {
            // SAFETY: inside: `words_for` counts at least as many places.
            let word = unsafe { words.add(index) };
            // SAFETY: ours: this function's contract.
            unsafe { word.write(0) };
        }
    }

    /// How many places hold a block, free or live; O(words).
    pub(super) fn count(&self) -> usize {
        let ones = |index| {
            // SAFETY: `len` words: MAP.
            let word = unsafe { self.words.add(index) };
            // SAFETY: written by `lay_out`.
            unsafe { word.read() }.count_ones() as usize
        };
        // Each state but `Nothing` has one bit.
        (0..self.len).map(ones).sum()
    }

    /// The place of the block of `order` at `address`, whose size is `1 << log2`.
    ///
    /// # Safety
    ///
    /// The address is in the range, the order not above the highest in use (MAP).
    #[inline(always)]
    pub(super) unsafe fn place(&self, address: usize, order: usize, log2: u32) -> Place {
        // SAFETY: below ORDERS: this function's contract.
        let shift = unsafe { self.shift.get_unchecked(order) };
        let number = (address >> log2).wrapping_add(*shift);
        // SAFETY: MAP.
        let word = unsafe { self.words.add(number / PLACES) };
        Place { word, at: number % PLACES * BITS }
    }
}

impl Place {
    /// # Safety
    ///
    /// As for [`Map::place`], which made it, as for all methods below.
    #[inline(always)]
    unsafe fn read(self) -> usize {
        // SAFETY: a word of the map, written by `lay_out` at first: MAP.
        unsafe { self.word.read() }
    }

    /// # Safety
    ///
    /// MAP.
    #[inline(always)]
    unsafe fn replace(self, mask: usize, bits: usize) {
        // SAFETY: MAP.
        let word = unsafe { self.read() };
        // SAFETY: a word of the map, which is ours: MAP.
        unsafe { self.word.write(word & !mask | bits) };
    }

    /// # Safety
    ///
    /// MAP.
    #[inline(always)]
    pub(super) unsafe fn state(self) -> State {
        // SAFETY: MAP.
        match (unsafe { self.read() } >> self.at) & MASK {
            FREE => State::Free,
            LIVE => State::Live,
            _ => State::Nothing,
        }
    }

    /// # Safety
    ///
    /// MAP.
    #[inline(always)]
    pub(super) unsafe fn buddy_is_free(self) -> bool {
        // SAFETY: MAP; buddies share a word.
        (unsafe { self.read() } >> (self.at ^ BITS)) & MASK == FREE
    }

    /// # Safety
    ///
    /// MAP; what becomes of the bytes is the caller's business.
    #[inline(always)]
    pub(super) unsafe fn set(self, state: State) {
        let bits = match state {
            State::Nothing => 0,
            State::Free => FREE,
            State::Live => LIVE,
        };
        // SAFETY: MAP.
        unsafe { self.replace(MASK << self.at, bits << self.at) };
    }

    /// This place and its buddy's hold nothing any more.
    ///
    /// # Safety
    ///
    /// As for [`set`](Self::set).
    #[inline(always)]
    pub(super) unsafe fn clear_pair(self) {
        // SAFETY: MAP; buddies share a word.
        unsafe { self.replace((MASK | MASK << BITS) << (self.at & !BITS), 0) };
    }

    /// Nothing here, a free block at the buddy's place, the upper one.
    ///
    /// # Safety
    ///
    /// As for [`set`](Self::set); this is the lower of the two.
    #[inline(always)]
    pub(super) unsafe fn free_upper(self) {
        debug_assert!(self.at & BITS == 0);
        // SAFETY: MAP; buddies share a word.
        unsafe { self.replace((MASK | MASK << BITS) << self.at, FREE << BITS << self.at) };
    }
}
