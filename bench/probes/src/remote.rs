//! Blocks that one thread allocates and another frees.
//!
//! ```text
//!   owner:  allocates a batch (timed) ──batch──► freer:  frees it (timed)
//!           waits  ◄──────────────────empty vector──────┘
//! ```
//!
//! The two take turns, so that what is timed is the work and not the fight for a cache line or a processor; and from the
//! second turn on the owner's allocations are served by what the freer gave back.

use crate::blocks::RawBlock;
use crate::distribution::Distribution;
use crate::local::{Pair, size};
use crate::timer::{Timer, begin, end};
use bench_workloads::Rng;
use std::alloc::Layout;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Blocks of 16 to 1024 bytes that travel together.
const BATCH: usize = 4096;

/// What a slab has in many allocators; a batch of blocks of one size that fill it is what a whole slab's frees cost.
pub(crate) const SLAB: usize = 64 << 10;

/// The smallest block that fills slabs here.
const SMALLEST: usize = 64;

/// Sends batches to and fro: `make` fills an empty vector on one thread, `take` empties it on another.
fn turns(
    turns: usize,
    mut make: impl FnMut(&mut Vec<RawBlock>),
    mut take: impl FnMut(&mut Vec<RawBlock>) + Send,
) {
    let (there, arrives) = sync_channel::<Vec<RawBlock>>(1);
    let (back, returns) = sync_channel(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            for mut batch in arrives {
                take(&mut batch);
                back.send(batch).expect("the owner waits");
            }
        });
        let mut batch = Vec::with_capacity(BATCH);
        for _ in 0..turns {
            make(&mut batch);
            there.send(batch).expect("the freer waits");
            batch = returns.recv().expect("the freer gives the vector back");
        }
        drop(there);
    });
}

/// Every allocation by the owner and every free by the other thread.
pub(crate) fn each(timer: &Timer, rounds: usize) -> Pair {
    let mut rng = Rng::new(0x1a7e_0003, 0);
    let (mut malloc, mut free) = (Distribution::new(), Distribution::new());
    let make = |batch: &mut Vec<RawBlock>| {
        for _ in 0..BATCH {
            let layout = RawBlock::layout(size(&mut rng));
            let start = begin();
            let address = RawBlock::allocate(layout);
            malloc.record(timer.ticks(start, end()));
            batch.push(RawBlock::own(address, layout));
        }
    };
    let take = |batch: &mut Vec<RawBlock>| {
        for block in batch.drain(..) {
            let block = block.disown();
            let start = begin();
            RawBlock::deallocate(block);
            free.record(timer.ticks(start, end()));
        }
    };
    turns((rounds / BATCH).max(1), make, take);
    Pair { malloc, free }
}

/// All frees of as many blocks as fill a slab, timed together.
pub(crate) fn slab<const SIZE: usize>(timer: &Timer, rounds: usize) -> Distribution {
    let layout = const {
        match Layout::from_size_align(SIZE, 8) {
            Ok(layout) => layout,
            Err(_) => panic!("no layout"),
        }
    };
    let mut free = Distribution::new();
    let make = |batch: &mut Vec<RawBlock>| {
        batch.extend((0..SLAB / SIZE).map(|_| RawBlock::own(RawBlock::allocate(layout), layout)));
    };
    let take = |batch: &mut Vec<RawBlock>| {
        // Checking the contents first brings them into this processor's cache; it is not part of the frees.
        let mut ready = [std::ptr::null_mut(); SLAB / SMALLEST];
        for (slot, block) in ready.iter_mut().zip(batch.drain(..)) {
            *slot = block.disown().0;
        }
        let start = begin();
        for &address in &ready[..SLAB / SIZE] {
            RawBlock::deallocate((address, layout));
        }
        free.record(timer.ticks(start, end()));
    };
    turns(rounds, make, take);
    free
}
