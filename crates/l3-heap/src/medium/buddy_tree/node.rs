//! Which bit is which: nodes of the buddy tree, and what a claim, a split and a merge do to the value of a word.
//!
//! Pure functions; the atomics are one file up. Names as there: node `(512 >> order) + j`, word `node / 64`.

use core::num::NonZero;
use core::ops::Range;

/// Largest order: the whole area.
pub(crate) const MAX_ORDER: u32 = 9;
/// Chunks of an area.
pub(crate) const CHUNKS: u32 = 1 << MAX_ORDER;
/// Words of a tree: two bits per chunk.
pub(super) const WORDS: u32 = 2 * CHUNKS / 64;
/// The word that holds all orders from `TOP_ORDER` up.
pub(super) const TOP_WORD: u32 = 0;
/// Smallest order of the top word: its row starts at bit 32.
pub(super) const TOP_ORDER: u32 = MAX_ORDER - 5;

/// Even positions: the lower buddy of each pair.
const EVEN: u64 = 0x5555_5555_5555_5555;

const _: () = assert!(WORDS.is_power_of_two(), "a mask must keep a word index in range");
const _: () = assert!(CHUNKS >> TOP_ORDER == 32, "order TOP_ORDER is the upper half of the top word");

/// One node: a block of 2ⁿ chunks at a multiple of its size. In `1 .. 2 * CHUNKS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node(u32);

impl Node {
    /// The block of `order` that holds `chunk`. Values out of range are forced into it, so the node always exists.
    pub(super) const fn of(chunk: u32, order: u32) -> Self {
        let order = if order < MAX_ORDER { order } else { MAX_ORDER };
        Self((CHUNKS | chunk & (CHUNKS - 1)) >> order)
    }

    /// The node of the lowest set bit in `bits`, read as word `index`: the lowest address, outside the top word.
    pub(super) const fn lowest(index: u32, bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(64 * index + bits.trailing_zeros())) }
    }

    /// Which word holds its bit.
    pub(super) const fn word(self) -> u32 {
        self.0 / 64
    }

    /// Its bit within that word.
    pub(super) const fn mask(self) -> u64 {
        1 << (self.0 % 64)
    }

    /// Its buddy's bit, in the same word. For the root: bit 0, which is never set (BT-ROOT).
    pub(super) const fn buddy_mask(self) -> u64 {
        1 << ((self.0 ^ 1) % 64)
    }

    /// The block that this is one half of; none for the root.
    pub(super) const fn parent(self) -> Option<Self> {
        if self.0 > 1 { Some(Self(self.0 / 2)) } else { None }
    }

    /// Log2 of its size in chunks. The highest set bit of the number tells the row.
    pub(super) const fn order(self) -> u32 {
        self.0.leading_zeros() - CHUNKS.leading_zeros()
    }

    /// Its first chunk.
    pub(super) const fn first(self) -> u32 {
        (self.0 << self.order()) & (CHUNKS - 1)
    }

    /// The chunk after its last.
    pub(super) const fn end(self) -> u32 {
        self.first() + (1 << self.order())
    }
}

/// The words of an order below `TOP_ORDER`.
pub(super) const fn words_of(order: u32) -> Range<u32> {
    let one = (WORDS / 2) >> order;
    one..2 * one
}

/// The lower bit of each pair of free buddies in a word.
pub(super) const fn pairs(word: u64) -> u64 {
    word & (word >> 1) & EVEN
}

/// Both bits of such pairs.
pub(super) const fn both(pairs: u64) -> u64 {
    pairs | pairs << 1
}

/// Bit `2k` to bit `k`, for all even positions at once: children's pairs to parents.
const fn halved(pairs: u64) -> u64 {
    let bits = pairs & EVEN;
    let bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    let bits = (bits | bits >> 2) & 0x0F0F_0F0F_0F0F_0F0F;
    let bits = (bits | bits >> 4) & 0x00FF_00FF_00FF_00FF;
    let bits = (bits | bits >> 8) & 0x0000_FFFF_0000_FFFF;
    (bits | bits >> 16) & 0x0000_0000_FFFF_FFFF
}

/// Where the parents of these pairs of word `index` are: their word, and their bits in it.
pub(super) const fn parents(index: u32, pairs: u64) -> (u32, u64) {
    (index / 2, halved(pairs) << (index % 2 * 32))
}

/// The bits of `order` (at least `TOP_ORDER`) in the top word.
const fn row(order: u32) -> u64 {
    let width = CHUNKS >> order;
    ((1 << width) - 1) << width
}

/// The top word after taking a block of `order` (at least `TOP_ORDER`) that starts at or before `last`, and that block:
/// the lowest one of the smallest order, the upper halves of every split set in the same value.
pub(super) fn take_and_split(word: u64, order: u32, last: u32) -> Option<(u64, Node)> {
    for from in order..=MAX_ORDER {
        if let Some(mut node) = Node::lowest(TOP_WORD, word & row(from))
            && node.first() <= last
        {
            let mut next = word & !node.mask();
            for _ in order..from {
                node = Node(node.0 * 2);
                next |= node.buddy_mask();
            }
            return Some((next, node));
        }
    }
    None
}

/// The bits of the top word for the chunks `first..end`, multiples of an order-`TOP_ORDER` block, as the largest
/// aligned blocks that they hold.
fn bits_of(first: u32, end: u32) -> u64 {
    let mut bits = 0;
    let mut chunk = first;
    while let Some(left) = end.checked_sub(chunk).and_then(NonZero::new) {
        let order = chunk.trailing_zeros().min(left.ilog2()).min(MAX_ORDER);
        bits |= Node::of(chunk, order).mask();
        chunk += 1 << order;
    }
    bits
}

/// The top word after taking from the free block `node` what touches `first..end`, rounded out to blocks of
/// `TOP_ORDER`, and the chunks taken. The rest stays free; taken chunks lie between its parts, so no pair arises.
pub(super) fn carve(word: u64, node: Node, first: u32, end: u32) -> (u64, Range<u32>) {
    let grain = 1 << TOP_ORDER;
    let from = (first & !(grain - 1)).max(node.first());
    let to = end.next_multiple_of(grain).min(node.end());
    let next = word & !node.mask() | bits_of(node.first(), from) | bits_of(to, node.end());
    (next, from..to)
}

/// The top word with all its pairs merged, upwards until none is left, and how many that were.
pub(super) fn merge_inside(word: u64) -> (u64, u32) {
    let mut next = word;
    let mut merged = 0;
    for order in TOP_ORDER..MAX_ORDER {
        let pairs = pairs(next) & row(order);
        next = next & !both(pairs) | halved(pairs);
        merged += pairs.count_ones();
    }
    (next, merged)
}
