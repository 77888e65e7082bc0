//! One bit per page, in memory that lies apart from the pages.

use core::cell::Cell;
use core::slice;

use stratalloc_platform::{page, vm};
use stratalloc_resource::{AllocError, MemoryBlock};

const BITS: usize = u64::BITS as usize;

/// Which pages are used (1) and which are free (0), and where none was ever used.
// Invariant BITS: `words` is a mapping of this value's own, long enough for `count` bits.
#[derive(Debug)]
pub(super) struct Bitmap {
    words: MemoryBlock,
    count: usize,
    /// No bit at or above is set.
    edge: Cell<usize>,
}

impl Bitmap {
    /// All zero.
    pub(super) fn new(count: usize) -> Result<Self, AllocError> {
        let bytes = count.div_ceil(BITS) * size_of::<u64>();
        let bytes = bytes.max(1).next_multiple_of(page::size());
        let words =
            vm::reserve(bytes, page::size(), vm::Access::ReadWrite).map_err(|_| AllocError::OutOfMemory)?;
        Ok(Self { words: MemoryBlock::new(words, bytes), count, edge: Cell::new(0) })
    }

    fn words(&self) -> &[Cell<u64>] {
        let start = self.words.as_ptr().cast::<Cell<u64>>();
        // SAFETY: BITS: mapped, zero or written through these cells, used by this value alone, which is not `Sync`.
        unsafe { slice::from_raw_parts(start, self.words.len() / size_of::<u64>()) }
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) fn edge(&self) -> usize {
        self.edge.get()
    }

    /// The first run of `length` free pages that begins where `align` leads to: `align(i)` is the first allowed place at or behind `i`.
    pub(super) fn find(&self, length: usize, align: impl Fn(usize) -> Option<usize>) -> Option<usize> {
        let mut start = align(0)?;
        loop {
            let end = start.checked_add(length).filter(|&end| end <= self.count)?;
            match self.last_used(start, end) {
                None => return Some(start),
                // Over the rest of its run at once: `length` and `align` have nothing to find there.
                Some(used) => start = align(self.first_free(used + 1))?,
            }
        }
    }

    /// The first free page at or behind `start`; it may be the one behind the last.
    fn first_free(&self, start: usize) -> usize {
        let (mut index, mut skipped) = (start / BITS, start % BITS);
        while let Some(word) = self.words().get(index) {
            // As if the pages below `start` were used.
            let free = !word.get() & (u64::MAX << skipped);
            if free != 0 {
                return index * BITS + free.trailing_zeros() as usize;
            }
            (index, skipped) = (index + 1, 0);
        }
        index * BITS
    }

    /// The last used page in `start .. end`.
    fn last_used(&self, start: usize, end: usize) -> Option<usize> {
        let end = end.min(self.edge.get());
        if start >= end {
            return None;
        }
        let (first, last) = (start / BITS, (end - 1) / BITS);
        for index in (first..=last).rev() {
            let word = self.words()[index].get() & mask(index, start, end);
            if word != 0 {
                return Some(index * BITS + word.ilog2() as usize);
            }
        }
        None
    }

    /// How many pages of `start .. end` are used.
    pub(super) fn used_in(&self, start: usize, end: usize) -> usize {
        if start >= end {
            return 0;
        }
        let words = self.words().iter().enumerate().take((end - 1) / BITS + 1).skip(start / BITS);
        words.map(|(index, word)| (word.get() & mask(index, start, end)).count_ones() as usize).sum()
    }

    /// Marks `start .. end`, a range that is not empty and within the bitmap.
    pub(super) fn set(&self, start: usize, end: usize, used: bool) {
        for index in start / BITS..=(end - 1) / BITS {
            let word = &self.words()[index];
            let mask = mask(index, start, end);
            word.set(if used { word.get() | mask } else { word.get() & !mask });
        }
        if used {
            self.edge.set(self.edge.get().max(end));
        } else if end >= self.edge.get() {
            self.edge.set(self.last_used(0, start).map_or(0, |last| last + 1));
        }
    }
}

/// The bits of word `index` that belong to pages `start .. end`; the word has at least one of them.
fn mask(index: usize, start: usize, end: usize) -> u64 {
    let from = start.saturating_sub(index * BITS);
    let to = (end - index * BITS).min(BITS);
    (u64::MAX << from) & (u64::MAX >> (BITS - to))
}

impl Drop for Bitmap {
    fn drop(&mut self) {
        // A refusal leaves a page or so behind; there is nobody to tell.
        // SAFETY: BITS; not used any more.
        let _ = unsafe { vm::release(self.words.as_non_null(), self.words.len()) };
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use alloc::vec::Vec;

    use super::*;

    /// The bitmap against a vector of `bool`, over generated runs.
    #[test]
    fn finds_what_a_plain_search_finds() {
        const COUNT: usize = 200;
        let (bitmap, mut plain) = (Bitmap::new(COUNT).unwrap(), Vec::from([false; COUNT]));
        let mut state = 7_u64;
        for _ in 0..if cfg!(miri) { 200 } else { 20_000 } {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99_991);
            let random = usize::try_from(state >> 33).unwrap();
            let length = 1 + random % 90;
            let step = 1 << ((random >> 7) % 4);
            let expected = (0..COUNT)
                .step_by(step)
                .find(|&start| start + length <= COUNT && !plain[start..start + length].contains(&true));
            let looks = Cell::new(0);
            let found = bitmap.find(length, |place| {
                looks.set(looks.get() + 1);
                Some(place.next_multiple_of(step))
            });
            assert_eq!(found, expected, "{length} {step}");
            let runs = 1 + plain.chunk_by(|one, other| one == other).filter(|run| run[0]).count();
            assert!(looks.get() <= runs, "{} places for {runs} runs", looks.get());
            let (start, used) = match found {
                Some(start) if random >> 13 & 1 == 0 => (start, true),
                _ => ((random >> 15) % (COUNT - length), false),
            };
            bitmap.set(start, start + length, used);
            plain[start..start + length].fill(used);
            assert_eq!(bitmap.edge(), plain.iter().rposition(|&used| used).map_or(0, |last| last + 1));
            assert_eq!(bitmap.used_in(0, COUNT), plain.iter().filter(|&&used| used).count());
        }
    }
}
