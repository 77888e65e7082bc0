//! False sharing: does an allocator give parts of one cache line to several threads?
//!
//! ```text
//!   thrash   (active)    thread 0: new, new …         thread 1: new, new …      side by side if cut from one run
//!   scratch  (passive)   main: new 0, new 1, new 2    each thread drops the one it was given, then goes on as above:
//!                                                     an allocator that reuses it for that thread shares the line
//! ```
//!
//! The writes are plain stores to the machine; the atomics only keep the compiler from merging them. Nothing is read back in
//! between: how fast a processor forwards a store to the next load varies with addresses in ways that say nothing about
//! sharing (an increment in memory took up to 3.4 times as long under one allocator as under another, on one thread).

use crate::task::{Tally, Task};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Writes to an object before it is dropped: enough that a shared line costs more than the allocation.
const WRITES: u64 = 250;

/// Times that the main thread hands out objects in `cache_scratch`.
const EPOCHS: usize = 20;

/// Objects over all threads.
const OBJECTS: usize = 400_000;

/// An object of 8 bytes: eight of them fit a cache line.
struct Counter(AtomicU64);

impl Counter {
    fn boxed(start: u64) -> Box<Self> {
        Box::new(Self(AtomicU64::new(start)))
    }

    /// Counts all of them on from where they are, in turn, a write for each step.
    fn count_on<const N: usize>(counters: [&Self; N]) {
        let from = counters.map(|counter| counter.0.load(Relaxed));
        for count in 1..=WRITES {
            for (counter, from) in counters.iter().zip(from) {
                counter.0.store(from + count, Relaxed);
            }
        }
    }
}

/// Makes counters, two alive at any time, and writes to both in turn.
fn write_and_replace(thread: usize, objects: usize) -> Tally {
    let mut tally = Tally::default();
    let mut old = Counter::boxed(thread as u64);
    for object in 0..objects {
        let new = Counter::boxed((thread ^ object) as u64);
        Counter::count_on([&old, &new]);
        tally.count(old.0.load(Relaxed));
        old = new;
    }
    tally.count(old.0.load(Relaxed));
    tally
}

/// Every thread works on objects of its own making.
pub(crate) fn cache_thrash(task: Task) -> Tally {
    let objects = task.share(OBJECTS);
    task.split(|thread| write_and_replace(thread, objects))
}

/// Every thread first writes to and drops an object that the main thread made.
pub(crate) fn cache_scratch(task: Task) -> Tally {
    let objects = (task.share(OBJECTS) / EPOCHS).max(1);
    let epoch = |epoch: usize| {
        let given: Vec<Box<Counter>> =
            (0..task.threads()).map(|thread| Counter::boxed(thread as u64)).collect();
        std::thread::scope(|scope| {
            let workers: Vec<_> = given
                .into_iter()
                .enumerate()
                .map(|(thread, counter)| scope.spawn(move || epoch_of_one(epoch ^ thread, counter, objects)))
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("a worker failed")).sum::<Tally>()
        })
    };
    (0..EPOCHS).map(epoch).sum()
}

fn epoch_of_one(seed: usize, given: Box<Counter>, objects: usize) -> Tally {
    let mut tally = Tally::default();
    Counter::count_on([&given]);
    tally.count(given.0.load(Relaxed));
    drop(given);
    [tally, write_and_replace(seed, objects)].into_iter().sum()
}
