//! Blocks of one thread, freed by others: through a pool's remote return, and through the heap. Every counter must agree at the end.
//!
//! ```text
//!   producer ─► channel ─► consumer 1   checks the mark, drops the block ─┐
//!       ▲          ├─────► consumer 2                                     ├─► home: the pool's return list,
//!       │          └─────► consumer 3                                     │   or the slab's mail in the heap
//!       └──────────────────── the same blocks again ◄─────────────────────┘
//! ```
//!
//! `cargo run --release --example remote_free`

use core::alloc::Layout;
use core::mem::MaybeUninit;
use std::sync::mpsc::sync_channel;
use std::thread;

use stratalloc::strategies::pool::{Pool, PoolConfig};
use stratalloc::{AllocError, MemoryResource, OwnedBlock, ProcessHeap, Statistics, statistics};

type Outcome = Result<(), Box<dyn core::error::Error>>;

const MESSAGES: usize = 100_000;
const CONSUMERS: usize = 3;
/// How many messages wait for a consumer at most.
const WAITING: usize = 64;
const LAYOUT: Layout = Layout::new::<[u32; 32]>();

/// Writes the mark of a message over its block.
fn mark<R: MemoryResource>(block: &mut OwnedBlock<R>, number: usize) {
    let bytes = (0xDEAD_BEEF_usize ^ number).to_le_bytes();
    for (place, byte) in block.as_uninit_mut().iter_mut().zip(bytes.iter().cycle()) {
        place.write(*byte);
    }
}

/// Whether a block is full of the mark of its message.
fn is_marked<R: MemoryResource>(block: &OwnedBlock<R>, number: usize) -> bool {
    let bytes = (0xDEAD_BEEF_usize ^ number).to_le_bytes();
    let is = |(place, byte): (&MaybeUninit<u8>, &u8)| {
        // SAFETY: `mark` has written every byte.
        unsafe { place.assume_init() == *byte }
    };
    block.as_uninit().iter().zip(bytes.iter().cycle()).all(is)
}

/// Sends marked blocks to consumers, each of which drops what it gets; how many came to each, all intact.
fn run<R: MemoryResource + Send>(
    mut make: impl FnMut() -> Result<OwnedBlock<R>, AllocError>,
) -> Result<[usize; CONSUMERS], Box<dyn core::error::Error>> {
    thread::scope(|scope| {
        let (mut senders, mut consumers) = (Vec::new(), Vec::new());
        for _ in 0..CONSUMERS {
            let (sender, receiver) = sync_channel::<(usize, OwnedBlock<R>)>(WAITING);
            senders.push(sender);
            consumers.push(scope.spawn(move || {
                receiver.into_iter().filter(|(number, block)| is_marked(block, *number)).count()
            }));
        }
        for number in 0..MESSAGES {
            let mut block = make()?;
            mark(&mut block, number);
            // In uneven turns, so that neighbours in memory come home from different threads.
            senders[(number ^ (number >> 3)) % CONSUMERS]
                .send((number, block))
                .map_err(|_| "a consumer is gone")?;
        }
        drop(senders);
        let mut intact = [0; CONSUMERS];
        for (count, consumer) in intact.iter_mut().zip(consumers) {
            *count = consumer.join().map_err(|_| "a consumer failed")?;
        }
        Ok(intact)
    })
}

fn through_a_pool() -> Outcome {
    let mut memory = vec![MaybeUninit::uninit(); 64 << 10];
    let pool = Pool::over(PoolConfig::of::<[u32; 32]>(), &mut memory)?;
    let intact = run(|| {
        let block = pool.take()?;
        // SAFETY: just taken, and owned by the message from now on.
        Ok(unsafe { OwnedBlock::from_parts(block, pool.align(), pool.remote()) })
    })?;
    let usage = pool.usage();
    let used = usage.total - usage.fresh;
    println!("pool: {MESSAGES} messages through {used} blocks of {}", pool.block_len());
    println!("      {intact:?} = {} freed intact, {} live", intact.iter().sum::<usize>(), usage.live);
    if (intact.iter().sum::<usize>(), usage.live, usage.free) != (MESSAGES, 0, used) {
        return Err("the pool's counts do not agree".into());
    }
    Ok(())
}

fn through_the_heap() -> Outcome {
    // The heap is not this program's global allocator, so that it counts nothing but messages.
    let (mut before, mut after) = (Statistics::default(), Statistics::default());
    statistics(&mut before);
    let intact = run(|| OwnedBlock::new(ProcessHeap, LAYOUT))?;
    statistics(&mut after);
    let sum = intact.iter().sum::<usize>();
    let live = after.small.live_bytes - before.small.live_bytes;
    let remote = after.remote_frees - before.remote_frees;
    let batches = after.remote_batches - before.remote_batches;
    println!("heap: {MESSAGES} messages through {} KiB of slabs", after.in_use_bytes >> 10);
    println!("      {intact:?} = {sum} freed intact, {live} bytes live");
    let taken_over = after.small.releases - before.small.releases - remote;
    println!(
        "      {remote} of them remote, in {batches} batches, {taken_over} in slabs that a consumer had taken over"
    );
    if (sum, live) != (MESSAGES, 0) {
        return Err("the heap's counts do not agree".into());
    }
    Ok(())
}

fn main() -> Outcome {
    through_a_pool()?;
    through_the_heap()
}
