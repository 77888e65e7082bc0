//! An area: 512 chunks, their buddy tree, and hints where split chunks have room.
//!
//! `avail[k]` has a bit per chunk: "this shared split chunk may have a free run of at least `2^k` granules"; the last level
//! means "may have a free aligned group of four", the place of a wide slab. They are hints: a set bit may be stale and is cleared by whoever finds it so; a
//! cleared bit is set again by the next release in that chunk. The clearing side clears, then looks at the chunk once more;
//! the releasing side releases, then looks at the hint: with both orders sequentially consistent one of the two sees the
//! other (Dekker's argument), so room is never forgotten.

use stratalloc_primitives::bits;
#[cfg(not(loom))]
use stratalloc_primitives::primitive::atomic::AtomicU8;
use stratalloc_primitives::primitive::atomic::{AtomicU64, Ordering};

#[cfg(not(loom))]
use super::birth::Birth;
use super::chunk::Chunk;
#[cfg(not(loom))]
use crate::layout::WIDE;
#[cfg(not(loom))]
use crate::medium::buddy_tree::BuddyTree;

/// Levels of `avail`: runs of 1, 2, 4 … 64 granules, then aligned groups of four.
pub(crate) const LEVELS: usize = 8;
/// The level of aligned groups of four, for wide slabs.
pub(crate) const WIDE_LEVEL: usize = 7;

/// Record of one area; valid when all bytes are zero.
#[repr(C, align(64))]
pub(crate) struct Area {
    /// Free chunks and larger blocks. (Has models of its own.)
    #[cfg(not(loom))]
    pub(crate) tree: BuddyTree,
    /// Done once the area's records are usable and its tree is filled.
    #[cfg(not(loom))]
    pub(super) birth: Birth,
    /// Parts of the area's records that memory stands behind, where it is backed piece by piece.
    #[cfg(not(loom))]
    pub(super) backed: AtomicU8,
    avail: [[AtomicU64; 8]; LEVELS],
}

/// Bit 0 of every aligned group of four.
const WIDE_STARTS: u64 = 0x1111_1111_1111_1111;

/// Levels that a word of free granules supports.
fn levels_of(free: u64) -> u8 {
    let longest = bits::longest_run(free);
    let runs = if longest == 0 { 0 } else { (2u32 << longest.ilog2()) - 1 };
    let pairs = free & (free >> 1);
    let groups = pairs & (pairs >> 2) & WIDE_STARTS;
    #[cfg(not(loom))]
    const _: () = assert!(WIDE == 4);
    // Seven run levels (2^0 … 2^6) fit the low bits; the level of groups is bit 7.
    #[allow(clippy::cast_possible_truncation, reason = "runs < 2^7")]
    let runs = runs as u8;
    runs | (u8::from(groups != 0) << WIDE_LEVEL)
}

impl Area {
    /// An area without hints, for the models: the region's records are zeroed memory.
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        let words = |_| core::array::from_fn(|_| AtomicU64::new(0));
        Self { avail: core::array::from_fn(words) }
    }

    /// Whether the hint of `level` names chunk `index` right now.
    #[cfg(loom)]
    pub(crate) fn names(&self, index: u32, level: usize) -> bool {
        let word = &self.avail[level & 7][(index / 64) as usize & 7];
        word.fetch_or(0, Ordering::Acquire) >> (index % 64) & 1 != 0
    }

    /// After granules came back: names the chunk at every level that it now supports.
    pub(crate) fn announce(&self, chunk: &Chunk, index: u32, free: u64) {
        let missing = levels_of(free) & !chunk.named();
        if missing == 0 {
            return;
        }
        chunk.summary.fetch_or(missing, Ordering::SeqCst);
        let (word, bit) = ((index / 64) as usize & 7, 1u64 << (index % 64));
        for (level, words) in self.avail.iter().enumerate() {
            if missing >> level & 1 != 0 {
                words[word].fetch_or(bit, Ordering::SeqCst);
            }
        }
    }

    /// A search found nothing in this chunk: takes the hint of `level` back if it promises too much.
    pub(crate) fn refresh(&self, chunk: &Chunk, index: u32, level: usize) {
        let level = level & 7;
        let promised = |free: u64| levels_of(free) >> level & 1 != 0;
        if promised(chunk.free_mask(false)) {
            return;
        }
        let (word, bit) = ((index / 64) as usize & 7, 1u64 << (index % 64));
        self.avail[level][word].fetch_and(!bit, Ordering::SeqCst);
        chunk.summary.fetch_and(!(1u8 << level), Ordering::SeqCst);
        // Room may have come back before the hint went.
        let free = chunk.free_mask(false);
        if promised(free) {
            self.announce(chunk, index, free);
        }
    }

    /// Chunks named at `level`, lowest first, starting at chunk `from`.
    pub(crate) fn candidates(&self, level: usize, from: u32) -> impl Iterator<Item = u32> + '_ {
        let first = (from / 64) as usize & 7;
        (0u32..8).zip(self.avail[level & 7].iter()).skip(first).flat_map(move |(at, word)| {
            let mut left = word.load(Ordering::Relaxed);
            if at == from / 64 {
                left &= !0 << (from % 64);
            }
            core::iter::from_fn(move || {
                if left == 0 {
                    return None;
                }
                let bit = left.trailing_zeros();
                left &= left - 1;
                Some(at * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_the_longest_run_and_the_aligned_groups() {
        assert_eq!(levels_of(0), 0);
        assert_eq!(levels_of(1), 1);
        assert_eq!(levels_of(0b110), 0b11);
        assert_eq!(levels_of(0b1111), 0b1000_0111);
        assert_eq!(levels_of(0b1_1110), 0b111, "four granules across two groups hold no wide slab");
        assert_eq!(levels_of(!0), 0xff);
    }
}
