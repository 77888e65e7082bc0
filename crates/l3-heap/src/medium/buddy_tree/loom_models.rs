//! Models of the real code: every interleaving and every stale read that the memory model allows, within loom's
//! bounds. Run with `RUSTFLAGS="--cfg loom" cargo test -p stratalloc-heap --lib --release loom`.
//!
//! Only a corner of the tree is populated: **units** of 8 chunks (order 3, in word 1), two of which make an order-4
//! block in word 0, so both kinds of step occur, across words and inside word 0. Orders 0–2 run the code of order 3
//! on other words. Each unit has a cell that its owner writes: two owners at once, or a new owner who cannot see the
//! last one's access, is an error that loom reports.

use super::BuddyTree;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// The smallest order in these models, and its chunks.
const UNIT: u32 = 3;
const CHUNKS_OF_UNIT: u32 = 1 << UNIT;

/// A tree and the memory of its first units.
struct Area {
    tree: BuddyTree,
    cells: [UnsafeCell<u32>; 4],
}

impl Area {
    fn new() -> Arc<Self> {
        let cells = core::array::from_fn(|_| UnsafeCell::new(0));
        Arc::new(Self { tree: BuddyTree::new(), cells })
    }

    /// What an owner does with a block: access all of it.
    fn touch(&self, first: u32, count: u32) {
        for unit in first / CHUNKS_OF_UNIT..(first + count) / CHUNKS_OF_UNIT {
            // SAFETY: the caller got the block from the tree, which is what loom checks here.
            self.cells[unit as usize].with_mut(|cell| unsafe { *cell += 1 });
        }
    }

    /// The last access, then the release.
    fn give(&self, first: u32, order: u32) {
        self.touch(first, 1 << order);
        self.tree.release(first, order);
    }

    /// An allocation and the first access; the chunks obtained.
    fn take(&self, order: u32) -> u32 {
        self.tree.allocate(order).map_or(0, |first| {
            self.touch(first, 1 << order);
            1 << order
        })
    }

    /// When all is quiet: nothing lost, nothing doubled, and every invariant holds.
    fn settle(&self, free: u32) {
        assert_eq!(self.tree.free_chunks(), free, "free + allocated == given to the tree");
        assert_eq!(self.tree.validate(), Ok(()));
    }
}

/// (a) Two allocators and a releaser: one block is split by whoever comes first, the other one gets the upper half
/// through the splitter, or the exact block.
///
/// Seen failing (data race on a cell) with `release` Relaxed, `claim_lowest` Relaxed and `claim_top` Relaxed.
#[test]
fn allocators_and_releaser() {
    loom::model(|| {
        let area = Area::new();
        let allocators = [0, 1].map(|_| {
            let area = area.clone();
            thread::spawn(move || area.take(UNIT))
        });
        area.give(0, UNIT + 1);
        area.give(16, UNIT);
        let taken: u32 = allocators.map(|thread| thread.join().unwrap()).iter().sum();
        area.settle(24 - taken);
    });
}

/// (a) The same with a block that comes back: an allocator that releases, so bits are set again behind a scan.
#[test]
fn a_bit_comes_back() {
    loom::model(|| {
        let area = Area::new();
        area.give(0, UNIT + 1);
        let other = {
            let area = area.clone();
            thread::spawn(move || {
                // `None` while the other thread is about to put the upper half back: the window of a split.
                if let Some(first) = area.tree.allocate(UNIT) {
                    area.give(first, UNIT);
                }
            })
        };
        let taken = area.take(UNIT);
        other.join().unwrap();
        area.settle(16 - taken);
    });
}

/// (b) Both buddies are released while a worker merges and allocates the parent. Whatever happened, the pair is in
/// the queue or merged: a second look finds the parent.
///
/// Seen failing with the CAS of `merge_word` Relaxed (data race: the first releaser's access is not carried up) and
/// with `raise` Relaxed or the swap of `merge` Relaxed (BT-QUEUE: the bell is taken and the pair not seen).
#[test]
fn release_of_buddies_against_merge() {
    loom::model(|| {
        let area = Area::new();
        let releasers = [0, 8].map(|first| {
            let area = area.clone();
            thread::spawn(move || area.give(first, UNIT))
        });
        area.tree.merge(&());
        let mut taken = area.take(UNIT + 1);
        for thread in releasers {
            thread.join().unwrap();
        }
        area.settle(16 - taken);
        if taken == 0 {
            area.tree.merge(&());
            taken = area.take(UNIT + 1);
        }
        assert_eq!(taken, 16);
    });
}

/// (b) One thread completes the pair and merges, another allocates the parent: the parent's bit carries both units.
///
/// Seen failing (data race) with the `fetch_or` of `merge_word` Relaxed.
#[test]
fn merged_parent_carries_its_halves() {
    loom::model(|| {
        let area = Area::new();
        area.tree.release(8, UNIT);
        let worker = {
            let area = area.clone();
            thread::spawn(move || {
                area.give(0, UNIT);
                area.tree.merge(&())
            })
        };
        let taken = area.take(UNIT + 1);
        assert_eq!(worker.join().unwrap(), 1);
        area.settle(16 - taken);
    });
}

