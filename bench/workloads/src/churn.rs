//! Steady states and drifts: what a heap looks like after a while.

use crate::block::Block;
use crate::rng::Rng;
use crate::task::{Tally, Task};

/// Live objects of the steady state, over all threads.
const LIVE: usize = 50_000;

/// Replaces a random object of 16 B to 4 KiB, again and again.
pub(crate) fn random_replace(task: Task) -> Tally {
    let rounds = task.share(4_000_000);
    let live = LIVE / task.threads();
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_0002, thread);
        let mut tally = Tally::default();
        let mut table: Vec<Block> = (0..live).map(|_| new_block(&mut rng)).collect();
        for _ in 0..rounds {
            let slot = rng.below(live);
            let old = std::mem::replace(&mut table[slot], new_block(&mut rng));
            tally.count(old.mark());
        }
        for block in table {
            tally.count(block.mark());
        }
        tally
    })
}

fn new_block(rng: &mut Rng) -> Block {
    Block::new(rng.size(16, 8), rng.word())
}

/// What the objects of one phase take together, over all threads.
const PHASE_BYTES: usize = 24 << 20;

/// The smallest size of each phase: up, down, and up again.
const PHASES: [usize; 12] = [16, 64, 256, 1024, 4096, 16384, 4096, 1024, 256, 64, 16, 512];

/// Each phase first drops nine tenths of what lives, then fills up with objects of its own sizes.
pub(crate) fn phases(task: Task) -> Tally {
    let bytes = task.share(PHASE_BYTES);
    task.split(|thread| {
        let mut rng = Rng::new(0x5eed_0003, thread);
        let mut tally = Tally::default();
        let mut live: Vec<Block> = Vec::new();
        let mut held = 0;
        for smallest in PHASES {
            rng.shuffle(&mut live);
            for block in live.drain(live.len() / 10..) {
                held -= block.len();
                tally.add(block.mark());
            }
            while held < bytes {
                let block = Block::new(rng.size(smallest, 2), rng.word());
                held += block.len();
                tally.count(block.mark());
                live.push(block);
            }
        }
        for block in live {
            tally.add(block.mark_checked());
        }
        tally
    })
}
