//! `Frame` and `Stack` beside `malloc` and `free`.

use core::alloc::Layout;
use core::ptr::NonNull;
use std::alloc::System;

use bumpalo::Bump;
use stratalloc_resource::FromGlobal;
use stratalloc_strategies::frame::{Frame, Speed};
use stratalloc_strategies::stack::{Stack, Strict};

use super::{Case, Counting, Unit, memory};
use crate::heap::{Bumpalo, C, Heap, Stratalloc};
use crate::sample::{Sample, timed};
use crate::shapes::{self, Mix};

type Growing = Frame<'static, Speed, FromGlobal<'static, System>>;

fn growing() -> Stratalloc<Growing> {
    Stratalloc(Frame::growing(FromGlobal::new(&System)))
}

/// Times a shape after a tenth of it, untimed.
fn warmed<T>(operations: u64, state: T, mut work: impl FnMut(&mut T, u64) -> u64) -> Sample {
    let mut state = state;
    work(&mut state, operations / 10);
    timed(operations, || work(&mut state, operations))
}

fn of_frames() -> Case {
    let mix = || Mix::of_frame(1000);
    Case::new(
        "frame-mixed",
        "a frame of 1000 mixed objects (16 to 1024 bytes) made, some looked at, all given up",
        1_000_000,
    )
    .ours("Frame", move |operations| {
        let mix = mix();
        warmed(operations, growing(), |frame, operations| {
            shapes::frames(frame, &mix, operations, |frame, _| frame.0.reset())
        })
    })
    .peer("bumpalo", move |operations| {
        let mix = mix();
        warmed(operations, Bumpalo(Bump::new()), |bump, operations| {
            shapes::frames(bump, &mix, operations, |bump, _| bump.0.reset())
        })
    })
    .peer("glibc", move |operations| {
        let mix = mix();
        warmed(operations, C, |heap, operations| {
            shapes::frames(heap, &mix, operations, |heap, made| {
                for (&start, &layout) in made.iter().zip(mix.layouts()) {
                    // SAFETY: live, and looked at for the last time.
                    unsafe { heap.give(start, layout) };
                }
            })
        })
    })
    .at_most(0.2, "glibc")
    .at_most(1.0, "bumpalo")
}

/// How long it takes to give up a million objects; the figure is one such moment. Without an operation it does not come to it.
fn million<H: Heap>(operations: u64, mut heap: H, over: impl FnOnce(&mut H, &[NonNull<u8>])) -> Sample {
    let layout = Layout::new::<[u64; 4]>();
    let mut made = Vec::with_capacity(1_000_000);
    for index in 0..1_000_000_usize {
        let start = heap.take(layout).expect("there is memory");
        // SAFETY: fresh, 32 bytes.
        unsafe { start.cast::<usize>().write(index) };
        made.push(start);
    }
    if operations == 0 {
        return Sample::default();
    }
    let mut sample = timed(1, || {
        over(&mut heap, &made);
        0
    });
    sample.figure /= 1000.0;
    sample
}

fn of_reset() -> Case {
    Case::new("frame-reset-million", "one reset after a million objects of 32 bytes", 1)
        .unit(Unit::Microseconds)
        .counting(Counting::Moment)
        .ours("Frame, memory kept", |n| million(n, growing(), |frame, _| frame.0.reset()))
        .peer("bumpalo, last chunk kept", |n| million(n, Bumpalo(Bump::new()), |bump, _| bump.0.reset()))
        .peer("glibc, a million frees", |n| {
            million(n, C, |heap, made| {
                for &start in made {
                    // SAFETY: live, not used any more.
                    unsafe { heap.give(start, Layout::new::<[u64; 4]>()) };
                }
            })
        })
        .below(150.0)
}

/// Nested temporaries: `depth` blocks of mixed sizes, the youngest ended first.
fn of_stack(depth: usize) -> Case {
    let mix = move || Mix::of_sizes(depth, 16, 2048);
    Case::new(
        format!("stack-nested-{depth}"),
        "nested temporaries of 16 to 2048 bytes, made and ended in reverse order",
        2_000_000,
    )
    .ours("Stack", move |operations| {
        let mix = mix();
        let stack: Stack<'static, Strict> = Stack::over(memory(4 << 20));
        warmed(operations, Stratalloc(stack), |stack, operations| shapes::nested(stack, &mix, operations))
    })
    .peer("glibc", move |operations| {
        let mix = mix();
        warmed(operations, C, |heap, operations| shapes::nested(heap, &mix, operations))
    })
    .at_most(1.0 / 3.0, "glibc")
}

pub(super) fn cases() -> Vec<Case> {
    vec![of_frames(), of_reset(), of_stack(16), of_stack(500)]
}
