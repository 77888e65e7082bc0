//! The bins: one list of free blocks per size range, and two levels of bitmaps that say which lists are not empty.
//!
//! ```text
//!                         SLI columns: each power of two in equal parts
//!   rows                 ┌─────┬─────┬─────┬─────┐
//!   0  below GRANULE·SLI │ 0·G │ 1·G │ 2·G │ 3·G │  linear: one bin per granule, so each holds one size
//!   1  from  GRANULE·SLI │ 4·G │ 5·G │ 6·G │ 7·G │
//!   2  from 2·GRANULE·SLI│ 8·G │10·G │12·G │14·G │  (here SLI = 4)
//!   ⋮                    └─────┴──┬──┴─────┴─────┘
//!   FLI − 1                       └──► free block ◄──► free block ◄──► …
//!
//!   rows: bit r ⟺ columns[r] ≠ 0        columns[r]: bit c ⟺ list (r, c) is not empty
//! ```
//!
//! A request is rounded up to the start of the next bin, so whatever block the bitmaps point to is large enough: two
//! `trailing_zeros`, no search. What rounding skips is at most one `SLI`-th of the size.

use core::cell::Cell;

use super::block::{Block, GRANULE};

/// How many blocks of a request's own bin are looked at before it is refused: a constant, so still O(1).
const SECOND_LOOKS: usize = 8;

/// A bin that exists: `row · SLI + column`, below `FLI · SLI`, made by [`Bins::of`] and [`Bins::search`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bin(usize);

#[derive(Debug)]
pub(super) struct Bins<const FLI: usize, const SLI: usize> {
    rows: Cell<usize>,
    columns: [Cell<usize>; FLI],
    // Invariant BINS: every block in list (r, c) is free, has BLOCK, and `of(size) == (r, c)`; every free block is in a
    // list; the bitmaps are as the picture says.
    heads: [[Cell<Option<Block>>; SLI]; FLI],
    // Where the link back of the block goes that a list does not have: see `link_back`.
    nowhere: Cell<Option<Block>>,
}

impl<const FLI: usize, const SLI: usize> Bins<FLI, SLI> {
    const SLI_LOG2: u32 = SLI.trailing_zeros();
    /// Sizes from here on are in rows above 0.
    const LINEAR: usize = {
        assert!(SLI.is_power_of_two() && SLI >= 2, "SLI is a power of two from 2 to the bits of a word");
        assert!(SLI <= usize::BITS as usize, "SLI is a power of two from 2 to the bits of a word");
        GRANULE * SLI
    };
    /// The first size that no bin takes.
    pub(super) const LIMIT: usize = {
        assert!(FLI >= 1, "FLI is at least 1");
        assert!(
            Self::LINEAR.trailing_zeros() as usize + FLI <= usize::BITS as usize,
            "FLI is so large that the upper rows lie beyond the address space"
        );
        Self::LINEAR << (FLI - 1)
    };

    pub(super) const fn new() -> Self {
        // Evaluated here, so that parameters without sense do not compile.
        let _ = Self::LIMIT;
        Self {
            rows: Cell::new(0),
            columns: [const { Cell::new(0) }; FLI],
            heads: [const { [const { Cell::new(None) }; SLI] }; FLI],
            nowhere: Cell::new(None),
        }
    }

    /// How many bits of a normalised size (see [`number`](Self::number)) lie below those that tell the column.
    const FRACTION: u32 = usize::BITS - 2 - Self::SLI_LOG2;

    /// Leading zeros of a size below LIMIT; sizes of row 0 count as if they were in row 1, where bins lie as far apart. At least 1.
    #[inline(always)]
    const fn leading_zeros(size: usize) -> u32 {
        (size | Self::LINEAR).leading_zeros()
    }

    /// The number of the bin of a size with `zeros`, whose bits were moved up until the topmost one that may be set is the second.
    ///
    /// Its upper bits are then a number from SLI to 2 · SLI − 1 in the rows above 0, and below SLI in row 0; a row has one leading zero
    /// less than the row below. So there is no branch, which sizes would teach nothing. A normalised size that was rounded up may have
    /// the number 2 · SLI, and thus the first bin of the next row.
    #[inline(always)]
    const fn number(normalised: usize, zeros: u32) -> usize {
        // That of row 1, in which SLI is the first number.
        let most = Self::LINEAR.leading_zeros();
        (((most - zeros) as usize) << Self::SLI_LOG2) + (normalised >> Self::FRACTION)
    }

