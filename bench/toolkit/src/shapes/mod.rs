//! The work: the same code for every contestant. Each block's first word is written after it was made and read back before it goes,
//! so no contestant can be optimised away, and all must come to the same checksum.

mod latency;
mod long_run;
mod mix;
mod threads;

use core::alloc::Layout;
use core::hint::black_box;
use core::ptr::NonNull;

pub(crate) use latency::{latencies, worst_latencies};
pub(crate) use long_run::{LongRun, smallest_memory};
pub(crate) use mix::Mix;
pub(crate) use threads::{exchange, own_blocks};

use crate::heap::Heap;

/// A block with `word` in its first eight bytes (its first byte, if it has fewer).
#[inline(always)]
fn make<H: Heap>(heap: &H, layout: Layout, word: usize) -> NonNull<u8> {
    let start = heap.take(layout).expect("the heap is large enough for the case");
    if layout.size() >= size_of::<usize>() {
        // SAFETY: a fresh block of that length.
        unsafe { start.cast::<usize>().write_unaligned(word) };
    } else {
        // SAFETY: a fresh block, of a byte at least.
        unsafe { start.write(word as u8) };
    }
    start
}

/// Reads what [`make`] wrote, and gives the block back.
#[inline(always)]
fn end<H: Heap>(heap: &H, start: NonNull<u8>, layout: Layout) -> u64 {
    let word = look(start, layout);
    // SAFETY: a live block of this heap, not used any more.
    unsafe { heap.give(start, layout) };
    word
}

#[inline(always)]
fn look(start: NonNull<u8>, layout: Layout) -> u64 {
    if layout.size() >= size_of::<usize>() {
        // SAFETY: live, written by `make`.
        unsafe { start.cast::<usize>().read_unaligned() as u64 }
    } else {
        // SAFETY: as above.
        u64::from(unsafe { start.read() })
    }
}

/// One block at a time, made and ended at once.
#[inline(always)]
pub(crate) fn pairs<H: Heap>(heap: &H, layout: Layout, operations: u64) -> u64 {
    let mut sum = 0_u64;
    for index in 0..operations {
        let start = black_box(make(heap, layout, index as usize));
        sum = sum.wrapping_add(end(heap, start, layout));
    }
    sum
}

/// All blocks of the mix are made, then ended in the mix's order, again and again. An operation is one block made and ended.
#[inline(always)]
pub(crate) fn batches<H: Heap>(heap: &H, mix: &Mix, operations: u64) -> u64 {
    let mut live = vec![NonNull::dangling(); mix.len()];
    let mut sum = 0_u64;
    for round in 0..operations / mix.len() as u64 {
        for (index, (slot, &layout)) in live.iter_mut().zip(mix.layouts()).enumerate() {
            *slot = make(heap, layout, index + round as usize);
        }
        for &index in mix.order() {
            let index = index as usize;
            sum = sum.wrapping_add(end(heap, live[index], mix.layouts()[index]));
        }
    }
    sum
}

/// As many live blocks as the mix has, of which a random one is ended and made again with another of the mix's sizes.
#[inline(always)]
pub(crate) fn replacements<H: Heap>(heap: &H, mix: &Mix, operations: u64) -> u64 {
    let layouts = mix.layouts();
    let mut live: Vec<_> =
        layouts.iter().enumerate().map(|(index, &layout)| (make(heap, layout, index), layout)).collect();
    let mut sum = 0_u64;
    for (index, &slot) in (0..operations).zip(mix.order().iter().cycle()) {
        // Another size each time around: the step is odd, so all of them come.
        let layout = layouts[(index as usize).wrapping_mul(5) % layouts.len()];
        let (old, old_layout) = live[slot as usize];
        sum = sum.wrapping_add(end(heap, old, old_layout));
        live[slot as usize] = (make(heap, layout, index as usize), layout);
    }
    for (start, layout) in live {
        sum = sum.wrapping_add(end(heap, start, layout));
    }
    sum
}

/// Frames of a program: all blocks of the mix are made and looked at, then `over` gives them up.
#[inline(always)]
pub(crate) fn frames<H: Heap>(
    heap: &mut H,
    mix: &Mix,
    operations: u64,
    mut over: impl FnMut(&mut H, &[(NonNull<u8>, Layout)]),
) -> u64 {
    let mut made = Vec::with_capacity(mix.len());
    let mut sum = 0_u64;
    for round in 0..operations / mix.len() as u64 {
        for (index, &layout) in mix.layouts().iter().enumerate() {
            made.push((make(heap, layout, index + round as usize), layout));
        }
        for &(start, layout) in &made {
            sum = sum.wrapping_add(look(start, layout));
        }
        over(heap, &made);
        made.clear();
    }
    sum
}
