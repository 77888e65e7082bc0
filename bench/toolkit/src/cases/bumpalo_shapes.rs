//! `Frame` beside `bumpalo`, in the shapes of `bumpalo`'s own `benches/benches.rs` (3.20).

#![expect(clippy::result_large_err, reason = "so large are those of the original")]

use core::fmt::Write as _;
use core::hint::black_box;
use std::alloc::System;

use allocator_api2::vec::Vec as StandardVec;
use bumpalo::Bump;
use bumpalo::collections::{String as BumpString, Vec as BumpVec};
use stratalloc_resource::{Allocator, FromGlobal};
use stratalloc_strategies::frame::{Frame, Speed};

use super::Case;
use crate::sample::{Sample, timed};

/// Values in one arena.
const ALLOCATIONS: u64 = 10_000;

type Growing = Frame<'static, Speed, FromGlobal<'static, System>>;

/// As `Bump::with_capacity`.
fn frame_with(capacity: usize) -> Growing {
    let frame = Frame::growing(FromGlobal::new(&System));
    frame.try_reserve(capacity).expect("there is memory");
    frame
}

#[derive(Default)]
struct Small(#[expect(dead_code, reason = "written and never read, as in the original")] u8);
#[derive(Default)]
struct Big(#[expect(dead_code, reason = "as above")] [usize; 32]);

/// Arenas of 10 000 values each, made, filled and dropped.
#[inline(always)]
fn arenas<A>(operations: u64, make: impl Fn() -> A, mut fill: impl FnMut(&A)) -> Sample {
    let mut work = |operations| {
        for _ in 0..operations / ALLOCATIONS {
            let arena = make();
            for _ in 0..ALLOCATIONS {
                fill(black_box(&arena));
            }
        }
        0
    };
    work(operations / 10);
    timed(operations, || work(operations))
}

/// Two contestants with the same method of both crates.
macro_rules! values {
    ($name:literal, $models:literal, $type:ty, $operations:expr, |$arena:ident| $body:expr) => {
        Case::new($name, $models, $operations)
            .ours("Frame", |operations| {
                let capacity = size_of::<$type>() * ALLOCATIONS as usize;
                arenas(operations, || frame_with(capacity), |$arena: &Growing| $body)
            })
            .peer("bumpalo", |operations| {
                let capacity = size_of::<$type>() * ALLOCATIONS as usize;
                arenas(operations, || Bump::with_capacity(capacity), |$arena: &Bump| $body)
            })
            .at_most(1.0, "bumpalo")
    };
}

fn of_values() -> Vec<Case> {
    vec![
        values!(
            "bump-alloc-small",
            "bumpalo's alloc/small: 10 000 bytes, one by one",
            Small,
            3_000_000,
            |arena| {
                black_box(arena.alloc(black_box(Small::default())));
            }
        ),
        values!("bump-alloc-big", "bumpalo's alloc/big: 10 000 values of 256 bytes", Big, 500_000, |arena| {
            black_box(arena.alloc(black_box(Big::default())));
        }),
        values!("bump-alloc-with-small", "bumpalo's alloc-with/small", Small, 3_000_000, |arena| {
            black_box(arena.alloc_with(|| black_box(Small::default())));
        }),
        values!("bump-alloc-with-big", "bumpalo's alloc-with/big", Big, 500_000, |arena| {
            black_box(arena.alloc_with(|| black_box(Big::default())));
        }),
        values!("bump-try-alloc-small", "bumpalo's try-alloc/small", Small, 3_000_000, |arena| {
            let _ = black_box(arena.try_alloc(black_box(Small::default())));
        }),
        values!("bump-try-alloc-with-big", "bumpalo's try-alloc-with/big", Big, 500_000, |arena| {
            let _ = black_box(arena.try_alloc_with(|| black_box(Big::default())));
        }),
        values!(
            "bump-alloc-try-with-ok",
            "bumpalo's alloc-try-with/small, big: a value that may fail and does not",
            Result<Small, Big>,
            500_000,
            |arena| {
                let made: Result<&mut Small, Big> = arena.alloc_try_with(|| black_box(Ok(Small::default())));
                let _ = black_box(made);
            }
        ),
        values!(
            "bump-alloc-try-with-err",
            "bumpalo's alloc-try-with-err/big, small: a value that fails, its room taken back",
            Result<Big, Small>,
            2_000_000,
            |arena| {
                let made: Result<&mut Big, Small> = arena.alloc_try_with(|| black_box(Err(Small::default())));
                let _ = black_box(made);
            }
        ),
    ]
}

/// One arena, reset before each operation.
#[inline(always)]
fn resets<A>(operations: u64, mut arena: A, reset: impl Fn(&mut A), work: impl Fn(&A) -> usize) -> Sample {
    let mut all = |operations| {
        let mut sum = 0;
        for _ in 0..operations {
            reset(&mut arena);
            sum += work(black_box(&arena)) as u64;
        }
        sum
    };
    all(operations / 10);
    timed(operations, || all(operations))
}

fn on_frame(operations: u64, capacity: usize, work: impl Fn(&Growing) -> usize) -> Sample {
    resets(operations, frame_with(capacity), Growing::reset, work)
}

fn on_bump(operations: u64, capacity: usize, work: impl Fn(&Bump) -> usize) -> Sample {
    resets(operations, Bump::with_capacity(capacity), Bump::reset, work)
}

/// A vector in an arena: the same type, that of `allocator-api2`, over a frame and over a bump; bumpalo's own beside them, which copies
/// slices at once where the other copies byte by byte.
macro_rules! vectors {
    ($name:expr, $models:literal, $operations:expr, $capacity:expr, |$vec:ident| $fill:expr, |$own:ident| $fill_own:expr) => {
        Case::new($name, $models, $operations)
            .ours("Frame", move |n| {
                on_frame(n, $capacity, |frame| {
                    let mut $vec = StandardVec::with_capacity_in($capacity, Allocator::new(frame));
                    $fill;
                    black_box(&$vec).len()
                })
            })
            .peer("bumpalo", move |n| {
                on_bump(n, $capacity, |bump| {
                    let mut $vec = StandardVec::with_capacity_in($capacity, bump);
                    $fill;
                    black_box(&$vec).len()
                })
            })
            .peer("bumpalo, its own Vec", move |n| {
                on_bump(n, $capacity, |bump| {
                    let mut $own = BumpVec::with_capacity_in($capacity, bump);
                    $fill_own;
                    black_box(&$own).len()
                })
            })
            .at_most(1.0, "bumpalo")
    };
}

fn of_collections(len: usize, operations: u64) -> Vec<Case> {
    let bytes: &'static [u8] = vec![b'x'; len].leak();
    vec![
        vectors!(
            format!("bump-extend-{len}"),
            "bumpalo's extend: a vector with capacity, extended by an iterator over bytes",
            operations,
            len,
            |vec| vec.extend(black_box(bytes).iter().copied()),
            |own| own.extend(black_box(bytes).iter().copied())
        ),
        vectors!(
            format!("bump-extend-slice-{len}"),
            "bumpalo's extend_from_slice_copy: the same from a slice",
            operations,
            len,
            |vec| vec.extend_from_slice(black_box(bytes)),
            |own| own.extend_from_slice_copy(black_box(bytes))
        ),
        Case::new(
            format!("bump-slice-copy-{len}"),
            "a slice of bytes copied by the arena itself",
            operations * 2,
        )
        .ours("Frame", move |n| {
            on_frame(n, len, |frame| black_box(frame.alloc_slice_copy(black_box(bytes))).len())
        })
        .peer("bumpalo", move |n| {
            on_bump(n, len, |bump| black_box(bump.alloc_slice_copy(black_box(bytes))).len())
        })
        .at_most(1.0, "bumpalo"),
    ]
}

fn of_growth() -> Case {
    let parts: &'static [[u8; 16]] = vec![[b'w'; 16]; 32].leak();
    vectors!(
        "bump-extend-slices-32",
        "bumpalo's loop over extend_from_slice_copy: 32 slices of 16 bytes, no capacity",
        500_000,
        0,
        |vec| black_box(parts).iter().for_each(|part| vec.extend_from_slice(part)),
        |own| black_box(parts).iter().for_each(|part| own.extend_from_slice_copy(part))
    )
}

fn of_strings() -> Vec<Case> {
    let text: &'static str = "x".repeat(16).leak();
    let copy = Case::new("bump-from-str", "bumpalo's from_str_in: a string of 16 bytes copied", 5_000_000)
        .ours("Frame", move |n| on_frame(n, 16, |frame| black_box(frame.alloc_str(black_box(text))).len()))
        .peer("bumpalo", move |n| {
            on_bump(n, 16, |bump| black_box(BumpString::from_str_in(black_box(text), bump)).len())
        })
        .at_most(1.0, "bumpalo");
    let format = Case::new("bump-format", "bumpalo's format-realloc: a formatted string", 500_000)
        .ours("Frame", |n| {
            on_frame(n, 0, |frame| {
                black_box(frame.alloc_fmt(format_args!("Hello {:.*}", 270, "World! "))).len()
            })
        })
        .peer("bumpalo", |n| {
            on_bump(n, 0, |bump| {
                let mut text = BumpString::new_in(bump);
                let _ = write!(text, "Hello {:.*}", 270, "World! ");
                black_box(text).len()
            })
        })
        .at_most(1.0, "bumpalo");
    vec![copy, format]
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = of_values();
    cases.extend(of_collections(16, 2_000_000));
    cases.extend(of_collections(1024, 300_000));
    cases.push(of_growth());
    cases.extend(of_strings());
    cases
}
