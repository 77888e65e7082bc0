//! A chunk's record: which of its 64 granules are free, which may hold old bytes, where runs end.
//!
//! ```text
//! granule   0 1 2 3 4 5 6 7 …                     63
//! free      0 0 0 0 0 0 0 1 1 1 1 1 …              1   one 64-bit word, claimed by compare-and-swap
//! dirty     1 1 1 1 1 0 1 1 0 0 0 0 …              0   may be resident and hold non-zero bytes
//! ends      0 0 0 0 0 0 1 0 0 0 0 0 …              0   last granule of an allocated run
//!           └─ slab ┘ └run┘
//! ```
//!
//! Invariants
//! - **C1** A granule whose `free` bit is 0 belongs to whoever cleared the bit (or to the chunk's owner, when the chunk is not
//!   split); nobody else reads or writes its bytes, its `dirty` bit, or the `ends` bits inside it.
//! - **C2** `free` is 0 unless the chunk is split and shared; a private chunk (of an independent heap) keeps its free
//!   granules in `private_free`, so a searcher with an outdated hint finds nothing to claim.
//! - **C3** A granule with `dirty` 0 reads as zero.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | claim: CAS on `free` | Acquire | release | the bytes, `dirty` and `ends` bits as the last owner left them |
//! | release: `fetch_or` on `free` | SeqCst | claim; hint clearing | same; and the hint protocol below |
//! | `summary` updates | SeqCst | release | a hint cleared while bits come back is set again by one of the two |
//! | `dirty`, `ends` | Relaxed | – | bits of other owners are only preserved, never interpreted |

use stratalloc_primitives::bits;
use stratalloc_primitives::primitive::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// What a chunk is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ChunkKind {
    /// In the buddy tree, or never used.
    Free = 0,
    /// Cut into granules: slabs and runs.
    Split = 1,
    /// First chunk of a medium block.
    MediumHead = 2,
    /// Any further chunk of a medium block.
    MediumBody = 3,
}

/// Record of one chunk; valid when all bytes are zero.
#[repr(C, align(64))]
pub(crate) struct Chunk {
    free: AtomicU64,
    dirty: AtomicU64,
    ends: AtomicU64,
    private_free: AtomicU64,
    /// Bytes of the medium block that starts here.
    pub(crate) extent: AtomicUsize,
    /// Family of the independent heap that owns this chunk; 0 is the process heap.
    pub(crate) family: AtomicU32,
    kind: AtomicU8,
    /// Which `avail` levels of the area name this chunk.
    pub(crate) summary: AtomicU8,
    /// Transparent huge pages were asked for.
    pub(crate) huge: AtomicU8,
    /// Memory stands behind the addresses (always, where the region was mapped as a whole).
    pub(crate) backed: AtomicU8,
    /// The pages were moved here or away by the kernel's page-table move; the mapping is split at the block's edges.
    pub(crate) moved: AtomicU8,
}

// (Loom's atomics are larger.)
#[cfg(not(loom))]
const _: () = assert!(size_of::<Chunk>() == 64);

/// A run of granules claimed from a chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// First granule.
    pub(crate) start: u32,
    /// Granules among them that may hold old bytes.
    pub(crate) dirty: u64,
}

/// Where to claim `count` granules of the `free` ones; see [`Chunk::claim`].
fn best_start(free: u64, dirty: u64, count: u32, align: u32) -> Option<u32> {
    let fitting = bits::run_starts_aligned(free, count, align);
    let used = bits::run_starts_aligned(free & dirty, count, align);
    let wanted = if used == 0 { fitting } else { used };
    let exact = wanted & !(free << 1) & !bits::run_starts(free, count + 1);
    bits::lowest_bit(if exact == 0 { wanted } else { exact })
}

