//! Threads that come and go.

use crate::block::Block;
use crate::rng::Rng;
use crate::task::{Tally, Task};
use std::thread;

/// Blocks that each thread makes.
const BLOCKS: usize = 200;

/// Every so many of them outlives its thread.
const LEFT_BEHIND: usize = 20;

/// Waves of results that live at the same time.
const WAVES_KEPT: usize = 8;

/// Starts waves of threads; each makes blocks, drops most, and leaves a few to the starter, who drops them some waves
/// later. The number of threads is the same whatever the width of a wave.
pub(crate) fn thread_churn(task: Task) -> Tally {
    let waves = task.share(6_000);
    let mut tally = Tally::default();
    let mut kept: Vec<Vec<Block>> = Vec::new();
    for wave in 0..waves {
        let results: Vec<(Tally, Vec<Block>)> = thread::scope(|scope| {
            let started: Vec<_> = (0..task.threads())
                .map(|index| scope.spawn(move || short_life(wave * task.threads() + index)))
                .collect();
            started.into_iter().map(|thread| thread.join().expect("a thread failed")).collect()
        });
        for (own, left) in results {
            tally = [tally, own].into_iter().sum();
            kept.push(left);
        }
        if kept.len() > WAVES_KEPT * task.threads() {
            for block in kept.drain(..task.threads()).flatten() {
                tally.add(block.mark());
            }
        }
    }
    for block in kept.into_iter().flatten() {
        tally.add(block.mark());
    }
    tally
}

/// The whole life of one thread.
fn short_life(number: usize) -> (Tally, Vec<Block>) {
    let mut rng = Rng::new(0x5eed_000c, number);
    let mut tally = Tally::default();
    let mut blocks: Vec<Block> = (0..BLOCKS).map(|_| Block::new(rng.size(16, 8), rng.word())).collect();
    let mut left = Vec::new();
    for index in (0..BLOCKS).rev() {
        let block = blocks.swap_remove(index);
        tally.count(block.mark());
        if index % LEFT_BEHIND == 0 {
            left.push(block);
        }
    }
    (tally, left)
}
