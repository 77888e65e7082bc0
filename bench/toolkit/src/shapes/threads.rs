//! Work of several threads on one resource. Threads start together; starting and ending them is timed with the rest.

use core::alloc::Layout;
use core::hint::black_box;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Barrier;
use std::thread;

use super::{end, make};
use crate::heap::Heap;

/// How many blocks a thread has at a time.
const HELD: usize = 8;
/// How many places blocks change hands at.
const PLACES: usize = 256;

/// Each thread makes a few blocks and ends them itself, again and again.
pub(crate) fn own_blocks<H: Heap + Sync>(heap: &H, layout: Layout, threads: usize, operations: u64) -> u64 {
    together(threads, |_| {
        let mut sum = 0_u64;
        let mut held = [NonNull::dangling(); HELD];
        for round in 0..operations / (threads * HELD) as u64 {
            for (index, slot) in held.iter_mut().enumerate() {
                // Out of sight, or the compiler, which knows what `malloc` and `free` are, removes both (seen: 0.4 ns).
                *slot = black_box(make(heap, layout, index + round as usize));
            }
            for slot in held {
                sum = sum.wrapping_add(end(heap, slot, layout));
            }
        }
        sum
    })
}

/// Each thread makes a block, leaves it at a place, and ends whichever block was there: most were made by another thread.
pub(crate) fn exchange<H: Heap + Sync>(heap: &H, layout: Layout, threads: usize, operations: u64) -> u64 {
    let places: Vec<AtomicPtr<u8>> = (0..PLACES).map(|_| AtomicPtr::new(ptr::null_mut())).collect();
    let finish = |found: *mut u8| NonNull::new(found).map_or(0, |start| end(heap, start, layout));
    let sum = together(threads, |thread| {
        let mut random = fastrand::Rng::with_seed(thread as u64);
        let mut sum = 0_u64;
        for index in 0..operations / threads as u64 {
            let start = make(heap, layout, index as usize);
            // Acquire and release: the word in the block goes along.
            let found = places[random.usize(..PLACES)].swap(start.as_ptr(), Ordering::AcqRel);
            sum = sum.wrapping_add(finish(found));
        }
        sum
    });
    places.iter().fold(sum, |sum, place| sum.wrapping_add(finish(place.load(Ordering::Acquire))))
}

/// Runs `work` on so many threads, which begin at the same moment; the sum of what they return.
pub(crate) fn together(threads: usize, work: impl Fn(usize) -> u64 + Sync) -> u64 {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    start.wait();
                    work(thread)
                })
            })
            .collect();
        handles
            .into_iter()
            .fold(0, |sum: u64, handle| sum.wrapping_add(handle.join().expect("no thread panics")))
    })
}