    /// The bin for blocks of `size`, a multiple of GRANULE below LIMIT.
    #[inline(always)]
    pub(super) fn of(size: usize) -> Bin {
        debug_assert!(size < Self::LIMIT);
        let zeros = Self::leading_zeros(size);
        Bin(Self::number((size << zeros) >> 1, zeros))
    }

    #[inline(always)]
    fn head(&self, bin: Bin) -> &Cell<Option<Block>> {
        // SAFETY: below `FLI * SLI`: `Bin`.
        unsafe { self.heads.as_flattened().get_unchecked(bin.0) }
    }

    #[inline(always)]
    fn columns_of(&self, row: usize) -> &Cell<usize> {
        debug_assert!(row < FLI);
        // SAFETY: callers have the row from a `Bin` or from a set bit of `rows`, which has FLI bits (BINS).
        unsafe { self.columns.get_unchecked(row) }
    }

    /// Sets the link from the second block of a list back to its new first one, if there is a second. Whether there is one is a matter of
    /// chance; a store that goes nowhere costs less than a branch that is mispredicted every third time.
    ///
    /// # Safety
    ///
    /// `second` is in a list.
    #[inline(always)]
    unsafe fn link_back(&self, second: Option<Block>, first: Option<Block>) {
        let nowhere = self.nowhere.as_ptr();
        // SAFETY: in a list: this function's contract.
        let place = second.map_or(nowhere, |block| unsafe { block.previous_link() }.as_ptr());
        // SAFETY: a link of a block in a list, or the cell that is there for this.
        unsafe { place.write(first) };
    }

    /// Sets the bits of a bin whose list is no longer empty.
    #[inline(always)]
    fn mark(&self, Bin(number): Bin) {
        let row = number / SLI;
        let columns = self.columns_of(row);
        columns.set(columns.get() | 1 << (number % SLI));
        self.rows.set(self.rows.get() | 1 << row);
    }

    /// Clears the bits of a bin if its list is empty now.
    #[inline(always)]
    fn unmark_if(&self, Bin(number): Bin, empty: bool) {
        let row = number / SLI;
        let columns = self.columns_of(row);
        let left = columns.get() & !(usize::from(empty) << (number % SLI));
        columns.set(left);
        if left == 0 {
            self.rows.set(self.rows.get() & !(1 << row));
        }
    }

    /// Puts a free block in front of its list.
    ///
    /// # Safety
    ///
    /// The block is free, `size` long, and in no list.
    #[inline(always)]
    pub(super) unsafe fn insert(&self, block: Block, size: usize) {
        let bin = Self::of(size);
        let head = self.head(bin);
        let next = head.get();
        // SAFETY: free and the caller's: this function's contract.
        unsafe { block.write_links(next, None) };
        // SAFETY: in this list: BINS.
        unsafe { self.link_back(next, Some(block)) };
        self.mark(bin);
        head.set(Some(block));
    }

    /// Takes a block, `size` long, out of its list.
    ///
    /// # Safety
    ///
    /// The block is in a list and `size` long.
    #[inline(always)]
    pub(super) unsafe fn remove(&self, block: Block, size: usize) {
        // SAFETY: in a list: this function's contract.
        let [next, previous] = unsafe { block.read_links() };
        if let Some(next) = next {
            // SAFETY: in the same list: BINS.
            unsafe { next.set_list_previous(previous) };
        }
        match previous {
            // SAFETY: in the same list: BINS.
            Some(previous) => unsafe { previous.set_list_next(next) },
            None => {
                let bin = Self::of(size);
                self.head(bin).set(next);
                self.unmark_if(bin, next.is_none());
            }
        }
    }

    /// Takes the first block of a list out.
    ///
    /// # Safety
    ///
    /// `block` is in front of the list of `bin`.
    #[inline(always)]
    pub(super) unsafe fn pop(&self, bin: Bin, block: Block) {
        // SAFETY: in a list: this function's contract.
        let [next, _] = unsafe { block.read_links() };
        self.head(bin).set(next);
        // SAFETY: in the same list: BINS.
        unsafe { self.link_back(next, None) };
        self.unmark_if(bin, next.is_none());
    }

    /// The first bin that is not empty and whose blocks all have `size` bytes or more.
    #[inline(always)]
    fn search(&self, size: usize) -> Option<Bin> {
        let zeros = Self::leading_zeros(size);
        let from = Self::number(((size << zeros) >> 1) + ((1 << Self::FRACTION) - 1), zeros);
        if from >= FLI * SLI {
            return None;
        }
        let row = from / SLI;
        let columns = self.columns_of(row).get() & (usize::MAX << (from % SLI));
        if columns != 0 {
            return Some(Bin(row * SLI + columns.trailing_zeros() as usize));
        }
        // FLI < usize::BITS (LIMIT), so the shift is in range.
        let rows = self.rows.get() & (usize::MAX << (row + 1));
        if rows == 0 {
            return None;
        }
        let row = rows.trailing_zeros() as usize;
        Some(Bin(row * SLI + self.columns_of(row).get().trailing_zeros() as usize))
    }

