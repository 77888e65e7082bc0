//! The free blocks of one medium area: a complete buddy tree in sixteen atomic words, without locks.
//!
//! An **area** is 512 chunks of 1 MiB. Every block that the buddy system can ever form is one **node** of a complete
//! binary tree, numbered like a heap: order `n` (2ⁿ chunks), block `j` is node `(512 >> n) + j`. A node's bit is set
//! while that block is free *as one block of that order*. Any thread releases (sets bits) and allocates (clears bits);
//! one worker at a time merges.
//!
//! ```text
//!   word 0    bit 1: order 9   2–3: order 8   4–7: order 7   8–15: order 6   16–31: order 5   32–63: order 4
//!   word 1    order 3        words 2–3   order 2        words 4–7   order 1        words 8–15   order 0
//!
//!   node k           ┌────────────── 8 chunks ─────────────┐     nodes 2k and 2k + 1 are buddies: neighbouring bits
//!   2k, 2k + 1       ├────── 4 ───────┬────── 4 ───────────┤     of one word, the lower one at an even position
//! ```
//!
//! Bits, not lists: taking *a given* block out of the middle (a buddy to merge, the neighbour that a growing block
//! wants) is one atomic "and", and lowest bit first packs the area by address. There is no stored word "orders that
//! have something": it would be a second truth with a window in which it lies. Word 0 *is* that word for orders 4–9
//! and [`BuddyTree::free_orders`] derives the rest; the whole tree is two cache lines.
//!
//! # Invariants
//!
//! * **BT-ONE** Every chunk is free in at most one node: no set bit has a set ancestor. Established because a bit is
//!   set only by the one who owns its whole block (contract of `release`, or a claim before), and owned by whoever
//!   cleared it: `fetch_and` and `compare_exchange` hand a set bit to exactly one thread.
//! * **BT-ROOT** Bit 0 of word 0 is never set (node 0 does not exist), so the root looks like one without a buddy.
//! * **BT-RMW** Words are only changed by read-modify-write operations. Hence the changes of a word form one release
//!   sequence: an acquiring change of a word sees everything that was released into that word before it.
//! * **BT-QUEUE** A pair of free buddies ⟹ `pending > 0`, or the thread that completed the pair is about to raise it,
//!   or the merge worker has taken `pending` and has not passed that word yet.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `release`: `fetch_or` on a word | Release | any claim of that word | the last owner's accesses to the block |
//! | `claim`: `fetch_and` on a word | Acquire | `release`, parents set by `merge` | the same, to the new owner |
//! | `claim_top`, `claim_around`: CAS on word 0 (claim and split) | Acquire | `release`, parents set by `merge` | the same; halves put back stay covered by BT-RMW |
//! | `merge_word`: CAS that takes pairs | Acquire | `release` of both buddies | their owners' accesses, into the next row |
//! | `merge_word`: `fetch_or` of the parents | Release | any claim of the parent | the row above |
//! | `merge_top`: CAS inside word 0 | Relaxed | – | nothing of its own: BT-RMW carries the releases through it |
//! | `raise`: `fetch_add` on `pending` | Release | the swap of `merge` | "the pair's bits are set" |
//! | `merge`: `swap` of `pending` | Acquire | `raise` | the same: the scan cannot read an older word |
//! | every load | Relaxed | – | a guess that a later RMW confirms, or a statistic |
//!
//! No ABA: a word has no identity beyond its bits, and each new value is computed from exactly the bits compared.
//!
//! # The merge queue
//!
//! `release` is one `fetch_or` and never merges. Buddies live in one word, so two simultaneous releases of a pair are
//! ordered by that word, and the second sees the first: a pair cannot be missed by both. The queue of merges to do
//! is therefore the bitmap itself (bits `2k` and `2k + 1` both set = entry `k`) and `pending` is its bell.
//! [`BuddyTree::merge`] answers the bell: one pass from the smallest order to the largest, each word's pairs taken by
//! one CAS. It is wait-free (a fixed number of attempts per word, what remains rings the bell again), so there is
//! nothing that could livelock: no merger ever fights another one, and an allocation only retries when another thread
//! has obtained or released a block meanwhile. The lock that its caller proves is for *that* and for cost;
//! BT-ONE would survive two mergers.
//!
//! # Windows: when nobody's bitmap shows the memory
//!
//! Claiming, splitting and merging **inside word 0** (orders 4–9) are one CAS each: these orders are linearizable at
//! that CAS, `None` included (at the load), while nobody claims or releases ranges. Below, a move between two words
//! is two steps, and in between the memory is only in a thread's hands: at most 15 chunks while an order-4 block is
//! split; the pairs of one word during `merge_word`; during `claim_range` the range and what shares a block below
//! order 4, or an order-4 block, with its ends; the tail during `allocate_range`. A scan is no snapshot either: a
//! block can be split down past it. So **`None` and `false` may be spurious**; a success never is. Callers must
//! 1. on `None` with [`BuddyTree::pending`] > 0: try the merge lock, merge, and ask once more;
//! 2. then go to another area or to fresh memory; never spin on this one;
//! 3. before reporting out of memory: take the merge lock (waiting), merge, and ask each area once more.
//!
//! A `fork` inside another thread's window loses, in the child only, what that thread held: bounded as above.