/// (b) Merge against an allocator that wants one of the buddies: either the pair is taken or the unit, never both.
///
/// Seen failing (a unit lost or doubled) with the CAS of `merge_word` replaced by a load and a store.
#[test]
fn merge_against_allocation_of_a_buddy() {
    loom::model(|| {
        let area = Area::new();
        area.give(0, UNIT);
        area.give(8, UNIT);
        let allocator = {
            let area = area.clone();
            thread::spawn(move || area.take(UNIT))
        };
        let merged = area.tree.merge(&());
        let taken = allocator.join().unwrap();
        assert!(taken == CHUNKS_OF_UNIT || merged == 1, "only the merge window may hide the units");
        area.settle(16 - taken);
    });
}

/// (b) A merge that is disturbed by changes of the same words gives up, and rings the bell again.
///
/// Seen failing (BT-QUEUE) without the `raise` at the end of `merge_word`, and of `merge_top`.
#[test]
fn disturbed_merge_rings_again() {
    loom::model(|| {
        let area = Area::new();
        for unit in [0, 8, 32, 48] {
            area.tree.release(unit, if unit < 16 { UNIT } else { UNIT + 1 });
        }
        let other = {
            let area = area.clone();
            thread::spawn(move || {
                area.tree.release(24, UNIT);
                area.tree.release(64, UNIT + 1);
            })
        };
        area.tree.merge(&());
        other.join().unwrap();
        area.settle(72);
    });
}

/// (b) Inside word 0 the merge is one Relaxed CAS: the releases it passes on are carried by BT-RMW.
///
/// Seen failing (data race) with `release` Relaxed, and with the CAS of `merge_top` replaced by a store.
#[test]
fn merge_inside_the_top_word() {
    loom::model(|| {
        let area = Area::new();
        let releasers = [0, 16].map(|first| {
            let area = area.clone();
            thread::spawn(move || area.give(first, UNIT + 1))
        });
        area.tree.merge(&());
        let taken = area.take(UNIT + 2);
        for thread in releasers {
            thread.join().unwrap();
        }
        area.settle(32 - taken);
        area.tree.merge(&());
        assert_eq!(taken + area.take(UNIT + 2), 32);
    });
}

/// (c) A block grows over two free blocks while an allocator wants one of them and a third thread has just released
/// it: all or nothing, and what was claimed in vain comes back.
///
/// Seen failing (data race) with `claim_node` Relaxed, and (a unit lost) without the rollback.
#[test]
fn claim_range_against_allocate() {
    loom::model(|| {
        let area = Area::new();
        area.give(0, UNIT + 1);
        let allocator = {
            let area = area.clone();
            thread::spawn(move || area.take(UNIT))
        };
        let releaser = {
            let area = area.clone();
            thread::spawn(move || area.give(16, UNIT))
        };
        let grown = if area.tree.claim_range(8, 16) {
            area.touch(8, 16);
            16
        } else {
            0
        };
        let taken = allocator.join().unwrap() + grown;
        releaser.join().unwrap();
        area.settle(24 - taken);
    });
}

/// (c) A range inside a large block: the order-4 blocks that it does not touch are never out of sight, so an
/// allocation of that order cannot fail.
///
/// Seen failing with `claim_around` claiming the whole block.
#[test]
fn claim_range_leaves_other_blocks_in_sight() {
    loom::model(|| {
        let area = Area::new();
        area.give(0, UNIT + 2);
        let allocator = {
            let area = area.clone();
            thread::spawn(move || area.take(UNIT + 1))
        };
        let grown = area.tree.claim_range(24, 8);
        if grown {
            area.touch(24, 8);
        }
        assert_eq!(allocator.join().unwrap(), 16);
        area.settle(16 - if grown { 8 } else { 0 });
    });
}

/// (c) A range inside a large block that another thread is just releasing.
///
/// Seen failing (data race) with the CAS of `claim_around` Relaxed.
#[test]
fn claim_range_of_a_released_block() {
    loom::model(|| {
        let area = Area::new();
        let releaser = {
            let area = area.clone();
            thread::spawn(move || area.give(0, UNIT + 2))
        };
        let grown = area.tree.claim_range(24, 8);
        if grown {
            area.touch(24, 8);
        }
        releaser.join().unwrap();
        area.settle(32 - if grown { 8 } else { 0 });
    });
}

/// (c) Two overlapping claims: both may fail, not both succeed, and no chunk is lost.
#[test]
fn overlapping_claims() {
    loom::model(|| {
        let area = Area::new();
        area.give(0, UNIT);
        area.give(8, UNIT);
        area.give(16, UNIT);
        let other = {
            let area = area.clone();
            thread::spawn(move || area.tree.claim_range(8, 16))
        };
        let ours = area.tree.claim_range(0, 16);
        let others = other.join().unwrap();
        assert!(!(ours && others));
        area.settle(24 - 16 * u32::from(ours || others));
    });
}
