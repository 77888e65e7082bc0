//! One thread: allocations and frees of its own.

use crate::blocks::RawBlock;
use crate::distribution::Distribution;
use crate::timer::{Timer, begin, end};
use bench_workloads::Rng;
use std::alloc::Layout;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// Live blocks of the mixed working set.
const LIVE: usize = 10_000;

/// Distributions of the two operations of a case.
pub(crate) struct Pair {
    pub(crate) malloc: Distribution,
    pub(crate) free: Distribution,
}

impl Pair {
    fn new() -> Self {
        Self { malloc: Distribution::new(), free: Distribution::new() }
    }

    #[inline(always)]
    fn malloc(&mut self, timer: &Timer, layout: Layout) -> RawBlock {
        let start = begin();
        let address = RawBlock::allocate(layout);
        self.malloc.record(timer.ticks(start, end()));
        RawBlock::own(address, layout)
    }

    #[inline(always)]
    fn free(&mut self, timer: &Timer, block: RawBlock) {
        let block = block.disown();
        let start = begin();
        RawBlock::deallocate(block);
        self.free.record(timer.ticks(start, end()));
    }
}

/// The hit path: a block of a size known when compiled, made and freed, while it is the only one.
pub(crate) fn hit<const SIZE: usize>(timer: &Timer, rounds: usize) -> Pair {
    let layout = const {
        match Layout::from_size_align(SIZE, 8) {
            Ok(layout) => layout,
            Err(_) => panic!("no layout"),
        }
    };
    let mut pair = Pair::new();
    for _ in 0..rounds {
        let block = pair.malloc(timer, layout);
        pair.free(timer, block);
    }
    pair
}

/// A working set of 16 to 1024 bytes in which a random block is replaced; sizes are known at run time only.
pub(crate) fn mixed(timer: &Timer, rounds: usize) -> Pair {
    let mut rng = Rng::new(0x1a7e_0001, 0);
    let mut blocks: Vec<RawBlock> = (0..LIVE).map(|_| RawBlock::new(size(&mut rng))).collect();
    let mut pair = Pair::new();
    for _ in 0..rounds {
        let slot = rng.below(LIVE);
        let layout = RawBlock::layout(size(&mut rng));
        let block = pair.malloc(timer, layout);
        pair.free(timer, std::mem::replace(&mut blocks[slot], block));
    }
    blocks.into_iter().for_each(drop_block);
    pair
}

/// The same while one more thread does the same without a clock.
pub(crate) fn mixed_beside_another(timer: &Timer, rounds: usize) -> Pair {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut rng = Rng::new(0x1a7e_0002, 1);
            let mut blocks: Vec<RawBlock> = (0..LIVE).map(|_| RawBlock::new(size(&mut rng))).collect();
            while !stop.load(Relaxed) {
                let slot = rng.below(LIVE);
                let new = RawBlock::new(size(&mut rng));
                drop_block(std::mem::replace(&mut blocks[slot], new));
            }
            blocks.into_iter().for_each(drop_block);
        });
        let pair = mixed(timer, rounds);
        stop.store(true, Relaxed);
        pair
    })
}

/// 16 to 1023 bytes, every doubling equally likely.
pub(crate) fn size(rng: &mut Rng) -> usize {
    rng.size(16, 6)
}

/// Frees without a clock.
pub(crate) fn drop_block(block: RawBlock) {
    RawBlock::deallocate(block.disown());
}