mod node;

#[cfg(all(test, loom))]
mod loom_models;
#[cfg(all(test, not(loom)))]
mod tests;

use core::num::NonZero;
use core::ops::Range;
use stratalloc_primitives::primitive::atomic::{AtomicU32, AtomicU64, Ordering};

pub(crate) use node::{CHUNKS, MAX_ORDER};
use node::{Node, TOP_ORDER, TOP_WORD, WORDS};

/// How often `merge` tries to take the pairs of a word that others keep changing; then it leaves them for the next
/// time. Small, because a word under such traffic has takers for its small blocks. One in models, so that they see
/// the giving up as well.
const MERGE_ATTEMPTS: u32 = if cfg!(loom) { 1 } else { 4 };

/// The free blocks of one area; see the module text.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct BuddyTree {
    /// Bit `n` of the whole = node `n` is free as one block (BT-ONE, BT-ROOT, BT-RMW).
    words: [AtomicU64; WORDS as usize],
    /// Pairs completed since the last merge began (BT-QUEUE). An upper bound: an allocation may have taken one since.
    pending: AtomicU32,
}

#[allow(
    dead_code,
    reason = "the whole set of operations is tested; the domain above needs the range forms today"
)]
impl BuddyTree {
    /// An area with nothing free: all bytes zero, so zeroed memory is a tree too. `release_range` hands it its chunks.
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { words: [const { AtomicU64::new(0) }; WORDS as usize], pending: AtomicU32::new(0) }
    }

    /// An area with nothing free (loom's atomics have no `const` constructor).
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self { words: core::array::from_fn(|_| AtomicU64::new(0)), pending: AtomicU32::new(0) }
    }

    /// Makes the block of `order` at `chunk` free: one atomic "or", and a second one if that completes a pair.
    ///
    /// The caller owns the whole block, `chunk` is a multiple of its size, and it ends inside the area.
    pub(crate) fn release(&self, chunk: u32, order: u32) {
        let node = Node::of(chunk, order);
        let before = self.word(node.word()).fetch_or(node.mask(), Ordering::Release);
        if before & node.buddy_mask() != 0 {
            self.raise();
        }
    }

    /// Makes `count` chunks from `first` on free, as the largest aligned blocks that they hold.
    ///
    /// The caller owns all of them; the range ends inside the area. At most 16 blocks; their pairs are not merged
    /// with what is free around them.
    pub(crate) fn release_range(&self, first: u32, count: u32) {
        let mut chunk = first;
        let mut left = count;
        while let Some(some) = NonZero::new(left) {
            let order = chunk.trailing_zeros().min(some.ilog2()).min(MAX_ORDER);
            self.release(chunk, order);
            chunk += 1 << order;
            left -= 1 << order;
        }
    }

    /// Takes a block of `order`: the lowest one of the smallest order that has one, split as needed.
    /// Returns its first chunk. `None` may be spurious (module text, "Windows").
    pub(crate) fn allocate(&self, order: u32) -> Option<u32> {
        self.allocate_below(order, CHUNKS)
    }

    /// Like `allocate`, but only a block that ends at or before chunk `limit`: below the high-water mark of memory
    /// ever touched, say. The *result* must fit; the free block that it is cut from may reach beyond.
    pub(crate) fn allocate_below(&self, order: u32, limit: u32) -> Option<u32> {
        if order > MAX_ORDER {
            return None;
        }
        let last = limit.min(CHUNKS).checked_sub(1 << order)?;
        for from in order..TOP_ORDER {
            if let Some(first) = self.claim_lowest(from, last) {
                self.release_upper_halves(first, from, order);
                return Some(first);
            }
        }
        let from = order.max(TOP_ORDER);
        let first = self.claim_top(from, last)?;
        self.release_upper_halves(first, from, order);
        Some(first)
    }

    /// Takes `count` neighbouring chunks: a block of the next order, its tail given back. Returns the first chunk.
    pub(crate) fn allocate_range(&self, count: u32) -> Option<u32> {
        let count = NonZero::new(count).filter(|count| count.get() <= CHUNKS)?;
        let whole = count.get().next_power_of_two();
        let first = self.allocate(whole.trailing_zeros())?;
        self.release_range(first + count.get(), whole - count.get());
        Some(first)
    }

    /// Takes exactly the free block of `order` at `chunk`; `false` if it is not free as one block of that order.
    pub(crate) fn claim(&self, chunk: u32, order: u32) -> bool {
        self.claim_node(Node::of(chunk, order))
    }

    /// Takes exactly these chunks, whichever free blocks they lie in, or none of them.
    ///
    /// All or nothing, but not at one instant: blocks are claimed one after the other, the parts outside the range
    /// given back at the end, or all of it when one is missing. Two overlapping claims can both fail; neither retries.
    pub(crate) fn claim_range(&self, first: u32, count: u32) -> bool {
        let Some(end) = first.checked_add(count).filter(|&end| end <= CHUNKS) else { return false };
        // Look before taking, so that a hopeless wish disturbs nobody.
        let mut at = first;
        while at < end {
            let Some(block) = self.covering(at) else { return false };
            at = block.end();
        }
        // BT-ONE: [low, at) is ours, and a later block starts at `at`, for it cannot reach into what we hold.
        let mut low = first;
        at = first;
        while at < end {
            let Some(part) = self.claim_around(at, first, end) else {
                self.release_range(low, at - low);
                return false;
            };
            low = low.min(part.start);
            at = part.end;
        }
        self.release_range(low, first - low);
        self.release_range(end, at - end);
        true
    }

    /// Merges the waiting pairs, smallest order first, and returns how many. Cheap when nothing is pending.
    ///
    /// `_worker` proves that the caller holds the merge lock. Others may allocate and release at any time.
    pub(crate) fn merge<Guard>(&self, _worker: &Guard) -> u32 {
        if self.pending.swap(0, Ordering::Acquire) == 0 {
            return 0;
        }
        // Words in descending order are orders in ascending order: a parent's word comes after its children's.
        let small: u32 = (1..WORDS).rev().map(|index| self.merge_word(index)).sum();
        small + self.merge_top()
    }

    /// Pairs completed since the last merge: above zero, a merge may help. An upper bound and a hint.
    pub(crate) fn pending(&self) -> u32 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Which orders have a free block: bit `n` for order `n`. A hint while others work.
    pub(crate) fn free_orders(&self) -> u32 {
        self.free_blocks().fold(0, |orders, (_, order)| orders | 1 << order)
    }

    /// How many chunks are free. Exact when nobody works on the tree.
    pub(crate) fn free_chunks(&self) -> u32 {
        self.free_blocks().map(|(_, order)| 1 << order).sum()
    }

    /// Whether `chunk` lies in a free block. A hint while others work.
    pub(crate) fn is_free(&self, chunk: u32) -> bool {
        chunk < CHUNKS && self.covering(chunk).is_some()
    }

    /// The free blocks as `(first chunk, order)`: larger orders first, by address within an order. Others may work
    /// meanwhile: each item was free when its word was read, and `claim` tells whether it still is.
    pub(crate) fn free_blocks(&self) -> FreeBlocks<'_> {
        FreeBlocks { tree: self, index: TOP_WORD, rest: self.load(TOP_WORD) }
    }

    /// Checks the invariants; meaningful only while nobody else works on the tree.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        if self.load(TOP_WORD) & 1 != 0 {
            return Err("BT-ROOT: bit 0 of word 0 == 0 violated");
        }
        let mut pairs = 0;
        for (first, order) in self.free_blocks() {
            let mut above = Node::of(first, order);
            while let Some(parent) = above.parent() {
                if self.load(parent.word()) & parent.mask() != 0 {
                    return Err("BT-ONE: no set bit has a set ancestor violated");
                }
                above = parent;
            }
            let node = Node::of(first, order);
            pairs |= self.load(node.word()) & node.buddy_mask();
        }
        if pairs != 0 && self.pending() == 0 {
            return Err("BT-QUEUE: pair of free buddies => pending > 0 violated");
        }
        Ok(())
    }

    // ---- one step each -------------------------------------------------------------------------------------------

    /// Word `index` (below `WORDS`; the mask spares the bounds check).
    fn word(&self, index: u32) -> &AtomicU64 {
        &self.words[(index & (WORDS - 1)) as usize]
    }

    /// A guess at word `index`.
    fn load(&self, index: u32) -> u64 {
        self.word(index).load(Ordering::Relaxed)
    }

    /// Rings the bell: the caller's change of a word has completed a pair (BT-QUEUE).
    fn raise(&self) {
        self.pending.fetch_add(1, Ordering::Release);
    }

    /// Clears the node's bit; `true` if it was set, and the block is the caller's now (BT-ONE).
    fn claim_node(&self, node: Node) -> bool {
        self.word(node.word()).fetch_and(!node.mask(), Ordering::Acquire) & node.mask() != 0
    }

    /// The free block that `chunk` lies in, by loads only.
    fn covering(&self, chunk: u32) -> Option<Node> {
        (0..=MAX_ORDER)
            .map(|order| Node::of(chunk, order))
            .find(|node| self.load(node.word()) & node.mask() != 0)
    }

    /// Claims what `first..end` needs of the free block around `at`: all of it below `TOP_ORDER`; in word 0 only the
    /// order-`TOP_ORDER` blocks that the range touches, the others stay free in the same instant. Returns that part.
    fn claim_around(&self, at: u32, first: u32, end: u32) -> Option<Range<u32>> {
        let block = self.covering(at)?;
        if block.word() != TOP_WORD {
            return self.claim_node(block).then(|| block.first()..block.end());
        }
        let mut seen = self.load(TOP_WORD);
        while seen & block.mask() != 0 {
            let (next, part) = node::carve(seen, block, first, end);
            match self.word(TOP_WORD).compare_exchange(seen, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(part),
                Err(now) => seen = now,
            }
        }
        None
    }

    /// Claims the lowest free block of an order below `TOP_ORDER` that starts at or before `last`.
    fn claim_lowest(&self, order: u32, last: u32) -> Option<u32> {
        for index in node::words_of(order) {
            let mut seen = self.load(index);
            while let Some(node) = Node::lowest(index, seen) {
                if node.first() > last {
                    return None;
                }
                // Lost races go on with the next bit: each loss is another thread's success.
                seen = self.word(index).fetch_and(!node.mask(), Ordering::Acquire);
                if seen & node.mask() != 0 {
                    return Some(node.first());
                }
            }
        }
        None
    }

    /// Claims a block of `order` (at least `TOP_ORDER`) from word 0, split there in the same instant.
    fn claim_top(&self, order: u32, last: u32) -> Option<u32> {
        let mut seen = self.load(TOP_WORD);
        loop {
            let (next, node) = node::take_and_split(seen, order, last)?;
            match self.word(TOP_WORD).compare_exchange(seen, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(node.first()),
                Err(now) => seen = now,
            }
        }
    }

    /// Gives back what an order-`from` block at `first` has beyond its order-`to` start, largest half first.
    /// The lower half of each is ours, so no pair arises.
    fn release_upper_halves(&self, first: u32, from: u32, to: u32) {
        for order in (to..from).rev() {
            self.release(first + (1 << order), order);
        }
    }

    /// Moves the pairs of word `index` (1 or above) into their parents' word; returns how many.
    fn merge_word(&self, index: u32) -> u32 {
        let mut seen = self.load(index);
        for _ in 0..MERGE_ATTEMPTS {
            let pairs = node::pairs(seen);
            if pairs == 0 {
                return 0;
            }
            let next = seen & !node::both(pairs);
            match self.word(index).compare_exchange(seen, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    // A pair that a parent completes needs no bell: its word is still ahead of this pass.
                    let (above, parents) = node::parents(index, pairs);
                    self.word(above).fetch_or(parents, Ordering::Release);
                    return pairs.count_ones();
                }
                Err(now) => seen = now,
            }
        }
        self.raise();
        0
    }

    /// Merges all pairs of word 0, through all its orders, in one CAS; returns how many.
    fn merge_top(&self) -> u32 {
        let mut seen = self.load(TOP_WORD);
        for _ in 0..MERGE_ATTEMPTS {
            let (next, merged) = node::merge_inside(seen);
            if merged == 0 {
                return 0;
            }
            match self.word(TOP_WORD).compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return merged,
                Err(now) => seen = now,
            }
        }
        self.raise();
        0
    }
}

/// Iterator of [`BuddyTree::free_blocks`].
#[derive(Debug)]
pub(crate) struct FreeBlocks<'tree> {
    tree: &'tree BuddyTree,
    /// The word being read.
    index: u32,
    /// Its bits that are still to be told.
    rest: u64,
}

impl Iterator for FreeBlocks<'_> {
    type Item = (u32, u32);

    fn next(&mut self) -> Option<(u32, u32)> {
        loop {
            if let Some(node) = Node::lowest(self.index, self.rest) {
                self.rest &= !node.mask();
                return Some((node.first(), node.order()));
            }
            self.index += 1;
            if self.index >= WORDS {
                self.index = WORDS - 1;
                return None;
            }
            self.rest = self.tree.load(self.index);
        }
    }
}
