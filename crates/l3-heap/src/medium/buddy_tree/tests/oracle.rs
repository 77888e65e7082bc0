//! `Config × Vec<Op>` against a naive tree: a set of free blocks and the owner of every chunk. In one thread nothing
//! is spurious, so every result and the whole state must be equal after each step.

use super::alloc::collections::BTreeSet;
use super::alloc::vec::Vec;
use super::{BuddyTree, CHUNKS, MAX_ORDER};
use proptest::prelude::*;
use stratalloc_resource::conformance;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Chunk {
    /// Never given to the tree, or claimed by range and kept.
    Outside,
    Free,
    Taken,
}

/// Free blocks as `(order, first)`: iterating finds the smallest order first, then the lowest address.
struct Naive {
    free: BTreeSet<(u32, u32)>,
    chunks: [Chunk; CHUNKS as usize],
}

impl Naive {
    fn paint(&mut self, first: u32, count: u32, from: Option<Chunk>, to: Chunk) {
        for chunk in first..first + count {
            let cell = &mut self.chunks[chunk as usize];
            assert!(from.is_none_or(|from| *cell == from), "chunk {chunk} was {cell:?}");
            *cell = to;
        }
    }

    /// Puts a range in as the largest aligned blocks.
    fn insert_range(&mut self, mut first: u32, mut count: u32) {
        while count > 0 {
            let order =
                (0..=MAX_ORDER).rev().find(|o| first.is_multiple_of(1 << o) && 1 << o <= count).unwrap();
            assert!(self.free.insert((order, first)), "freed twice");
            first += 1 << order;
            count -= 1 << order;
        }
    }

    fn allocate(&mut self, order: u32, limit: u32) -> Option<u32> {
        let fits = |&&(o, first): &&(u32, u32)| o >= order && first + (1 << order) <= limit;
        let (from, first) = *self.free.iter().find(fits)?;
        self.free.remove(&(from, first));
        self.insert_range(first + (1 << order), (1 << from) - (1 << order));
        self.paint(first, 1 << order, Some(Chunk::Free), Chunk::Taken);
        Some(first)
    }

    fn release(&mut self, first: u32, count: u32) {
        self.paint(first, count, Some(Chunk::Taken), Chunk::Free);
        self.insert_range(first, count);
    }

    fn claim_range(&mut self, first: u32, count: u32) -> bool {
        let end = first + count;
        if end > CHUNKS || (first..end).any(|chunk| self.chunks[chunk as usize] != Chunk::Free) {
            return false;
        }
        let meets = |&(order, at): &(u32, u32)| at < end && at + (1 << order) > first;
        let hit: Vec<_> = self.free.iter().copied().filter(|block| meets(block)).collect();
        for (order, at) in hit {
            self.free.remove(&(order, at));
            self.insert_range(at, first.saturating_sub(at).min(1 << order));
            let block_end = at + (1 << order);
            self.insert_range(end.min(block_end), block_end.saturating_sub(end));
        }
        self.paint(first, count, Some(Chunk::Free), Chunk::Taken);
        true
    }

    fn merge(&mut self) -> u32 {
        let mut merged = 0;
        while let Some(&(order, first)) = self.free.iter().find(|&&(order, first)| {
            first.is_multiple_of(2 << order) && self.free.contains(&(order, first + (1 << order)))
        }) {
            self.free.remove(&(order, first));
            self.free.remove(&(order, first + (1 << order)));
            self.free.insert((order + 1, first));
            merged += 1;
        }
        merged
    }
}

#[derive(Clone, Debug)]
enum Op {
    Allocate(u32),
    AllocateBelow(u32, u32),
    AllocateRange(u32),
    /// Release the block with this index (modulo how many there are) …
    Release(usize),
    /// … or only its tail beyond so many chunks (modulo its size).
    Shrink(usize, u32),
    /// Grow the block with this index by the chunks behind it.
    Grow(usize, u32),
    ClaimRange(u32, u32),
    ClaimFree(usize),
    Merge,
}

fn op() -> impl Strategy<Value = Op> {
    let order = 0..=MAX_ORDER;
    // Small counts mostly: a large one soon empties the area.
    let count = prop_oneof![4 => 1..9_u32, 1 => 1..=CHUNKS];
    prop_oneof![
        3 => order.clone().prop_map(|order| Op::Allocate(order / 2)),
        1 => order.clone().prop_map(Op::Allocate),
        2 => (order, 0..=CHUNKS).prop_map(|(order, limit)| Op::AllocateBelow(order / 2, limit)),
        3 => count.clone().prop_map(Op::AllocateRange),
        6 => any::<usize>().prop_map(Op::Release),
        2 => (any::<usize>(), any::<u32>()).prop_map(|(block, keep)| Op::Shrink(block, keep)),
        2 => (any::<usize>(), count.clone()).prop_map(|(block, more)| Op::Grow(block, more)),
        2 => (0..CHUNKS, count).prop_map(|(first, count)| Op::ClaimRange(first, count)),
        1 => any::<usize>().prop_map(Op::ClaimFree),
        2 => Just(Op::Merge),
    ]
}

