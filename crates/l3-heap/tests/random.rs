//! Random operations against a shadow of what every block must contain; the heap's equations are checked along the way.
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]

mod support;

use std::sync::mpsc;

use stratalloc_heap::{allocate, allocate_aligned, allocate_zeroed, collect, reallocate, validate};
use support::{Block, Random, alone, low_byte, rounds};

/// Sizes of all domains, small ones more often.
fn any_size(rng: &mut Random) -> usize {
    match rng.below(100) {
        0..=59 => rng.below(300),
        60..=79 => rng.below(5000),
        80..=91 => rng.below(40_000),
        92..=96 => rng.below(300_000),
        97..=98 => rng.below(1_500_000),
        _ => rng.below(6_000_000),
    }
}

fn new_block(rng: &mut Random) -> Block {
    let size = any_size(rng);
    let seed = low_byte(rng.below(256));
    let (kind, align) = (rng.below(8), 1usize << rng.below(20));
    let ptr = match kind {
        0 => allocate_zeroed(size),
        1 => allocate_aligned(size, align),
        _ => allocate(size),
    };
    assert!(!ptr.is_null());
    assert_eq!(ptr.addr() % if kind == 1 { align.max(16) } else { 16 }, 0, "align {align} size {size}");
    let block = Block::new(ptr, size, seed);
    if kind == 0 {
        block.check_zero();
    }
    block.fill();
    block
}

fn churn(seed: u64, rounds: usize, mut exchange: impl FnMut(Block) -> Option<Block>) {
    let mut rng = Random(seed);
    let mut live: Vec<Block> = Vec::new();
    for _ in 0..rounds {
        match rng.below(16) {
            0..=6 => live.push(new_block(&mut rng)),
            7..=12 if !live.is_empty() => live.swap_remove(rng.below(live.len())).free(),
            13..=14 if !live.is_empty() => {
                let old = live.swap_remove(rng.below(live.len()));
                let size = any_size(&mut rng).max(1);
                // SAFETY: the block is ours; the returned pointer replaces it.
                let ptr = unsafe { reallocate(old.ptr(), size) };
                assert!(!ptr.is_null());
                live.push(old.resized(ptr, size));
            }
            _ => {
                if let Some(block) = live.pop() {
                    live.extend(exchange(block));
                }
            }
        }
        if live.len() > 400 {
            for _ in 0..300 {
                live.swap_remove(rng.below(live.len())).free();
            }
        }
    }
    live.into_iter().for_each(Block::free);
}

#[test]
fn one_thread() {
    let _alone = alone();
    for seed in 1..4 {
        churn(seed * 7919, rounds(60_000), Some);
        validate().expect("after a churn");
        collect();
        validate().expect("after collecting");
    }
}

#[test]
fn threads_exchange_blocks_and_end() {
    let _alone = alone();
    for round in 0..3u64 {
        std::thread::scope(|scope| {
            let (first, mut inbox) = mpsc::channel::<Block>();
            let mut threads = Vec::new();
            for thread in 0..4u64 {
                let (to, next) = mpsc::channel::<Block>();
                let mine = core::mem::replace(&mut inbox, next);
                threads.push(scope.spawn(move || {
                    churn(round * 100 + thread + 1, rounds(20_000), |block| {
                        if let Err(error) = to.send(block) {
                            error.0.free();
                        }
                        mine.try_recv().ok()
                    });
                    drop(to);
                    mine.into_iter().for_each(Block::free);
                }));
            }
            drop(first);
            inbox.into_iter().for_each(Block::free);
            // A scope waits for its closures only; a join also waits for the end of each thread, where its heap is handed over.
            threads.into_iter().for_each(|thread| thread.join().expect("no block was damaged"));
        });
        collect();
        validate().expect("after the threads ended");
    }
}
