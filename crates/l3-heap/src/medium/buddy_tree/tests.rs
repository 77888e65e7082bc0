//! Tests of the buddy tree with `core` atomics. Not covered here: memory ordering (`loom_models`), and what the
//! medium domain makes of a spurious `None`.

extern crate alloc;

mod oracle;
mod stress;

use super::{BuddyTree, CHUNKS, MAX_ORDER, node};
use alloc::vec::Vec;

/// A tree with the whole area free as one block.
fn full() -> BuddyTree {
    let tree = BuddyTree::new();
    tree.release(0, MAX_ORDER);
    tree
}

/// The free blocks, as reported.
fn blocks(tree: &BuddyTree) -> Vec<(u32, u32)> {
    tree.free_blocks().collect()
}

#[test]
fn smallest_example() {
    let tree = full();
    assert_eq!(tree.allocate(0), Some(0));
    assert_eq!(tree.allocate(0), Some(1));
    tree.release(0, 0);
    tree.release(1, 0);
    assert_eq!(tree.pending(), 1);
    assert_eq!(tree.merge(&()), 9);
    assert_eq!(blocks(&tree), [(0, MAX_ORDER)]);
    assert_eq!(tree.validate(), Ok(()));
}

#[test]
fn a_new_tree_has_nothing() {
    let tree = BuddyTree::new();
    assert!((0..=MAX_ORDER).all(|order| tree.allocate(order).is_none()));
    assert_eq!((tree.free_chunks(), tree.free_orders(), tree.merge(&())), (0, 0, 0));
    assert!(!tree.claim_range(0, 1));
    assert!(!tree.is_free(0));
    assert_eq!(tree.validate(), Ok(()));
}

#[test]
fn arguments_out_of_range_are_refused() {
    let tree = full();
    assert_eq!(tree.allocate(MAX_ORDER + 1), None);
    assert_eq!(tree.allocate(u32::MAX), None);
    assert_eq!(tree.allocate_range(0), None);
    assert_eq!(tree.allocate_range(CHUNKS + 1), None);
    assert_eq!(tree.allocate_range(u32::MAX), None);
    assert!(!tree.claim_range(CHUNKS - 1, 2));
    assert!(!tree.claim_range(1, u32::MAX));
    assert!(!tree.is_free(CHUNKS));
    assert_eq!(tree.allocate_below(3, 7), None);
    assert_eq!(blocks(&tree), [(0, MAX_ORDER)]);
}

#[test]
fn numbering_is_a_complete_tree() {
    for order in 0..=MAX_ORDER {
        for first in (0..CHUNKS).step_by(1 << order) {
            let block = node::Node::of(first, order);
            assert_eq!((block.first(), block.order(), block.end()), (first, order, first + (1 << order)));
            assert!(block.word() < node::WORDS);
            if order < MAX_ORDER {
                let above = node::Node::of(first, order + 1);
                assert_eq!(block.parent(), Some(above));
                let lower = block.mask().min(block.buddy_mask());
                assert_eq!(node::parents(block.word(), lower), (above.word(), above.mask()));
            } else {
                assert_eq!(block.parent(), None);
            }
            if order < node::TOP_ORDER {
                assert!(node::words_of(order).contains(&block.word()));
            } else {
                assert_eq!(block.word(), node::TOP_WORD);
            }
        }
    }
}

#[test]
fn smallest_sufficient_order_first_then_lowest_address() {
    let tree = BuddyTree::new();
    for (chunk, order) in [(0, 5), (64, 3), (72, 3), (100, 2), (120, 0)] {
        tree.release(chunk, order);
    }
    assert_eq!(tree.free_orders(), 0b10_1101);
    assert_eq!(tree.allocate(0), Some(120));
    assert_eq!(tree.allocate(0), Some(100));
    assert_eq!(tree.allocate(3), Some(64));
    assert_eq!(tree.allocate(4), Some(0));
    assert_eq!(blocks(&tree), [(16, 4), (72, 3), (102, 1), (101, 0)]);
}

