//! Small blocks of many sizes: `SmallObject` beside heaps with a cache per thread.

use core::alloc::Layout;

use stratalloc_heap::{ProcessHeap, SmallObject};

use super::heaps::in_replacements;
use super::{Case, Counting};
use crate::heap::{C, Heap, Mimalloc, Stratalloc};
use crate::sample::{Sample, timed_threads};
use crate::shapes::{self, Mix};

const THREADS: usize = 4;

/// A cache per thread, shared with the process's heap.
fn of_process() -> Stratalloc<SmallObject<ProcessHeap>> {
    Stratalloc(SmallObject::process())
}

/// A heap of its own, whose caches threads lock.
fn of_its_own() -> Stratalloc<SmallObject> {
    Stratalloc(SmallObject::new().expect("there is memory"))
}

fn exchanged(heap: impl Heap + Sync, operations: u64) -> Sample {
    let layout = Layout::new::<[u64; 8]>();
    shapes::exchange(&heap, layout, THREADS, operations / 10);
    timed_threads(operations, || shapes::exchange(&heap, layout, THREADS, operations))
}

pub(super) fn cases() -> Vec<Case> {
    let mix = || Mix::of_sizes(10_000, 8, 512).shuffled();
    vec![
        Case::new(
            "small-object-replace",
            "10 000 live blocks of 8 to 512 bytes, a random one replaced",
            2_000_000,
        )
        .ours("SmallObject::process", move |n| in_replacements(of_process(), mix(), n))
        .ours("SmallObject::new", move |n| in_replacements(of_its_own(), mix(), n))
        .peer("mimalloc", move |n| in_replacements(Mimalloc, mix(), n))
        .peer("glibc", move |n| in_replacements(C, mix(), n)),
        Case::new(
            "small-object-exchange-4",
            "four threads: each makes a block of 64 bytes, leaves it at a place, ends the one that was there",
            400_000,
        )
        .counting(Counting::No)
        .ours("SmallObject::process", |n| exchanged(of_process(), n))
        .ours("SmallObject::new", |n| exchanged(of_its_own(), n))
        .peer("mimalloc", |n| exchanged(Mimalloc, n))
        .peer("glibc", |n| exchanged(C, n)),
    ]
}
