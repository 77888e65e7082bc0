//! The directory of two-level pools: numbers are handed out while others walk over all that there are.

extern crate std;

use core::ptr::without_provenance_mut;
use std::alloc::System;

use loom::sync::Arc;
use loom::thread;
use stratalloc_primitives::primitive::atomic::Ordering;
use stratalloc_resource::FromGlobal;

use crate::mem_pool::Directory;

/// As `MemPool::request_chunk`: a number, and where its chunk is.
fn add(directory: &Directory) -> u32 {
    let number = directory.number(&FromGlobal::new(&System), 3).unwrap();
    let chunk = without_provenance_mut(number as usize + 1);
    directory.place(number).start.store(chunk, Ordering::Release);
    number
}

/// As `MemPool::chunks`: a look at each place that there is. How many have a chunk.
fn walk(directory: &Directory) -> usize {
    let start = |number| directory.place(number).start.load(Ordering::Acquire);
    (0..directory.used()).filter(|&number| !start(number).is_null()).count()
}

/// Two threads need a number each, for which there is no place yet; a third one walks over the places meanwhile.
///
/// Weakened and seen failing: the exchange of `used` relaxed, its load relaxed: "a number below `used` without a place". The
/// exchange of `more` relaxed: "Concurrent atomic store and mut accesses".
#[test]
fn loom_each_number_that_is_seen_has_its_place() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let mut directory = Arc::new(Directory::new());
        assert_eq!(add(&directory), 0, "in the pool itself");
        let share = || directory.clone();
        let threads = [share(), share()].map(|directory| thread::spawn(move || add(&directory)));
        let walker = share();
        let seen = thread::spawn(move || walk(&walker)).join().unwrap();
        let numbers = threads.map(|thread| thread.join().unwrap());
        assert!(numbers == [1, 2] || numbers == [2, 1]);
        assert!((1..=3).contains(&seen) && walk(&directory) == 3);
        let directory = Arc::get_mut(&mut directory).expect("the threads are gone");
        // SAFETY: the upstream of `add`; nobody uses the places any more.
        unsafe { directory.release(&FromGlobal::new(&System)) };
    });
}