#[test]
fn allocate_below_keeps_the_result_below_the_limit() {
    let tree = BuddyTree::new();
    tree.release(256, 0);
    tree.release(0, 8);
    assert_eq!(tree.allocate_below(0, 256), Some(0), "chunk 256 is the better fit, but too high");
    assert_eq!(tree.allocate_below(2, 7), None, "4..8 ends at 8");
    assert_eq!(tree.allocate_below(2, 8), Some(4));
    assert_eq!(tree.allocate_below(5, 63), None);
    assert_eq!(tree.allocate_below(5, 64), Some(32));
    assert_eq!(tree.allocate_below(0, 0), None);
    assert_eq!(tree.allocate(0), Some(1));
    assert_eq!(tree.allocate_below(0, u32::MAX), Some(256));
}

#[test]
fn allocate_range_gives_the_tail_back() {
    let tree = full();
    assert_eq!(tree.allocate_range(5), Some(0));
    assert_eq!(tree.free_chunks(), CHUNKS - 5);
    assert!(!tree.is_free(4));
    assert!(tree.is_free(5));
    tree.release_range(0, 5);
    tree.merge(&());
    assert_eq!(blocks(&tree), [(0, MAX_ORDER)]);
    assert_eq!(tree.allocate_range(CHUNKS), Some(0));
}

#[test]
fn release_range_uses_the_largest_blocks() {
    let tree = BuddyTree::new();
    tree.release_range(3, 14);
    assert_eq!(blocks(&tree), [(8, 3), (4, 2), (3, 0), (16, 0)]);
    tree.release_range(100, 0);
    assert_eq!(tree.free_chunks(), 14);
}

#[test]
fn claim_range_takes_the_range_and_returns_the_rest() {
    let tree = BuddyTree::new();
    tree.release(8, 3);
    tree.release(16, 1);
    assert!(tree.claim_range(11, 6));
    assert_eq!(blocks(&tree), [(8, 1), (10, 0), (17, 0)]);
    assert!(!tree.claim_range(10, 2), "11 is taken");
    assert!(!tree.claim_range(17, 2), "18 was never free");
    assert_eq!(blocks(&tree), [(8, 1), (10, 0), (17, 0)]);
    assert!(tree.claim_range(0, 0), "nothing can be had at once");
}

#[test]
fn claim_takes_a_block_of_that_order_only() {
    let tree = full();
    assert!(!tree.claim(0, MAX_ORDER - 1));
    assert!(tree.claim(0, MAX_ORDER));
    assert!(!tree.claim(0, MAX_ORDER));
}

#[test]
fn merge_climbs_from_the_smallest_order_to_the_root() {
    let tree = BuddyTree::new();
    (0..CHUNKS).for_each(|chunk| tree.release(chunk, 0));
    assert_eq!(tree.pending(), CHUNKS / 2);
    assert_eq!(tree.merge(&()), CHUNKS - 1);
    assert_eq!(blocks(&tree), [(0, MAX_ORDER)]);
    assert_eq!(tree.merge(&()), 0);
}

#[test]
fn merge_leaves_neighbours_that_are_no_buddies() {
    let tree = BuddyTree::new();
    tree.release(1, 0);
    tree.release(2, 0);
    assert_eq!((tree.pending(), tree.merge(&())), (0, 0));
    assert_eq!(blocks(&tree), [(1, 0), (2, 0)]);
}

#[test]
fn validate_names_each_violation() {
    let tree = full();
    tree.release(7, 0);
    assert!(tree.validate().unwrap_err().starts_with("BT-ONE"));
    let tree = BuddyTree::new();
    tree.release(0, 4);
    tree.release(16, 4);
    assert_eq!(tree.validate(), Ok(()));
    tree.pending.store(0, super::Ordering::Relaxed);
    assert!(tree.validate().unwrap_err().starts_with("BT-QUEUE"));
    tree.words[0].store(1, super::Ordering::Relaxed);
    assert!(tree.validate().unwrap_err().starts_with("BT-ROOT"));
}
