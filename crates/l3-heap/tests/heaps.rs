//! Independent heaps: several at once, frees that cross threads, dropping with live blocks.
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]

mod support;

use core::alloc::Layout;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use stratalloc_heap::{Heap, ProcessHeap, collect, validate};
use stratalloc_resource::{Alignment, MemoryBlock, MemoryResource, Owns};
use support::{Block, Random, alone, low_byte, rounds, statistics_now};

fn take(heap: &impl MemoryResource, size: usize, align: usize, seed: u8) -> Block {
    let layout = Layout::from_size_align(size, align).expect("a layout");
    let block = Block::new(heap.allocate(layout).expect("memory").as_ptr(), size, seed);
    block.fill();
    block
}

fn give(heap: &impl MemoryResource, block: Block) {
    block.check();
    let start = core::ptr::NonNull::new(block.ptr()).expect("a block");
    // SAFETY: the block is one of this heap's, and gone afterwards.
    unsafe { heap.deallocate(MemoryBlock::new(start, block.size()), Alignment::constant::<16>()) };
}

/// Sizes of every domain that is cheap, small ones more often.
fn size(random: &mut Random) -> usize {
    match random.below(20) {
        0..=13 => random.below(2_000) + 1,
        14..=17 => random.below(60_000) + 1,
        18 => random.below(900_000) + 1,
        _ => random.below(3 << 20) + 1,
    }
}

#[test]
fn dropping_returns_everything_and_harms_nobody() {
    let _alone = alone();
    collect();
    let before = statistics_now();
    let (doomed, other) = (Heap::new().expect("a heap"), Heap::new().expect("a heap"));
    let mut random = Random(17);
    let mut survivors = Vec::new();
    for seed in 0..200u8 {
        let size = size(&mut random);
        let lost = take(&doomed, size, 16, seed);
        assert!(doomed.owns(lost.ptr()) && !other.owns(lost.ptr()) && !ProcessHeap.owns(lost.ptr()));
        survivors.push((take(&other, size, 16, seed), take(&ProcessHeap, size, 16, seed)));
    }
    take(&doomed, 100, 1 << 20, 1);
    take(&doomed, 600 << 20, 16, 1);
    assert!(doomed.footprint() >= 601 << 20);
    let footprint = other.footprint();
    drop(doomed);
    assert_eq!(validate(), Ok(()));
    assert_eq!(other.footprint(), footprint);
    for (first, second) in survivors {
        give(&other, first);
        second.free();
    }
    drop(other);
    collect();
    let after = statistics_now();
    assert_eq!(validate(), Ok(()));
    assert_eq!(after.in_use_bytes, before.in_use_bytes);
    assert_eq!(after.dirty_bytes, 0);
    for (then, now) in [(before.small, after.small), (before.medium, after.medium), (before.huge, after.huge)]
    {
        assert_eq!(now.live_bytes, then.live_bytes);
    }
    let fresh = Heap::new().expect("a heap");
    assert_eq!(fresh.footprint(), 0);
}

/// What a dropped heap handed out counts as released, and what it never handed out does not count at all.
#[test]
fn dropping_keeps_the_counts() {
    let _alone = alone();
    let heap = Heap::new().expect("a heap");
    let before = statistics_now();
    take(&heap, 48, 16, 1);
    take(&heap, 50_000, 16, 1);
    take(&heap, 2 << 20, 16, 1);
    drop(heap);
    let after = statistics_now();
    assert_eq!(after.small.allocations - before.small.allocations, 2);
    assert_eq!(after.small.releases - before.small.releases, 2);
    assert_eq!(after.medium.releases - before.medium.releases, 1);
}

#[test]
fn threads_share_heaps_and_free_across() {
    let _alone = alone();
    for round in 0..rounds(3) as u64 {
        let heaps: Vec<Heap> = (0..3).map(|_| Heap::new().expect("a heap")).collect();
        std::thread::scope(|scope| {
            let (first, mut inbox) = mpsc::channel::<(usize, Block)>();
            let mut threads = Vec::new();
            for thread in 0..4u64 {
                let (to, next) = mpsc::channel();
                let mine = core::mem::replace(&mut inbox, next);
                let heaps = &heaps;
                threads.push(scope.spawn(move || {
                    let mut random = Random(round * 31 + thread + 1);
                    for number in 0..rounds(1_500) {
                        let at = random.below(3);
                        let block = take(&heaps[at], size(&mut random), 16, low_byte(number));
                        match random.below(3) {
                            // Some stay until the heap goes.
                            0 if number % 7 == 0 => {}
                            0 => give(&heaps[at], block),
                            _ => drop(to.send((at, block))),
                        }
                        // Freed by a thread that need not know where a block came from.
                        mine.try_recv().into_iter().for_each(|(at, block)| {
                            if number % 2 == 0 { give(&heaps[at], block) } else { block.free() }
                        });
                    }
                    drop(to);
                    mine.into_iter().for_each(|(_, block)| block.free());
                }));
            }
            drop(first);
            inbox.into_iter().for_each(|(_, block)| block.free());
            // A scope waits for its closures only; a join also waits for the end of each thread, where its heap is handed over.
            threads.into_iter().for_each(|thread| thread.join().expect("no block was damaged"));
        });
        assert_eq!(validate(), Ok(()));
        let mut heaps = heaps;
        heaps.pop();
        assert_eq!(validate(), Ok(()), "after dropping one of three");
    }
    collect();
    assert_eq!(validate(), Ok(()));
}

