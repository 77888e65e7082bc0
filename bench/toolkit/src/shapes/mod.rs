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
pub(crate) use threads::{exchange, own_blocks, together};

use crate::heap::Heap;

/// A block with `word` in its first eight bytes; no mix has smaller ones.
#[inline(always)]
fn make<H: Heap>(heap: &H, layout: Layout, word: usize) -> NonNull<u8> {
    let start = heap.take(layout).expect("the heap is large enough for the case");
    // SAFETY: a fresh block of that length.
    unsafe { start.cast::<usize>().write_unaligned(word) };
    start
}

/// Reads what [`make`] wrote, and gives the block back.
#[inline(always)]
fn end<H: Heap>(heap: &H, start: NonNull<u8>, layout: Layout) -> u64 {
    let word = look(start);
    // SAFETY: a live block of this heap, not used any more.
    unsafe { heap.give(start, layout) };
    word
}

#[inline(always)]
fn look(start: NonNull<u8>) -> u64 {
    // SAFETY: live, written by `make`.
    unsafe { start.cast::<usize>().read_unaligned() as u64 }
}

/// Fills a heap to the last block and gives one large block back, so that the smallest request has to split that as often as it can
/// be split (TLSF once, a buddy system at every order), and its release merges all of it again.
pub(crate) fn only_a_large_block<H: Heap>(heap: &H) {
    let layout = |log2: u32| Layout::from_size_align(1 << log2, align_of::<usize>()).expect("small");
    let mut largest = None;
    for log2 in (6..=30).rev() {
        while let Some(start) = heap.take(layout(log2)) {
            largest.get_or_insert((start, layout(log2)));
        }
    }
    let (start, layout) = largest.expect("the heap has a block");
    // SAFETY: live, not used.
    unsafe { heap.give(start, layout) };
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

/// The layout of the block that takes an ended one's place at a step: all of the mix in turn, and at each slot another one each time
/// around.
#[inline(always)]
fn next_layout(layouts: &[Layout], step: usize) -> Layout {
    layouts[(step + step / layouts.len()) % layouts.len()]
}

/// As many live blocks as the mix has, of which a random one is ended and made again with another of the mix's sizes.
#[inline(always)]
pub(crate) fn replacements<H: Heap>(heap: &H, mix: &Mix, operations: u64) -> u64 {
    let layouts = mix.layouts();
    let mut live: Vec<_> =
        layouts.iter().enumerate().map(|(index, &layout)| (make(heap, layout, index), layout)).collect();
    let mut sum = 0_u64;
    for (index, &slot) in (0..operations).zip(mix.order().iter().cycle()) {
        let layout = next_layout(layouts, index as usize);
        let (old, old_layout) = live[slot as usize];
        sum = sum.wrapping_add(end(heap, old, old_layout));
        live[slot as usize] = (make(heap, layout, index as usize), layout);
    }
    for (start, layout) in live {
        sum = sum.wrapping_add(end(heap, start, layout));
    }
    sum
}

/// All blocks of the mix are made, then ended, the youngest first, again and again.
#[inline(always)]
pub(crate) fn nested<H: Heap>(heap: &H, mix: &Mix, operations: u64) -> u64 {
    let mut live = vec![NonNull::dangling(); mix.len()];
    let mut sum = 0_u64;
    for round in 0..operations / mix.len() as u64 {
        for (index, (slot, &layout)) in live.iter_mut().zip(mix.layouts()).enumerate() {
            *slot = make(heap, layout, index + round as usize);
        }
        for (&start, &layout) in live.iter().zip(mix.layouts()).rev() {
            sum = sum.wrapping_add(end(heap, start, layout));
        }
    }
    sum
}

/// Frames of a program: all blocks of the mix are made, every sixteenth is looked at, then `over` gives them up.
#[inline(always)]
pub(crate) fn frames<H: Heap>(
    heap: &mut H,
    mix: &Mix,
    operations: u64,
    mut over: impl FnMut(&mut H, &[NonNull<u8>]),
) -> u64 {
    let mut made = vec![NonNull::dangling(); mix.len()];
    let mut sum = 0_u64;
    for round in 0..operations / mix.len() as u64 {
        for (index, (slot, &layout)) in made.iter_mut().zip(mix.layouts()).enumerate() {
            *slot = make(heap, layout, index + round as usize);
        }
        for &start in made.iter().step_by(16) {
            sum = sum.wrapping_add(look(start));
        }
        over(heap, &made);
    }
    sum
}
