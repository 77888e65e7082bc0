//! Counted: `Box` and `Vec` on the global allocator, with fat LTO.
//!
//! Callgrind collects inside functions called `probe_*` only. Their bodies are what a program would inline; what makes them
//! functions (`ret`, and `push` and `pop` for the slow path's sake) is subtracted.

use core::hint::black_box;
use core::mem::MaybeUninit;

mod warm;
use warm::warm;

#[global_allocator]
static ALLOCATOR: stratalloc::Stratalloc = stratalloc::Stratalloc;

type Uninit = Box<MaybeUninit<[u64; 16]>>;

/// Storing the value is part of the count.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_box_new_8(value: u64) -> Box<u64> {
    Box::new(value)
}

#[inline(never)]
#[unsafe(no_mangle)]
fn probe_box_drop_8(block: Box<u64>) {
    drop(block);
}

/// Nothing is stored: the allocation alone.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_box_new_128() -> Uninit {
    Box::new_uninit()
}

#[inline(never)]
#[unsafe(no_mangle)]
fn probe_box_drop_128(block: Uninit) {
    drop(block);
}

/// A size that is known at run time only, from the caller's length.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_vec_drop(bytes: Vec<u8>) {
    drop(bytes);
}

/// A loop as the optimiser leaves it: callgrind sees two lengths, the harness takes the difference.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_box_pairs(count: u64) {
    for value in 0..count {
        black_box(Box::new(value));
    }
}

fn main() {
    warm(|| Box::new(black_box(1_u64)), drop);
    warm(Box::<[u64; 16]>::new_uninit, drop);
    warm(|| Vec::<u8>::with_capacity(black_box(40)), drop);
    let small = black_box(probe_box_new_8(black_box(2)));
    let middle = black_box(probe_box_new_128());
    probe_box_drop_8(small);
    probe_box_drop_128(middle);
    probe_vec_drop(black_box(Vec::with_capacity(black_box(40))));
    probe_box_pairs(1000);
    probe_box_pairs(2000);
}
