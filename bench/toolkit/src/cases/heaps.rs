//! Blocks of any size over given memory: `Tlsf` beside `rlsf` and `talc`, `Buddy` beside `buddy_system_allocator`.

#![expect(unused_braces, reason = "the bodies of the macros below are blocks to a reader")]

use core::alloc::Layout;
use core::mem::MaybeUninit;

use stratalloc_strategies::buddy::Buddy;
use stratalloc_strategies::tlsf::Tlsf;

use super::{Case, Counting, Unit, memory};
use crate::heap::{BuddySystem, Heap, Rlsf, Stratalloc, Talc};
use crate::sample::{Sample, timed};
use crate::shapes::{self, LongRun, Mix};

pub(super) const MEMORY: usize = 64 << 20;

pub(super) fn tlsf(memory: &'static mut [MaybeUninit<u8>]) -> Stratalloc<Tlsf<'static>> {
    Stratalloc(Tlsf::over(memory).expect("enough memory"))
}

pub(super) fn buddy(memory: &'static mut [MaybeUninit<u8>]) -> Stratalloc<Buddy<'static>> {
    Stratalloc(Buddy::over(memory).expect("enough memory"))
}

fn in_batches<H: Heap>(heap: H, mix: Mix, operations: u64) -> Sample {
    shapes::batches(&heap, &mix, operations / 10);
    timed(operations, || shapes::batches(&heap, &mix, operations))
}

fn in_nests<H: Heap>(heap: H, mix: Mix, operations: u64) -> Sample {
    shapes::nested(&heap, &mix, operations / 10);
    timed(operations, || shapes::nested(&heap, &mix, operations))
}

pub(super) fn in_pairs<H: Heap>(heap: H, size: usize, operations: u64) -> Sample {
    let layout = Layout::from_size_align(size, align_of::<usize>()).expect("small");
    shapes::pairs(&heap, layout, operations / 10);
    timed(operations, || shapes::pairs(&heap, layout, operations))
}

pub(super) fn in_replacements<H: Heap>(heap: H, mix: Mix, operations: u64) -> Sample {
    shapes::replacements(&heap, &mix, operations / 10);
    timed(operations, || shapes::replacements(&heap, &mix, operations))
}

/// One of the three TLSF-like heaps in a shape.
macro_rules! segregated {
    ($name:expr, $models:expr, $operations:expr, |$heap:ident, $n:ident| $body:expr) => {
        Case::new($name, $models, $operations)
            .ours("Tlsf", move |$n| {
                let $heap = tlsf(memory(MEMORY));
                $body
            })
            .peer("rlsf", move |$n| {
                let $heap = Rlsf::over(memory(MEMORY));
                $body
            })
            .peer("talc", move |$n| {
                let $heap = Talc::over(memory(MEMORY));
                $body
            })
            .at_most(1.0, "rlsf")
            .at_most(1.0, "talc")
    };
}

fn of_tlsf() -> Vec<Case> {
    let batch = || Mix::of_sizes(1000, 16, 4096);
    vec![
        segregated!("tlsf-pairs-64", "one block of 64 bytes made and ended", 3_000_000, |heap, n| in_pairs(
            heap, 64, n
        )),
        segregated!(
            "tlsf-batch",
            "1000 blocks of 16 to 4096 bytes made, then ended, the youngest first",
            1_000_000,
            |heap, n| { in_nests(heap, batch(), n) }
        ),
        segregated!("tlsf-shuffled", "the same, ended in no order", 1_000_000, |heap, n| {
            in_batches(heap, batch().shuffled(), n)
        }),
        segregated!(
            "tlsf-replace",
            "10 000 live blocks of 16 to 4096 bytes, a random one replaced",
            1_000_000,
            |heap, n| { in_replacements(heap, Mix::of_sizes(10_000, 16, 4096).shuffled(), n) }
        ),
    ]
}

/// One of the two buddy systems in a shape.
macro_rules! halves {
    ($name:expr, $models:expr, $operations:expr, |$heap:ident, $n:ident| $body:expr) => {
        Case::new($name, $models, $operations)
            .ours("Buddy", move |$n| {
                let $heap = buddy(memory(MEMORY));
                $body
            })
            .peer("buddy_system_allocator", move |$n| {
                let $heap = BuddySystem::over(memory(MEMORY));
                $body
            })
            .at_most(0.5, "buddy_system_allocator")
    };
}

/// Makes 64 blocks and ends one in the middle, whose buddy stays live.
fn beside_live_ones<H: Heap>(heap: &H, size: usize) {
    let layout = Layout::from_size_align(size, align_of::<usize>()).expect("small");
    let blocks: Vec<_> = (0..64).map(|_| heap.take(layout).expect("enough memory")).collect();
    // SAFETY: live, not used.
    unsafe { heap.give(blocks[32], layout) };
}

fn of_buddy() -> Vec<Case> {
    let batch = || Mix::of_powers(1000, 64, 8192);
    vec![
        halves!(
            "buddy-pairs-4096",
            "one block of 4096 bytes made and ended, its buddy live: no split, no merge",
            3_000_000,
            |heap, n| {
                beside_live_ones(&heap, 4096);
                in_pairs(heap, 4096, n)
            }
        ),
        halves!(
            "buddy-split-64",
            "one block of 64 bytes made and ended, a large block free: all orders split and merged",
            300_000,
            |heap, n| {
                shapes::only_a_large_block(&heap);
                in_pairs(heap, 64, n)
            }
        ),
        halves!(
            "buddy-batch",
            "1000 powers of two from 64 to 8192 made, then ended, the youngest first",
            500_000,
            |heap, n| { in_nests(heap, batch(), n) }
        ),
        halves!("buddy-shuffled", "the same, ended in no order", 200_000, |heap, n| in_batches(
            heap,
            batch().shuffled(),
            n
        )),
        halves!(
            "buddy-replace",
            "5 000 live powers of two from 64 to 8192, a random one replaced",
            200_000,
            |heap, n| { in_replacements(heap, Mix::of_powers(5_000, 64, 8192).shuffled(), n) }
        ),
    ]
}

fn of_fragmentation(name: &'static str, models: &'static str, sizes: (usize, usize)) -> Case {
    let run = move |operations| LongRun { budget: 32 << 20, sizes, steps: operations };
    let sample = |figure| Sample { figure, ..Sample::default() };
    Case::new(name, models, 500_000)
        .unit(Unit::PerCent)
        .counting(Counting::No)
        .ours("Tlsf", move |n| sample(shapes::smallest_memory(run(n), tlsf)))
        .peer("rlsf", move |n| sample(shapes::smallest_memory(run(n), Rlsf::over)))
        .peer("talc", move |n| sample(shapes::smallest_memory(run(n), Talc::over)))
        .below(1.5)
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = of_tlsf();
    cases.push(of_fragmentation(
        "fragmentation-small",
        "a long run at 32 MiB live, sizes of 16 bytes to 4 KiB: memory beyond the peak of requested bytes",
        (16, 4096),
    ));
    cases.push(of_fragmentation(
        "fragmentation-wide",
        "the same with sizes of 16 bytes to 64 KiB",
        (16, 64 << 10),
    ));
    cases.extend(of_buddy());
    cases
}