/// What the area starts with: everything, or alternating stretches of chunks inside and outside.
fn config() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![Just(Vec::from([CHUNKS])), prop::collection::vec(1..40_u32, 1..20)]
}

fn run(stretches: &[u32], ops: &[Op]) {
    let tree = BuddyTree::new();
    let mut naive = Naive { free: BTreeSet::new(), chunks: [Chunk::Outside; CHUNKS as usize] };
    let mut at = 0;
    for (index, &stretch) in stretches.iter().enumerate() {
        let count = stretch.min(CHUNKS - at);
        if index % 2 == 0 {
            tree.release_range(at, count);
            naive.paint(at, count, Some(Chunk::Outside), Chunk::Taken);
            naive.release(at, count);
        }
        at += count;
    }
    let owned = naive.chunks.iter().filter(|&&chunk| chunk == Chunk::Free).count();

    let mut live: Vec<(u32, u32)> = Vec::new();
    for op in ops {
        match *op {
            Op::Allocate(order) => {
                let got = tree.allocate(order);
                assert_eq!(got, naive.allocate(order, CHUNKS));
                live.extend(got.map(|first| (first, 1 << order)));
            }
            Op::AllocateBelow(order, limit) => {
                let got = tree.allocate_below(order, limit);
                assert_eq!(got, naive.allocate(order, limit));
                live.extend(got.map(|first| (first, 1 << order)));
            }
            Op::AllocateRange(count) => {
                let got = tree.allocate_range(count);
                let whole = count.next_power_of_two();
                let expected = naive.allocate(whole.ilog2(), CHUNKS);
                assert_eq!(got, expected);
                if let Some(first) = expected {
                    naive.release(first + count, whole - count);
                    live.push((first, count));
                }
            }
            Op::Release(index) if !live.is_empty() => {
                let (first, count) = live.swap_remove(index % live.len());
                tree.release_range(first, count);
                naive.release(first, count);
            }
            Op::Shrink(index, keep) if !live.is_empty() => {
                let index = index % live.len();
                let (first, count) = live[index];
                let keep = keep % count + 1;
                tree.release_range(first + keep, count - keep);
                naive.release(first + keep, count - keep);
                live[index].1 = keep;
            }
            Op::Grow(index, more) if !live.is_empty() => {
                let index = index % live.len();
                let (first, count) = live[index];
                let grown = tree.claim_range(first + count, more);
                assert_eq!(grown, naive.claim_range(first + count, more));
                live[index].1 += if grown { more } else { 0 };
            }
            Op::ClaimRange(first, count) => {
                let got = tree.claim_range(first, count);
                assert_eq!(got, naive.claim_range(first, count));
                live.extend(got.then_some((first, count)));
            }
            Op::ClaimFree(index) if !naive.free.is_empty() => {
                let (order, first) = *naive.free.iter().nth(index % naive.free.len()).unwrap();
                assert!(tree.claim(first, order));
                naive.free.remove(&(order, first));
                naive.paint(first, 1 << order, Some(Chunk::Free), Chunk::Taken);
                live.push((first, 1 << order));
            }
            Op::Merge => {
                assert_eq!(tree.merge(&()), naive.merge());
                assert_eq!(tree.pending(), 0);
            }
            Op::Release(_) | Op::Shrink(..) | Op::Grow(..) | Op::ClaimFree(_) => {}
        }
        compare(&tree, &naive);
        let allocated: u32 = live.iter().map(|&(_, count)| count).sum();
        assert_eq!((tree.free_chunks() + allocated) as usize, owned, "free + allocated == owned");
    }

    for (first, count) in live {
        tree.release_range(first, count);
        naive.release(first, count);
    }
    tree.merge(&());
    naive.merge();
    compare(&tree, &naive);
    if owned == CHUNKS as usize {
        assert_eq!(tree.free_blocks().collect::<Vec<_>>(), [(0, MAX_ORDER)]);
    }
}

fn compare(tree: &BuddyTree, naive: &Naive) {
    assert_eq!(tree.validate(), Ok(()));
    let ours: BTreeSet<_> = tree.free_blocks().map(|(first, order)| (order, first)).collect();
    assert_eq!(ours, naive.free);
    assert_eq!(tree.free_orders(), naive.free.iter().fold(0, |orders, &(order, _)| orders | 1 << order));
    // Miri is slow: a sample.
    for (chunk, state) in (0..).zip(&naive.chunks).step_by(if cfg!(miri) { 61 } else { 1 }) {
        assert_eq!(tree.is_free(chunk), *state == Chunk::Free, "chunk {chunk}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(128),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_result_equals_the_naive_tree(
        stretches in config(),
        ops in prop::collection::vec(op(), 1..if cfg!(miri) { 15 } else { 200 }),
    ) {
        run(&stretches, &ops);
    }
}
