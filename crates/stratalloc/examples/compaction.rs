//! A peak that leaves something behind in every chunk, and what a compacting pool gives back of it.
//!
//! `cargo run --release -p stratalloc --example compaction`
#![allow(clippy::std_instead_of_alloc, reason = "a program, with std")]

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use stratalloc::strategies::compacting_pool::{CompactingPool, Handle};
use stratalloc::strategies::system::System;
use stratalloc::{AllocError, ProcessHeap};

const PEAK: usize = 200_000;
/// Steps per call: what a frame of a game or a tick of a server may spend on it.
const BUDGET: usize = 256;

/// One of so many values survives, anywhere.
fn survives(number: usize, one_of: usize) -> bool {
    (number.wrapping_mul(0x9E37_79B9) >> 7).is_multiple_of(one_of)
}

fn peak<const N: usize>(one_of: usize) -> Result<(), AllocError> {
    let mut pool = CompactingPool::new(ProcessHeap);
    let handles = (0..PEAK).map(|n| pool.insert([n; N])).collect::<Result<Vec<Handle<_>>, _>>()?;
    for (_, handle) in handles.iter().enumerate().filter(|(n, _)| !survives(*n, one_of)) {
        black_box(pool.remove(*handle).ok());
    }
    let before = pool.usage();
    let (mut calls, mut moved, mut longest) = (0_u32, 0_usize, Duration::ZERO);
    let start = Instant::now();
    loop {
        let call = Instant::now();
        let report = pool.compact(BUDGET);
        longest = longest.max(call.elapsed());
        (calls, moved) = (calls + 1, moved + report.moved);
        if report.done {
            break;
        }
    }
    let took = start.elapsed();
    let after = pool.usage();
    for (n, handle) in handles.iter().enumerate().filter(|(n, _)| survives(*n, one_of)) {
        assert!(pool.get(*handle).is_ok_and(|value| value[0] == n));
    }
    let bytes = moved * N * size_of::<usize>();
    println!(
        "{:>5} B  1 of {one_of:<3} {:>5.1} % ─► {:>4.1} %   {:>7} ─► {:>6} KiB   {moved:>6} moved   {:>6.2} ns/byte   {:>5} calls, the longest {:>5.0} µs",
        N * size_of::<usize>(),
        before.fragmentation() as f64 / 10.0,
        after.fragmentation() as f64 / 10.0,
        before.chunk_bytes / 1024,
        after.chunk_bytes / 1024,
        took.as_secs_f64() * 1e9 / bytes.max(1) as f64,
        calls,
        longest.as_secs_f64() * 1e6,
    );
    Ok(())
}

fn main() -> Result<(), AllocError> {
    println!(
        "{PEAK} values, of which some survive; idle cells before ─► after; chunks; cost of moving; {BUDGET} steps a call"
    );
    for one_of in [2, 10, 50] {
        peak::<2>(one_of)?;
        peak::<16>(one_of)?;
        peak::<128>(one_of)?;
    }
    // The same over pages of the operating system: what is given back is gone from the process.
    let mut pages = CompactingPool::new(System);
    let handle = pages.insert([0_u8; 100])?;
    assert!(pages.get(handle).is_ok());
    Ok(())
}
