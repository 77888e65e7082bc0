//! Blocks of one size: `Pool` and `Slab`, and the pools of `MemPool`, beside `malloc` and `free`.

use core::alloc::Layout;
use std::alloc::System;

use stratalloc_resource::{Alignment, FromGlobal};
use stratalloc_strategies::mem_pool::MemPool;
use stratalloc_strategies::pool::{Pool, PoolConfig};
use stratalloc_strategies::slab::{Slab, SlabConfig};

use super::Case;
use crate::heap::{Blocks, C, Heap, Stratalloc};
use crate::sample::{Sample, timed};
use crate::shapes::{self, Mix};

const WORD: Alignment = Alignment::of::<usize>();

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, WORD.bytes()).expect("small")
}

fn pool(size: usize) -> impl Heap {
    Blocks(Pool::growing(PoolConfig::new(size, WORD), FromGlobal::new(&System)).expect("there is memory"))
}

fn slab(size: usize) -> impl Heap {
    Blocks(Slab::growing(SlabConfig::new(size, WORD), FromGlobal::new(&System)).expect("there is memory"))
}

fn mem_pool() -> impl Heap {
    let pool: MemPool<_> = MemPool::new(FromGlobal::new(&System)).expect("there is memory");
    Stratalloc(pool)
}

/// What is done with the blocks.
#[derive(Clone, Copy)]
enum Shape {
    Pairs,
    /// 1000 blocks, the youngest ended first.
    Batch,
    /// 1000 blocks, ended in no order.
    Shuffled,
    /// 10 000 live ones, a random one replaced.
    Replace,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Pairs => "pairs",
            Shape::Batch => "batch",
            Shape::Shuffled => "shuffled",
            Shape::Replace => "replace",
        }
    }

    fn models(self) -> &'static str {
        match self {
            Shape::Pairs => "one block made and ended",
            Shape::Batch => "1000 blocks made, then ended, the youngest first",
            Shape::Shuffled => "1000 blocks made, then ended in no order",
            Shape::Replace => "10 000 live blocks, a random one replaced",
        }
    }

    #[inline(always)]
    fn run<H: Heap>(self, heap: &H, size: usize, operations: u64) -> Sample {
        let mix = match self {
            Shape::Pairs => Mix::of_one(1, layout(size)),
            Shape::Batch => Mix::of_one(1000, layout(size)),
            Shape::Shuffled => Mix::of_one(1000, layout(size)).shuffled(),
            Shape::Replace => Mix::of_one(10_000, layout(size)).shuffled(),
        };
        let work = |operations| match self {
            Shape::Pairs => shapes::pairs(heap, layout(size), operations),
            Shape::Batch => shapes::nested(heap, &mix, operations),
            Shape::Shuffled => shapes::batches(heap, &mix, operations),
            Shape::Replace => shapes::replacements(heap, &mix, operations),
        };
        work(operations / 10);
        timed(operations, || work(operations))
    }
}

fn of_pool(shape: Shape, size: usize) -> Case {
    Case::new(format!("pool-{}-{size}", shape.name()), shape.models(), 3_000_000)
        .ours("Pool", move |operations| shape.run(&pool(size), size, operations))
        .peer("glibc", move |operations| shape.run(&C, size, operations))
        .at_most(1.0 / 3.0, "glibc")
}

fn of_slab(shape: Shape, size: usize) -> Case {
    Case::new(format!("slab-{}-{size}", shape.name()), shape.models(), 3_000_000)
        .ours("Slab", move |operations| shape.run(&slab(size), size, operations))
        .peer("glibc", move |operations| shape.run(&C, size, operations))
        .at_most(1.0 / 3.0, "glibc")
}

fn of_mem_pool() -> Vec<Case> {
    let run = |heap: &dyn Fn(&Mix, u64) -> u64, mix: Mix, operations| {
        heap(&mix, operations / 10);
        timed(operations, || heap(&mix, operations))
    };
    let batch = || Mix::of_sizes(1000, 16, 4096).shuffled();
    let replace = || Mix::of_sizes(10_000, 16, 4096).shuffled();
    vec![
        Case::new(
            "mem-pool-batch",
            "1000 blocks of 16 to 4096 bytes made, then ended in no order",
            1_000_000,
        )
        .ours("MemPool", move |n| {
            let pool = mem_pool();
            run(&|mix, n| shapes::batches(&pool, mix, n), batch(), n)
        })
        .peer("glibc", move |n| run(&|mix, n| shapes::batches(&C, mix, n), batch(), n))
        .at_most(1.0, "glibc"),
        Case::new(
            "mem-pool-replace",
            "10 000 live blocks of 16 to 4096 bytes, a random one replaced",
            1_000_000,
        )
        .ours("MemPool", move |n| {
            let pool = mem_pool();
            run(&|mix, n| shapes::replacements(&pool, mix, n), replace(), n)
        })
        .peer("glibc", move |n| run(&|mix, n| shapes::replacements(&C, mix, n), replace(), n))
        .at_most(1.0, "glibc"),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        of_pool(Shape::Pairs, 64),
        of_pool(Shape::Batch, 64),
        of_pool(Shape::Shuffled, 64),
        of_pool(Shape::Replace, 64),
        of_slab(Shape::Pairs, 256),
        of_slab(Shape::Batch, 256),
        of_slab(Shape::Shuffled, 256),
        of_slab(Shape::Replace, 256),
    ];
    cases.extend(of_mem_pool());
    cases
}
