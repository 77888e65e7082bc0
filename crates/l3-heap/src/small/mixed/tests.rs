//! Mixed slabs from inside: states that a program does not see.
//!
//! Not covered here: what a program sees (`tests/mixed.rs`), other threads (`tests/threads.rs`).

extern crate alloc;

use alloc::vec::Vec;

use core::ptr;

use super::*;
use crate::small::slice;
use crate::small::thread_heap::current;
use crate::{allocate, allocate_aligned, collect, deallocate};

const KIB: usize = 1 << 10;

fn record(block: *mut u8) -> &'static Slab {
    slice::head(current().record_of(block).expect("a block of the region"))
}

fn free(block: *mut u8) {
    // SAFETY: callers free each block once.
    unsafe { deallocate(block) };
}

/// As a signal handler frees that interrupted its thread inside a slow path.
fn free_while_busy(blocks: &[*mut u8]) {
    current().busy.set(true);
    blocks.iter().for_each(|block| free(*block));
    current().busy.set(false);
}

/// Blocks of these sizes and alignments that lie in one slab, the first at its start and nothing else there before. Other tests leave slabs behind, which
/// come first; what was had from them is returned, too.
fn begin_a_slab(wanted: &[(usize, usize)]) -> (Vec<*mut u8>, Vec<*mut u8>) {
    let mut others = Vec::new();
    loop {
        let first = allocate(wanted[0].0);
        let slab = record(first);
        let mut blocks = Vec::from([first]);
        if first == unit_at(slab, 0).cast()
            && slab.ends.load(Ordering::Relaxed).count_ones() == 1
            && !slab.was_reused()
        {
            blocks.extend(wanted[1..].iter().map(|(size, align)| allocate_aligned(*size, *align)));
            if blocks.iter().all(|block| ptr::eq(record(*block), slab)) {
                return (blocks, others);
            }
        }
        others.extend(blocks);
    }
}

#[test]
fn the_last_blocks_of_a_full_slab_may_come_home_unseen() {
    let (blocks, others) = begin_a_slab(&[(32 * KIB, 16), (32 * KIB, 16)]);
    let slab = record(blocks[0]);
    // The slab's blocks went out twice, so it is no orphan when it is full.
    free(blocks[1]);
    assert_eq!(allocate(32 * KIB), blocks[1]);
    assert!(slab.state() == State::Full && !slab.is_orphan());
    free_while_busy(&blocks);
    assert!(slab.free.get().is_null() && slab.needed.get() == 1, "the slab is as it was");
    assert_eq!(slab.remote.waiting(), 0, "all units are home, so it was given back");
    others.into_iter().for_each(free);
    collect();
}

#[test]
fn a_full_slab_with_a_rest_is_no_orphan() {
    // The alignment leaves three units between the first two.
    let (blocks, mut others) =
        begin_a_slab(&[(5 * KIB, 16), (8 * KIB, 8 * KIB), (32 * KIB, 16), (16 * KIB, 16)]);
    let slab = record(blocks[0]);
    while slab.state() != State::Full {
        others.push(allocate(5 * KIB));
    }
    assert!(!slab.was_reused() && !slab.is_orphan() && slab.vacant.get().count_ones() == 3);
    // As if without a heap: the blocks wait in the owner's mailbox.
    free_while_busy(&blocks);
    assert_eq!(slab.remote.waiting(), 61);
    others.into_iter().for_each(free);
    collect();
    assert_eq!(slab.remote.waiting(), 0);
}

/// A handler that interrupts the moment in which the kept block goes home must not get it.
#[test]
fn a_busy_heap_keeps_its_kept_block() {
    let block = allocate(9 * KIB);
    free(block);
    current().busy.set(true);
    let other = allocate(9 * KIB);
    current().busy.set(false);
    assert!(!other.is_null() && other != block);
    let again = allocate(9 * KIB);
    assert_eq!(again, block);
    free(again);
    free(other);
}
