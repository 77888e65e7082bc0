//! A server whose threads end while their objects live on (the shape of Larson and Krishnan's test).
//!
//! ```text
//!   chain 0:  thread ──table──► thread ──table──► thread …      each replaces random blocks, then starts its successor
//!   chain 1:  thread ──table──► thread …                        chains do not wait for each other
//! ```
//!
//! What a thread frees was mostly made by its predecessors, who have ended: the frees are remote, and their owner is gone.

use crate::block::Block;
use crate::rng::Rng;
use crate::task::{Tally, Task};
use std::sync::Mutex;
use std::thread::{self, Scope};

/// Blocks in all tables together.
const BLOCKS: usize = 8_000;

/// Threads in a chain, one after the other.
const GENERATIONS: usize = 25;

/// What one thread leaves to the next.
struct Table {
    blocks: Vec<Block>,
    rng: Rng,
    tally: Tally,
}

/// Replaces random blocks of 16 to 512 bytes, through generations of threads.
pub(crate) fn handover(task: Task) -> Tally {
    let rounds = (task.share(6_000_000) / GENERATIONS).max(1);
    let results = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for chain in 0..task.threads() {
            let mut rng = Rng::new(0x5eed_000d, chain);
            let blocks = (0..BLOCKS / task.threads()).map(|_| new_block(&mut rng)).collect();
            let table = Table { blocks, rng, tally: Tally::default() };
            let results = &results;
            scope.spawn(move || generation(scope, table, rounds, GENERATIONS, results));
        }
    });
    results.into_inner().expect("a thread failed")
}

/// The life of one thread; `left` counts it and its successors.
fn generation<'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut table: Table,
    rounds: usize,
    left: usize,
    results: &'scope Mutex<Tally>,
) {
    for _ in 0..rounds {
        let slot = table.rng.below(table.blocks.len());
        let new = new_block(&mut table.rng);
        let old = std::mem::replace(&mut table.blocks[slot], new);
        table.tally.count(old.mark());
    }
    if left > 1 {
        scope.spawn(move || generation(scope, table, rounds, left - 1, results));
        return;
    }
    for block in &table.blocks {
        table.tally.count(block.mark_checked());
    }
    let mut sum = results.lock().expect("a thread failed");
    *sum = [*sum, table.tally].into_iter().sum();
}

fn new_block(rng: &mut Rng) -> Block {
    Block::new(rng.size(16, 5), rng.word())
}
