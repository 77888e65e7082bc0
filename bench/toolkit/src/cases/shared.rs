//! Blocks of one size for many threads: `LockFreePool` beside a pool behind a mutex, and beside heaps with a cache per thread.

use core::alloc::Layout;
use std::alloc::System;

use stratalloc_resource::FromGlobal;
use stratalloc_strategies::lock_free_pool::LockFreePool;
use stratalloc_strategies::pool::PoolConfig;

use super::{Case, Counting};
use crate::heap::{Blocks, C, Heap, Mimalloc, MutexPool};
use crate::sample::{Sample, timed_threads};
use crate::shapes;

type Message = [u64; 8];

const THREADS: [usize; 4] = [2, 4, 8, 16];

fn lock_free() -> impl Heap + Sync {
    let config = PoolConfig::of::<Message>();
    Blocks(LockFreePool::within(config, FromGlobal::new(&System), 4096).expect("there is memory"))
}

#[derive(Clone, Copy)]
enum Shape {
    Own,
    Exchange,
}

impl Shape {
    fn run<H: Heap + Sync>(self, heap: &H, threads: usize, operations: u64) -> Sample {
        let layout = Layout::new::<Message>();
        let work = |operations| match self {
            Shape::Own => shapes::own_blocks(heap, layout, threads, operations),
            Shape::Exchange => shapes::exchange(heap, layout, threads, operations),
        };
        work(operations / 10);
        timed_threads(operations, || work(operations))
    }
}

fn case(shape: Shape, threads: usize) -> Case {
    let (name, models) = match shape {
        Shape::Own => ("own", "each thread makes 8 blocks and ends them itself"),
        Shape::Exchange => {
            ("exchange", "each thread makes a block, leaves it at a place, ends the one that was there")
        }
    };
    Case::new(format!("lock-free-{name}-{threads}"), models, 400_000)
        .ours("LockFreePool", move |n| shape.run(&lock_free(), threads, n))
        .peer("Mutex<Pool>", move |n| shape.run(&MutexPool::new(PoolConfig::of::<Message>()), threads, n))
        .peer("mimalloc", move |n| shape.run(&Mimalloc, threads, n))
        .peer("glibc", move |n| shape.run(&C, threads, n))
        .at_most(1.0, "Mutex<Pool>")
        .counting(Counting::No)
}

pub(super) fn cases() -> Vec<Case> {
    let of = |shape| THREADS.into_iter().map(move |threads| case(shape, threads));
    of(Shape::Own).chain(of(Shape::Exchange)).collect()
}
