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

/// A bin that exists: `row < FLI`, `column < SLI`, made by [`Bins::of`] and [`Bins::search`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bin {
    row: usize,
    column: usize,
}

#[derive(Debug)]
pub(super) struct Bins<const FLI: usize, const SLI: usize> {
    rows: Cell<usize>,
    columns: [Cell<usize>; FLI],
    // Invariant BINS: every block in list (r, c) is free, has BLOCK, and `of(size) == (r, c)`; every free block is in a
    // list; the bitmaps are as the picture says.
    heads: [[Cell<Option<Block>>; SLI]; FLI],
}

impl<const FLI: usize, const SLI: usize> Bins<FLI, SLI> {
    const SLI_LOG2: u32 = SLI.trailing_zeros();
    /// Sizes from here on are in rows above 0.
    const LINEAR: usize = {
        assert!(SLI.is_power_of_two() && SLI >= 2 && SLI <= 32, "SLI is a power of two from 2 to 32");
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
        }
    }

    /// The bin for blocks of `size`, a multiple of GRANULE below LIMIT.
    #[inline(always)]
    pub(super) fn of(size: usize) -> Bin {
        debug_assert!(size < Self::LIMIT);
        if size < Self::LINEAR {
            return Bin { row: 0, column: size / GRANULE };
        }
        let log2 = size.ilog2();
        let row = (log2 - Self::LINEAR.trailing_zeros()) as usize + 1;
        Bin { row, column: (size >> (log2 - Self::SLI_LOG2)) & (SLI - 1) }
    }

    #[inline(always)]
    fn head(&self, bin: Bin) -> &Cell<Option<Block>> {
        // SAFETY: `row < FLI`: `Bin`.
        let row = unsafe { self.heads.get_unchecked(bin.row) };
        // SAFETY: `column < SLI`: `Bin`.
        unsafe { row.get_unchecked(bin.column) }
    }

    #[inline(always)]
    fn columns_of(&self, row: usize) -> &Cell<usize> {
        debug_assert!(row < FLI);
        // SAFETY: callers have the row from a `Bin` or from a set bit of `rows`, which has FLI bits (BINS).
        unsafe { self.columns.get_unchecked(row) }
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
        if let Some(next) = next {
            // SAFETY: in this list: BINS.
            unsafe { next.set_list_previous(Some(block)) };
        } else {
            let columns = self.columns_of(bin.row);
            columns.set(columns.get() | 1 << bin.column);
            self.rows.set(self.rows.get() | 1 << bin.row);
        }
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
            None => self.set_head(Self::of(size), next),
        }
    }

    #[inline(always)]
    fn set_head(&self, bin: Bin, head: Option<Block>) {
        self.head(bin).set(head);
        if head.is_none() {
            let columns = self.columns_of(bin.row);
            columns.set(columns.get() & !(1 << bin.column));
            if columns.get() == 0 {
                self.rows.set(self.rows.get() & !(1 << bin.row));
            }
        }
    }

    /// The first bin that is not empty and whose blocks all have `size` bytes or more.
    #[inline(always)]
    fn search(&self, size: usize) -> Option<Bin> {
        let step = if size < Self::LINEAR { 0 } else { (1 << (size.ilog2() - Self::SLI_LOG2)) - 1 };
        let rounded = size + step;
        if rounded >= Self::LIMIT {
            return None;
        }
        let from = Self::of(rounded);
        let columns = self.columns_of(from.row).get() & (usize::MAX << from.column);
        if columns != 0 {
            return Some(Bin { row: from.row, column: columns.trailing_zeros() as usize });
        }
        // FLI < usize::BITS (LIMIT), so the shift is in range.
        let rows = self.rows.get() & (usize::MAX << (from.row + 1));
        if rows == 0 {
            return None;
        }
        let row = rows.trailing_zeros() as usize;
        Some(Bin { row, column: self.columns_of(row).get().trailing_zeros() as usize })
    }

    /// Takes `old` out and puts `new` in front of its list. Where that is the same list and `old` was in front of it, `new` takes its
    /// place and the bitmaps are not touched: so it is while blocks are cut off one large block, or given back to it. (Deeper in
    /// the list it could stay too, but what was touched last should be used next: misses of the cache cost more than the bitmaps.)
    ///
    /// # Safety
    ///
    /// `old` is in a list and `old_size` long; `new` is free, `new_size` long and in no list. They may be the same block.
    #[inline(always)]
    pub(super) unsafe fn replace(&self, (old, old_size): (Block, usize), (new, new_size): (Block, usize)) {
        let bin = Self::of(old_size);
        let head = self.head(bin);
        if bin != Self::of(new_size) || head.get() != Some(old) {
            // SAFETY: this function's contract.
            unsafe { self.remove(old, old_size) };
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
        head.set(Some(new));
    }

    /// The block of at least `size` bytes, which is below LIMIT, that a request of that size gets, and its size. It stays in its list.
    #[inline(always)]
    pub(super) fn find(&self, size: usize) -> Option<(Block, usize)> {
        let block = match self.search(size) {
            Some(bin) => self.head(bin).get()?,
            None => self.find_slow(size)?,
        };
        // SAFETY: in a list: BINS.
        Some((block, unsafe { block.size() }))
    }

    /// The bin that rounding up skipped may hold a block that is large enough; a few are looked at.
    #[cold]
    #[inline(never)]
    fn find_slow(&self, size: usize) -> Option<Block> {
        let mut candidate = self.head(Self::of(size)).get();
        for _ in 0..SECOND_LOOKS {
            let block = candidate?;
            // SAFETY: in a list: BINS.
            if unsafe { block.size() } >= size {
                return Some(block);
            }
            // SAFETY: in a list: BINS.
            let [next, _] = unsafe { block.read_links() };
            candidate = next;
        }
        None
    }

    /// The bins in ascending order with the heads of their lists, and whether the bitmaps call them filled.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Bin, Option<Block>, bool)> + '_ {
        (0..FLI).flat_map(move |row| (0..SLI).map(move |column| Bin { row, column })).map(move |bin| {
            let columns = self.columns_of(bin.row).get();
            let marked = columns & (1 << bin.column) != 0 && self.rows.get() & (1 << bin.row) != 0;
            (bin, self.head(bin).get(), marked)
        })
    }

    /// Whether a row is marked without a column of it being marked.
    pub(super) fn has_hollow_row(&self) -> bool {
        (0..FLI).any(|row| self.rows.get() & (1 << row) != 0 && self.columns_of(row).get() == 0)
    }
}
