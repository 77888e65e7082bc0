//! A tour in five steps: the heap under the program, a heap of its own, a frame, a pool, and resources made of resources.
//!
//! `cargo run --release --example basic`

use core::alloc::Layout;
use core::fmt;
use core::mem::MaybeUninit;

use stratalloc::modifiers::{Counted, Fallback};
use stratalloc::strategies::frame::Frame;
use stratalloc::strategies::pool::{Pool, PoolConfig};
use stratalloc::strategies::system::System;
use stratalloc::strategies::tlsf::Tlsf;
use stratalloc::{
    Alignment, AllocError, Heap, MemoryResource, OwnedBlock, Statistics, Stratalloc, statistics,
};

type Outcome = Result<(), Box<dyn core::error::Error>>;

/// Everything that this program allocates without saying where comes from here.
#[global_allocator]
static GLOBAL: Stratalloc = Stratalloc;

/// One: strings, vectors and boxes of a program come from its global allocator, which counts them.
fn under_the_program(out: &mut impl fmt::Write) -> Outcome {
    let (mut before, mut after) = (Statistics::default(), Statistics::default());
    statistics(&mut before);
    let names: Vec<String> = (0..1000).map(|number| format!("customer {number:04}")).collect();
    statistics(&mut after);
    let live = after.small.live_bytes - before.small.live_bytes;
    writeln!(out, "1 global:   {} strings take {live} bytes of small blocks", names.len())?;
    Ok(())
}

/// Two: a heap that is a value. What is in it goes when it is dropped, whether or not anybody released it.
fn in_a_heap_of_its_own(out: &mut impl fmt::Write) -> Outcome {
    let heap = Heap::new().ok_or("no memory")?;
    for _ in 0..1000 {
        heap.allocate(Layout::new::<[u8; 1000]>())?;
    }
    let held = heap.footprint();
    drop(heap);
    writeln!(out, "2 heap:     1000 blocks in {} KiB, all gone with the heap", held >> 10)?;
    Ok(())
}

/// Three: what dies together. A frame over an array makes values of any type, and a reset gives them all up.
fn in_a_frame(out: &mut impl fmt::Write) -> Outcome {
    let mut memory = [MaybeUninit::uninit(); 4096];
    let mut frame: Frame = Frame::over(&mut memory);
    for request in 1..=3 {
        let squares = frame.try_alloc_slice_fill_with(100, |index| index * index)?;
        let line =
            frame.try_alloc_fmt(format_args!("request {request}: sum {}", squares.iter().sum::<usize>()))?;
        writeln!(out, "3 frame:    {line}, {} bytes", frame.used())?;
        frame.reset();
    }
    Ok(())
}

/// Four: blocks of one size, taken and given back in any order; each returns when its owner drops it.
fn in_a_pool(out: &mut impl fmt::Write) -> Outcome {
    let mut memory = [MaybeUninit::uninit(); 1000];
    let pool = Pool::over(PoolConfig::of::<[u64; 4]>(), &mut memory)?;
    let mut blocks = Vec::new();
    let refused = loop {
        match OwnedBlock::new(&pool, Layout::new::<[u64; 4]>()) {
            Ok(block) => blocks.push(block),
            Err(error) => break error,
        }
    };
    let full = blocks.len();
    blocks.truncate(full - 10);
    let usage = pool.usage();
    writeln!(out, "4 pool:     {full} blocks in 1000 bytes, then: {refused}")?;
    writeln!(out, "            10 dropped: {} live, {} free", usage.live, usage.free)?;
    Ok(())
}

/// Five: a resource is made of resources. Here memory of a fixed size comes first, and pages of the system behind it.
fn in_a_composition(out: &mut impl fmt::Write) -> Outcome {
    let mut memory = vec![MaybeUninit::uninit(); 8192];
    let own: Tlsf<'_> = Tlsf::over(&mut memory)?;
    let both = Counted::new(Fallback::new(Counted::new(own), System));
    let sizes = [100, 2000, 4000, 6000, 300];
    let blocks = sizes.map(|size| {
        let layout = Layout::from_size_align(size, 16).map_err(|_| AllocError::SizeOverflow);
        layout.and_then(|layout| OwnedBlock::new(&both, layout))
    });
    let (all, inside) = (both.counts(), both.inner().first().counts());
    writeln!(
        out,
        "5 composed: {} blocks, {} of them in 8 KiB, {} from the system",
        all.allocations,
        inside.allocations,
        all.allocations - inside.allocations
    )?;
    let aligned = blocks.iter().flatten().all(|block| block.align() == Alignment::constant::<16>());
    drop(blocks);
    let (all, inside) = (both.counts(), both.inner().first().counts());
    writeln!(out, "            aligned: {aligned}, live: {}", all.live_blocks() + inside.live_blocks())?;
    Ok(())
}

fn main() -> Outcome {
    let mut text = String::new();
    under_the_program(&mut text)?;
    in_a_heap_of_its_own(&mut text)?;
    in_a_frame(&mut text)?;
    in_a_pool(&mut text)?;
    in_a_composition(&mut text)?;
    print!("{text}");
    Ok(())
}