impl Chunk {
    /// A chunk that is not split, for the models: the region's records are zeroed memory.
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            free: AtomicU64::new(0),
            dirty: AtomicU64::new(0),
            ends: AtomicU64::new(0),
            private_free: AtomicU64::new(0),
            extent: AtomicUsize::new(0),
            family: AtomicU32::new(0),
            kind: AtomicU8::new(0),
            summary: AtomicU8::new(0),
            huge: AtomicU8::new(0),
            backed: AtomicU8::new(0),
            moved: AtomicU8::new(0),
        }
    }

    pub(crate) fn kind(&self) -> ChunkKind {
        match self.kind.load(Ordering::Relaxed) {
            1 => ChunkKind::Split,
            2 => ChunkKind::MediumHead,
            3 => ChunkKind::MediumBody,
            _ => ChunkKind::Free,
        }
    }

    pub(crate) fn set_kind(&self, kind: ChunkKind) {
        self.kind.store(kind as u8, Ordering::Relaxed);
    }

    fn occupancy(&self, private: bool) -> &AtomicU64 {
        if private { &self.private_free } else { &self.free }
    }

    /// Free granules right now.
    pub(crate) fn free_mask(&self, private: bool) -> u64 {
        let word = self.occupancy(private);
        #[cfg(not(loom))]
        return word.load(Ordering::SeqCst);
        // Loom takes such a load for an acquiring one, which may be stale; its read-modify-writes read the latest value.
        #[cfg(loom)]
        return word.fetch_or(0, Ordering::Acquire);
    }

    /// The `avail` levels that name this chunk, right now.
    pub(super) fn named(&self) -> u8 {
        #[cfg(not(loom))]
        return self.summary.load(Ordering::SeqCst);
        // As above.
        #[cfg(loom)]
        return self.summary.fetch_or(0, Ordering::Acquire);
    }

    /// Turns a wholly owned chunk into a split one with `taken` granules in use by the caller.
    pub(crate) fn split(&self, family: u32, taken: u64) {
        self.ends.store(0, Ordering::Relaxed);
        self.family.store(family, Ordering::Relaxed);
        self.set_kind(ChunkKind::Split);
        self.occupancy(family != 0).store(!taken, Ordering::SeqCst);
    }

    /// Claims a run of `count` granules whose start is a multiple of `align` granules: memory that was used before rather than memory
    /// that would be touched for it, then a hole of just this size, so that larger ones stay whole, then the lowest
    /// (docs/experiments/placement.md).
    pub(crate) fn claim(&self, count: u32, align: u32, private: bool) -> Option<Claim> {
        let word = self.occupancy(private);
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let start = best_start(seen, self.dirty.load(Ordering::Relaxed), count, align)?;
            let mask = bits::mask(start, count);
            match word.compare_exchange_weak(seen, seen & !mask, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(Claim { start, dirty: self.dirty.load(Ordering::Relaxed) & mask }),
                Err(now) => seen = now,
            }
        }
    }

    /// Claims exactly the granules of `mask`, if all are free; tells which of them are dirty.
    pub(crate) fn claim_exact(&self, mask: u64, private: bool) -> Option<u64> {
        let word = self.occupancy(private);
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            if seen & mask != mask {
                return None;
            }
            match word.compare_exchange_weak(seen, seen & !mask, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(self.dirty.load(Ordering::Relaxed) & mask),
                Err(now) => seen = now,
            }
        }
    }

    /// Gives claimed granules back; returns the word of free granules afterwards.
    pub(crate) fn release(&self, mask: u64, private: bool) -> u64 {
        self.occupancy(private).fetch_or(mask, Ordering::SeqCst) | mask
    }

    /// Takes the whole chunk if nothing in it is in use (C1 then makes the caller its owner).
    pub(crate) fn claim_whole(&self, private: bool) -> bool {
        self.occupancy(private).compare_exchange(!0, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Forgets every granule of a chunk that is torn down with its heap.
    pub(crate) fn clear_occupancy(&self) {
        self.private_free.store(0, Ordering::Relaxed);
        self.ends.store(0, Ordering::Relaxed);
    }

    pub(crate) fn dirty_mask(&self) -> u64 {
        self.dirty.load(Ordering::Relaxed)
    }

    /// Marks granules that the caller owns as holding bytes; returns those that were clean before.
    pub(crate) fn mark_dirty(&self, mask: u64) -> u64 {
        let before = self.dirty.load(Ordering::Relaxed);
        if before & mask == mask {
            return 0;
        }
        mask & !self.dirty.fetch_or(mask, Ordering::Relaxed)
    }

    /// Marks granules that the caller owns as zero.
    pub(crate) fn mark_clean(&self, mask: u64) {
        self.dirty.fetch_and(!mask, Ordering::Relaxed);
    }

    /// Notes that a run of the caller ends at `granule`.
    pub(crate) fn set_end(&self, granule: u32) {
        self.ends.fetch_or(1 << granule, Ordering::Relaxed);
    }

    pub(crate) fn clear_end(&self, granule: u32) {
        self.ends.fetch_and(!(1 << granule), Ordering::Relaxed);
    }

    /// Last granule of the run that starts at `start`; `None` when no run ends behind it.
    pub(crate) fn end_of(&self, start: u32) -> Option<u32> {
        let rest = self.ends.load(Ordering::Relaxed) >> start;
        if rest == 0 { None } else { Some(start + rest.trailing_zeros()) }
    }

    /// The `ends` word, for reports and checks.
    pub(crate) fn ends_mask(&self) -> u64 {
        self.ends.load(Ordering::Relaxed)
    }
}

// Not covered here: what threads do to the words at the same time (`models/region`).
#[cfg(all(test, not(loom)))]
mod tests {
    use super::best_start;

    #[test]
    fn used_memory_first_then_the_tightest_hole_then_the_lowest() {
        assert_eq!(best_start(0, 0, 1, 1), None);
        assert_eq!(best_start(0b111_0100, 0, 1, 1), Some(2), "a hole of just this size");
        assert_eq!(best_start(0b1110_1100, 0, 1, 1), Some(2), "else the lowest");
        assert_eq!(best_start(0b1110_1100, 0, 2, 1), Some(2));
        assert_eq!(best_start(0b11_0111, 0, 2, 1), Some(4));
        assert_eq!(best_start(0b1110_1100, 0b1110_0000, 1, 1), Some(5), "used before");
        assert_eq!(best_start(0b1110_1100, 0b0001_0000, 1, 1), Some(2), "used, but not free");
        assert_eq!(best_start(0b1110_1100, 0b0010_0000, 2, 1), Some(2), "used, but too short");
        assert_eq!(best_start(0b1111_1111, 0, 4, 4), Some(0));
        assert_eq!(best_start(0b1111_1110, 0, 4, 4), Some(4));
        assert_eq!(best_start(!0, 0, 64, 1), Some(0));
    }
}