/// A purge on another thread may be inside a heap's chunk at the moment when the heap goes.
#[test]
fn heaps_come_and_go_under_a_purge() {
    let _alone = alone();
    collect();
    let before = statistics_now();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let purger = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                collect();
            }
        });
        let workers: Vec<_> = (1..4u8)
            .map(|seed| {
                scope.spawn(move || {
                    for _ in 0..rounds(400) {
                        let heap = Heap::new().expect("a heap");
                        let blocks: Vec<Block> = (0..3).map(|_| take(&heap, 200_000, 16, seed)).collect();
                        let [first, second, third] = blocks.try_into().expect("three");
                        give(&heap, second);
                        first.check();
                        third.check();
                    }
                })
            })
            .collect();
        let outcomes: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(purger.join().is_ok());
        assert!(outcomes.iter().all(Result::is_ok));
    });
    collect();
    let after = statistics_now();
    assert_eq!(validate(), Ok(()));
    assert_eq!(after.in_use_bytes, before.in_use_bytes);
    assert_eq!(after.small.live_bytes, before.small.live_bytes);
}

/// Kibibytes of the process in memory.
#[cfg(not(miri))]
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
#[cfg(not(miri))]
fn ten_thousand_heaps_leave_resident_memory_flat() {
    let _alone = alone();
    let cycle = |count: usize| {
        for number in 0..count {
            let heap = Heap::new().expect("a heap");
            for size in [16, 100, 1_000, 5_000, 40_000] {
                take(&heap, size, 16, low_byte(number));
            }
            if number % 100 == 0 {
                take(&heap, 2 << 20, 16, 1);
            }
        }
        collect();
        (resident_kib(), statistics_now())
    };
    let (first, then) = cycle(rounds(500));
    let (last, now) = cycle(rounds(10_000));
    assert!(last <= first + 1024, "{first} KiB, then {last} KiB");
    assert_eq!(now.in_use_bytes, then.in_use_bytes);
    assert_eq!(now.thread_heaps, then.thread_heaps);
    assert_eq!(validate(), Ok(()));
}

#[test]
fn heaps_are_numbered_anew_and_run_out_politely() {
    let _alone = alone();
    let mut heaps: Vec<Heap> = core::iter::from_fn(Heap::new).take(5_000).collect();
    assert!(heaps.len() >= 1_000 && heaps.len() <= 1_023, "{}", heaps.len());
    assert!(Heap::new().is_none());
    heaps.pop();
    assert!(Heap::new().is_some());
}

/// A child forked while another thread is inside a shard of the heap takes none of that shard's lists, which may be half changed.
#[cfg(all(unix, not(miri)))]
#[test]
fn the_child_of_a_fork_goes_on_with_every_heap() {
    unsafe extern "C" {
        safe fn fork() -> i32;
        safe fn _exit(status: i32) -> !;
        fn waitpid(child: i32, status: *mut i32, options: i32) -> i32;
    }
    let _alone = alone();
    let heap = Heap::new().expect("a heap");
    let stop = AtomicBool::new(false);
    let work = |random: &mut Random| {
        let blocks: Vec<Block> =
            (0..40).map(|seed| take(&heap, size(random) % 4_000 + 1, 16, seed)).collect();
        blocks.into_iter().for_each(|block| give(&heap, block));
    };
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let mut random = Random(5);
            while !stop.load(Ordering::Relaxed) {
                work(&mut random);
            }
        });
        let outcome = |round: usize| {
            let child = fork();
            if child == 0 {
                support::end_after(20);
                let mut random = Random(round as u64 + 1);
                (0..20).for_each(|_| work(&mut random));
                // SAFETY: the child's copy; the parent drops its own.
                drop(unsafe { core::ptr::read(&raw const heap) });
                _exit(i32::from(validate().is_err()));
            }
            let mut status = -1;
            // SAFETY: our own child and our own word.
            let waited = unsafe { waitpid(child, &raw mut status, 0) };
            (waited == child).then_some(status)
        };
        let bad = (0..rounds(60)).map(outcome).find(|status| *status != Some(0));
        stop.store(true, Ordering::Relaxed);
        busy.join().expect("no block was damaged");
        assert_eq!(bad, None, "a signal's number, or 256 times the exit status");
    });
}
