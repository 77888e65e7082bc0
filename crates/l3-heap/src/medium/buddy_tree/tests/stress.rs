//! Several threads on one tree. Every chunk has an owner cell that only the owner may change: a block handed to two
//! threads is seen by the swap. Contents are plain bytes written by the owner, so Miri and ThreadSanitizer see a
//! missing happens-before.

use super::alloc::vec::Vec;
use super::{BuddyTree, CHUNKS, MAX_ORDER};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;
use std::thread;

const THREADS: u32 = 4;
const ROUNDS: u32 = if cfg!(miri) { 60 } else { 40_000 };

/// The memory that the tree stands for: one word per chunk.
struct Memory {
    owner: [AtomicU32; CHUNKS as usize],
    contents: [UnsafeCell<u32>; CHUNKS as usize],
}

// SAFETY: `contents` is accessed only between `take` and `give` of the same chunk, which the tree under test hands to
// one thread at a time (BT-ONE); that it does is what the test is about.
unsafe impl Sync for Memory {}

impl Memory {
    fn take(&self, first: u32, count: u32, me: u32) {
        for chunk in first..first + count {
            let before = self.owner[chunk as usize].swap(me, Ordering::Relaxed);
            assert_eq!(before, 0, "chunk {chunk} handed to {me} while {before} has it");
            // SAFETY: the chunk is ours since the swap above (see `Sync`).
            unsafe { self.contents[chunk as usize].get().write(me) };
        }
    }

    fn give(&self, first: u32, count: u32, me: u32) {
        for chunk in first..first + count {
            // SAFETY: the chunk is ours until the swap below (see `Sync`).
            let contents = unsafe { self.contents[chunk as usize].get().read() };
            assert_eq!(contents, me, "chunk {chunk} overwritten");
            assert_eq!(self.owner[chunk as usize].swap(0, Ordering::Relaxed), me);
        }
    }
}

/// A small generator: xorshift.
fn next(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

fn work(tree: &BuddyTree, memory: &Memory, merger: &Mutex<()>, me: u32) {
    let mut random = me.wrapping_mul(0x9E37_79B9);
    let mut live: Vec<(u32, u32)> = Vec::new();
    for _ in 0..ROUNDS {
        let draw = next(&mut random);
        let count = 1 << ((draw >> 8) % 5);
        let got = match draw % 8 {
            0 => tree.allocate((draw >> 8) % 6).map(|first| (first, 1 << ((draw >> 8) % 6))),
            1 => tree.allocate_below(0, (draw >> 8) % CHUNKS).map(|first| (first, 1)),
            2 => tree.allocate_range(count + 1).map(|first| (first, count + 1)),
            3 => {
                let first = (draw >> 16) % CHUNKS;
                tree.claim_range(first, count).then_some((first, count))
            }
            4 => {
                if let Ok(guard) = merger.try_lock() {
                    tree.merge(&guard);
                }
                None
            }
            _ => {
                if !live.is_empty() {
                    let (first, count) = live.swap_remove((draw >> 8) as usize % live.len());
                    memory.give(first, count, me);
                    tree.release_range(first, count);
                }
                None
            }
        };
        if let Some((first, count)) = got {
            memory.take(first, count, me);
            live.push((first, count));
        }
    }
    for (first, count) in live {
        memory.give(first, count, me);
        tree.release_range(first, count);
    }
}

#[test]
fn threads_never_share_a_chunk_and_lose_none() {
    let tree = BuddyTree::new();
    tree.release(0, MAX_ORDER);
    let memory = Memory {
        owner: [const { AtomicU32::new(0) }; CHUNKS as usize],
        contents: [const { UnsafeCell::new(0) }; CHUNKS as usize],
    };
    let merger = Mutex::new(());
    thread::scope(|scope| {
        for me in 1..=THREADS {
            let (tree, memory, merger) = (&tree, &memory, &merger);
            scope.spawn(move || work(tree, memory, merger, me));
        }
    });
    assert_eq!(tree.free_chunks(), CHUNKS);
    assert_eq!(tree.validate(), Ok(()));
    tree.merge(&());
    assert_eq!(tree.free_blocks().collect::<Vec<_>>(), [(0, MAX_ORDER)]);
}

#[test]
fn large_orders_never_fail_spuriously() {
    // Orders 4 and up live in word 0, where claim, split and merge are one CAS each: with 32 such blocks and never
    // more than `THREADS` of them taken at a time by anybody, no allocation may come back empty.
    let tree = BuddyTree::new();
    tree.release(0, MAX_ORDER);
    let merger = Mutex::new(());
    thread::scope(|scope| {
        for me in 1..=THREADS {
            let (tree, merger) = (&tree, &merger);
            scope.spawn(move || {
                let mut random = me.wrapping_mul(0x9E37_79B9);
                for _ in 0..ROUNDS {
                    let first = tree.allocate(4).expect("at most 4 of 32 blocks are taken");
                    if next(&mut random).is_multiple_of(4)
                        && let Ok(guard) = merger.try_lock()
                    {
                        tree.merge(&guard);
                    }
                    tree.release(first, 4);
                }
            });
        }
    });
    assert_eq!(tree.free_chunks(), CHUNKS);
    assert_eq!(tree.validate(), Ok(()));
}
