//! Free blocks by size: two levels of bins, as in TLSF (Masmano et al., ECRTS 2004), with word numbers for links.
//!
//! ```text
//!   rows     one bit per power of two          bit set ⟺ its column map is not 0
//!   columns  eight bits per row                bit set ⟺ its bin is not empty
//!   bins     first block ─ LINK ─► block ─ LINK ─► 0        (BACK the other way)
//! ```
//!
//! Invariant **BINS**: exactly the free blocks are in bins, each in that of its size.

use super::block::{self, BACK, LINK, State};
use super::journal::Change;
use super::layout::{AT_BINS, AT_COLUMN_MAPS, AT_ROW_MAP, COLUMNS, MIN_BLOCK, ROWS};
use super::words::Words;

const COLUMN_BITS: u32 = COLUMNS.ilog2();
const FIRST_ROW: u64 = MIN_BLOCK.ilog2() as u64;
/// Blocks of the request's own bin that are looked at when no higher bin has one: not all of them, so that the time is bounded.
const LOOKS: usize = 32;

/// A bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bin {
    row: u64,
    column: u64,
}

impl Bin {
    /// Where a block of `size` words is kept.
    pub(super) fn of(size: u64) -> Self {
        let log = size.max(MIN_BLOCK).ilog2();
        Self { row: u64::from(log) - FIRST_ROW, column: size >> (log - COLUMN_BITS) & (COLUMNS - 1) }
    }

    /// The first bin all of whose blocks have `size` words.
    fn at_least(size: u64) -> Self {
        let log = size.max(MIN_BLOCK).ilog2();
        Self::of(size + (1 << (log - COLUMN_BITS)) - 1)
    }

    fn index(self) -> u64 {
        AT_BINS + self.row * COLUMNS + self.column
    }
}

/// All rows: the map of their columns, and whether the map of rows says that one is marked. Behind the last row nothing is to be marked.
pub(super) fn rows<'w>(words: &'w Words<'_>) -> impl Iterator<Item = (u64, bool)> + 'w {
    (0..u64::from(u64::BITS)).map(move |row| {
        let columns = if row < ROWS { words.get(AT_COLUMN_MAPS + row) } else { 0 };
        (columns, words.get(AT_ROW_MAP) >> row & 1 != 0)
    })
}

/// All bins with their first block.
pub(super) fn all<'w>(words: &'w Words<'_>) -> impl Iterator<Item = (Bin, u64, bool)> + 'w {
    (0..ROWS).flat_map(move |row| (0..COLUMNS).map(move |column| Bin { row, column })).map(move |bin| {
        let columns = words.get(AT_COLUMN_MAPS + bin.row);
        let marked = columns >> bin.column & 1 != 0 && words.get(AT_ROW_MAP) >> bin.row & 1 != 0;
        (bin, words.get(bin.index()), marked)
    })
}

/// A free block of at least `size` words, still in its bin.
pub(super) fn find(words: &Words<'_>, size: u64) -> Option<u64> {
    let from = Bin::at_least(size);
    let in_row = |row: u64, from| marked(words.get(AT_COLUMN_MAPS + row), from).map(|map| (row, map));
    let found = in_row(from.row, from.column).or_else(|| {
        let rows = marked(words.get(AT_ROW_MAP), from.row + 1)?;
        in_row(u64::from(rows.trailing_zeros()), 0)
    });
    match found {
        Some((row, map)) => Some(words.get(Bin { row, column: u64::from(map.trailing_zeros()) }.index())),
        None => look_in_own_bin(words, size),
    }
}

/// The bits of `map` from bit `from` on, if one of them is set.
fn marked(map: u64, from: u64) -> Option<u64> {
    let mask = u64::MAX.checked_shl(u32::try_from(from).ok()?)?;
    Some(map & mask).filter(|map| *map != 0)
}

/// The request's own bin has blocks that are smaller, and perhaps one that is not.
#[cold]
fn look_in_own_bin(words: &Words<'_>, size: u64) -> Option<u64> {
    let mut at = words.get(Bin::of(size).index());
    for _ in 0..LOOKS {
        let head = block::read(words, at).filter(|head| head.state == State::Free)?;
        if head.size >= size {
            return Some(at);
        }
        at = words.get(at + LINK);
    }
    None
}

impl Change<'_, '_> {
    /// Puts a block that is free, `size` words long and in no bin, into its bin.
    pub(super) fn insert(&mut self, at: u64, size: u64) {
        let bin = Bin::of(size);
        let first = self.get(bin.index());
        self.set(at + LINK, first);
        self.set(at + BACK, 0);
        if first == 0 {
            let columns = self.get(AT_COLUMN_MAPS + bin.row);
            self.set(AT_COLUMN_MAPS + bin.row, columns | 1 << bin.column);
            self.set(AT_ROW_MAP, self.get(AT_ROW_MAP) | 1 << bin.row);
        } else {
            self.set(block::beside(first, BACK), at);
        }
        self.set(bin.index(), at);
    }

    /// Takes a block out of the bin for its `size`.
    pub(super) fn remove(&mut self, at: u64, size: u64) {
        let bin = Bin::of(size);
        let (next, back) = (self.get(at + LINK), self.get(at + BACK));
        if next != 0 {
            self.set(block::beside(next, BACK), back);
        }
        if back != 0 {
            self.set(block::beside(back, LINK), next);
            return;
        }
        self.set(bin.index(), next);
        if next == 0 {
            let columns = self.get(AT_COLUMN_MAPS + bin.row) & !(1 << bin.column);
            self.set(AT_COLUMN_MAPS + bin.row, columns);
            if columns == 0 {
                self.set(AT_ROW_MAP, self.get(AT_ROW_MAP) & !(1 << bin.row));
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn bins_ascend_and_a_search_begins_where_every_block_is_large_enough() {
        let mut last = AT_BINS;
        for size in MIN_BLOCK..10_000 {
            let bin = Bin::of(size);
            assert!(bin.index() >= last && bin.row < ROWS && bin.column < COLUMNS);
            last = bin.index();
            let search = Bin::at_least(size);
            assert!(search.index() >= bin.index() && search.index() <= bin.index() + 1, "{size}");
            assert!(
                search != bin || size == MIN_BLOCK || Bin::of(size - 1) != bin,
                "{size} is not the first of its bin"
            );
        }
        assert!(Bin::at_least(u64::from(u32::MAX)).row < ROWS);
    }
}
