//! Rings: blocks of other threads' slabs, collected per slab until a chain is worth an atomic operation.
//!
//! 32 sets of two ways, chosen by the slab's number. Appending is three plain stores. A ring is published when it holds
//! [`MAX_BLOCKS`] or [`MAX_BYTES`], when another slab needs its place, at every 64th refill of its thread, and when the
//! thread exits. So a thread that falls asleep holds back at most 64 rings, that is 4096 blocks, or 256 KiB and the blocks (of up to
//! 36 KiB) that had just taken another's place.
//!
//! Publishing moves the slab's record from its owner's cache and back, whether the chain has one block or 64; so there are as many
//! rings as messages of mixed sizes come from slabs at a time ([record](../../../../docs/experiments/rings.md)).

use core::cell::Cell;
use core::ptr;

use super::slab::{Block, Slab};
use crate::region;

const SETS: usize = 32;
const WAYS: usize = 2;
/// Blocks of one chain at most.
const MAX_BLOCKS: u32 = 64;
/// Bytes of one chain at most.
const MAX_BYTES: u32 = 4 << 10;

/// One chain under construction; empty when `count` is 0.
pub(crate) struct Ring {
    slab: Cell<u32>,
    count: Cell<u32>,
    head: Cell<*mut Block>,
    tail: Cell<*mut Block>,
}

/// A chain that is ready to be published.
pub(crate) struct Batch {
    pub(crate) slab: &'static Slab,
    pub(crate) head: *mut Block,
    pub(crate) tail: *mut Block,
    pub(crate) count: u32,
}

impl Ring {
    const fn new() -> Self {
        Self {
            slab: Cell::new(0),
            count: Cell::new(0),
            head: Cell::new(ptr::null_mut()),
            tail: Cell::new(ptr::null_mut()),
        }
    }

    fn take(&self) -> Option<Batch> {
        let count = self.count.replace(0);
        if count == 0 {
            return None;
        }
        let slab = region::slab(self.slab.get());
        Some(Batch { slab, head: self.head.get(), tail: self.tail.get(), count })
    }
}

/// The open chains of one thread heap; valid when all bytes are zero.
pub(crate) struct Rings {
    ways: [[Ring; WAYS]; SETS],
}

impl Rings {
    pub(crate) const fn new() -> Self {
        Self { ways: [const { [const { Ring::new() }; WAYS] }; SETS] }
    }

    /// Adds `block`, which counts as `counts` blocks of `size` bytes, of slab number `index`; returns a chain that must be published, if one got full or
    /// lost its place.
    pub(crate) fn add(&self, index: u32, counts: u32, size: u32, block: *mut Block) -> Option<Batch> {
        let set = &self.ways[index as usize % SETS];
        let (ring, evicted) = if let Some(ring) = set.iter().find(|ring| ring.slab.get() == index) {
            (ring, None)
        } else {
            // An empty way, or the one that holds more: it is nearer to being published anyway.
            let [first, second] = set;
            let ring = match (first.count.get(), second.count.get()) {
                (0, _) => first,
                (_, 0) => second,
                (a, b) if a >= b => first,
                _ => second,
            };
            let evicted = ring.take();
            ring.slab.set(index);
            (ring, evicted)
        };
        let count = ring.count.get();
        // SAFETY: the caller frees `block`: it is writable and nobody else uses it.
        let block_ref = unsafe { &*block };
        block_ref.next.set(ring.head.get());
        ring.head.set(block);
        if count == 0 {
            ring.tail.set(block);
        }
        let count = count + counts;
        ring.count.set(count);
        if count >= MAX_BLOCKS || count * size >= MAX_BYTES {
            // Only a ring that was just begun can both evict and be full (a block of 4 KiB and more): the new chain then stays
            // for the next call.
            return evicted.or_else(|| ring.take());
        }
        evicted
    }

    /// Every open chain, each taken.
    pub(crate) fn drain(&self) -> impl Iterator<Item = Batch> + '_ {
        self.ways.iter().flatten().filter_map(Ring::take)
    }

    /// What waits here: slab number, first block, and what the blocks count. For checks and statistics.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (u32, *mut Block, u32)> + '_ {
        self.ways
            .iter()
            .flatten()
            .filter(|ring| ring.count.get() > 0)
            .map(|ring| (ring.slab.get(), ring.head.get(), ring.count.get()))
    }
}
