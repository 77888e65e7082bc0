//! Small objects that come and go, through several strategies side by side: the same requests, the median of interleaved rounds.
//!
//! `cargo run --release --example small_objects`

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::time::Duration;
use std::alloc::System;
use std::time::Instant;

use stratalloc::resource::FromGlobal;
use stratalloc::strategies::buddy::Buddy;
use stratalloc::strategies::lock_free_pool::LockFreePool;
use stratalloc::strategies::mem_pool::MemPool;
use stratalloc::strategies::pool::{Pool, PoolConfig};
use stratalloc::strategies::slab::{Slab, SlabConfig};
use stratalloc::strategies::tlsf::Tlsf;
use stratalloc::{Alignment, AllocError, Heap, MemoryResource, OwnedBlock, ProcessHeap};

const ROUNDS: usize = 5;
const OPERATIONS: u32 = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
/// How many objects live at a time; each operation ends one and makes another.
const LIVE: usize = 4096;
const LARGEST: usize = 256;

/// The requests: sizes and places by a fixed sequence, so that every strategy gets the same ones. The sum of the first bytes proves it.
fn churn(resource: &dyn MemoryResource) -> Result<(Duration, u64), AllocError> {
    let mut live: Vec<Option<OwnedBlock<&dyn MemoryResource>>> = Vec::new();
    live.resize_with(LIVE, || None);
    let (mut random, mut sum) = (0x2545_F491_4F6C_DD1D_u64, 0);
    let started = Instant::now();
    for _ in 0..OPERATIONS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let [size, mark, low, high, ..] = random.to_le_bytes();
        let layout =
            Layout::from_size_align(usize::from(size).max(8), 8).map_err(|_| AllocError::SizeOverflow)?;
        let place = &mut live[usize::from(u16::from_le_bytes([low, high])) % LIVE];
        *place = None;
        let mut block = OwnedBlock::new(resource, layout)?;
        sum += u64::from(*block.as_uninit_mut()[0].write(mark));
        *place = Some(block);
    }
    Ok((started.elapsed(), sum))
}

fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); len]
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let of_the_largest = PoolConfig::new(LARGEST, Alignment::constant::<16>());
    let room = LIVE * LARGEST * 5 / 4;
    let (mut first, mut second, mut third) = (memory(room), memory(room), memory(4 * room));
    let malloc = FromGlobal::new(&System);
    let heap = Heap::new().ok_or("no memory")?;
    let pools: MemPool<_> = MemPool::new(ProcessHeap)?;
    let pool = Pool::over(of_the_largest, &mut first)?;
    let lock_free = LockFreePool::over(of_the_largest, &mut second)?;
    let slab = Slab::growing(SlabConfig::new(LARGEST, Alignment::constant::<16>()), ProcessHeap)?;
    let mut area = memory(room);
    let tlsf: Tlsf<'_> = Tlsf::over(&mut area)?;
    let buddy: Buddy<'_> = Buddy::over(&mut third)?;
    let contestants: [(&str, &dyn MemoryResource, &str); 9] = [
        ("malloc", &malloc, "any size, any thread"),
        ("ProcessHeap", &ProcessHeap, "any size, any thread"),
        ("Heap", &heap, "any size, any thread, dropped as a whole"),
        ("MemPool", &pools, "powers of two, and pages, any thread"),
        ("Pool", &pool, "one size; one thread makes, any frees"),
        ("LockFreePool", &lock_free, "one size, any thread"),
        ("Slab", &slab, "one size, one thread, shrinks"),
        ("Tlsf", &tlsf, "any size, one thread, bounded time"),
        ("Buddy", &buddy, "powers of two, one thread, bounded time"),
    ];
    let mut times = vec![Vec::new(); contestants.len()];
    let mut sums = Vec::new();
    for _ in 0..ROUNDS {
        for ((_, resource, _), times) in contestants.iter().zip(&mut times) {
            let (time, sum) = churn(*resource)?;
            times.push(time);
            sums.push(sum);
        }
    }
    println!(
        "{OPERATIONS} pairs of release and request of 8 to 255 bytes, {LIVE} live, median of {ROUNDS} rounds"
    );
    if cfg!(debug_assertions) {
        println!("(a debug build, which looks for misuse: use --release for times)");
    }
    println!("{:14} {:>8} {:>10} {:>8}", "", "ns/pair", "million/s", "malloc");
    times.iter_mut().for_each(|times| times.sort_unstable());
    let malloc = times[0][ROUNDS / 2].as_secs_f64();
    for ((name, _, what), times) in contestants.iter().zip(&times) {
        let seconds = times[ROUNDS / 2].as_secs_f64();
        let pairs = f64::from(OPERATIONS);
        println!(
            "{name:14} {:8.1} {:10.1} {:7.1}×   {what}",
            seconds / pairs * 1e9,
            pairs / seconds / 1e6,
            malloc / seconds
        );
    }
    if sums.iter().any(|sum| *sum != sums[0]) {
        return Err("the strategies did not get the same requests".into());
    }
    println!("every strategy served the same requests: sum {}", sums[0]);
    Ok(())
}