    /// Takes the first block of a list out and puts `new` in front of its own. Where that is the same list, `new` takes the place and
    /// the bitmaps are not touched: so it is while blocks are cut off one large block.
    ///
    /// # Safety
    ///
    /// `old` is in front of the list of `bin`; `new` is free, `new_size` long and in no list.
    #[inline(always)]
    pub(super) unsafe fn replace_first(&self, bin: Bin, old: Block, (new, new_size): (Block, usize)) {
        if bin != Self::of(new_size) {
            // SAFETY: this function's contract.
            unsafe { self.pop(bin, old) };
            // SAFETY: this function's contract.
            return unsafe { self.insert(new, new_size) };
        }
        // SAFETY: in a list: this function's contract.
        let [next, _] = unsafe { old.read_links() };
        // SAFETY: free and in no other list: this function's contract.
        unsafe { new.write_links(next, None) };
        if let Some(next) = next {
            // SAFETY: in this list: BINS.
            unsafe { next.set_list_previous(Some(new)) };
        }
        self.head(bin).set(Some(new));
    }

    /// Takes `old` out and puts `new` in front of its list, as [`replace_first`](Self::replace_first) where `old` is in front: so it is
    /// while blocks are given back to the large one that they were cut off. (Deeper in the list it could stay too, but what was
    /// touched last should be used next: misses of the cache cost more than the bitmaps.)
    ///
    /// # Safety
    ///
    /// `old` is in a list and `old_size` long; `new` is free, `new_size` long and in no list. They may be the same block.
    #[inline(always)]
    pub(super) unsafe fn replace(&self, (old, old_size): (Block, usize), (new, new_size): (Block, usize)) {
        let bin = Self::of(old_size);
        if self.head(bin).get() == Some(old) {
            // SAFETY: in front: just checked; the rest is this function's contract.
            return unsafe { self.replace_first(bin, old, (new, new_size)) };
        }
        // SAFETY: this function's contract.
        unsafe { self.remove(old, old_size) };
        // SAFETY: this function's contract.
        unsafe { self.insert(new, new_size) };
    }

    /// The block of at least `size` bytes, which is below LIMIT, that a request of that size gets, its size, and its bin. It stays in
    /// the bin, in front of the list.
    #[inline(always)]
    pub(super) fn find(&self, size: usize) -> Option<(Block, usize, Bin)> {
        let bin = match self.search(size) {
            Some(bin) => bin,
            None => self.find_slow(size)?,
        };
        let block = self.head(bin).get()?;
        // SAFETY: in a list: BINS.
        Some((block, unsafe { block.size() }, bin))
    }

    /// The bin that rounding up skipped may hold a block that is large enough; a few are looked at, and one that is goes to the front.
    #[cold]
    #[inline(never)]
    fn find_slow(&self, size: usize) -> Option<Bin> {
        let bin = Self::of(size);
        let mut candidate = self.head(bin).get();
        for _ in 0..SECOND_LOOKS {
            let block = candidate?;
            // SAFETY: in a list: BINS.
            let found = unsafe { block.size() };
            if found >= size {
                // SAFETY: in this list, `found` long; links and bitmaps are the only thing that changes.
                unsafe { self.replace((block, found), (block, found)) };
                return Some(bin);
            }
            // SAFETY: in a list: BINS.
            let [next, _] = unsafe { block.read_links() };
            candidate = next;
        }
        None
    }

    /// The bins in ascending order with the heads of their lists, and whether the bitmaps call them filled.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Bin, Option<Block>, bool)> + '_ {
        (0..FLI * SLI).map(move |number| {
            let (row, column) = (number / SLI, number % SLI);
            let columns = self.columns_of(row).get();
            let marked = columns & (1 << column) != 0 && self.rows.get() & (1 << row) != 0;
            (Bin(number), self.head(Bin(number)).get(), marked)
        })
    }

    /// Whether a row is marked without a column of it being marked.
    pub(super) fn has_hollow_row(&self) -> bool {
        (0..FLI).any(|row| self.rows.get() & (1 << row) != 0 && self.columns_of(row).get() == 0)
    }
}
