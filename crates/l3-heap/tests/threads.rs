//! Threads: many short ones, blocks that cross, owners that sleep, and statistics that reconcile.
//!
//! Not covered: exit hooks of other libraries, fork and signals (`tests/preload`).
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]

mod support;

use std::sync::mpsc;

use stratalloc_heap::{
    allocate, allocate_aligned, collect, deallocate, deallocate_sized, reallocate, validate,
};
use support::{Block, MIB, Random, alone, low_byte, rounds, statistics_now};

fn block(size: usize, seed: u8) -> Block {
    let block = Block::new(allocate(size), size, seed);
    block.fill();
    block
}

/// Nothing is live and every block came back, in every domain and class.
fn assert_reconciled() {
    collect();
    assert_eq!(validate(), Ok(()));
    let now = statistics_now();
    for (name, domain) in
        [("small", now.small), ("medium", now.medium), ("large", now.large), ("huge", now.huge)]
    {
        assert_eq!(domain.live_bytes, 0, "{name}: {domain:?}");
        assert_eq!(domain.allocations, domain.releases, "{name}");
    }
    assert!(now.classes.iter().all(|class| class.live == 0));
}

/// Ends a thread for good: a scope waits for closures only, a join for the thread's destructors too.
fn in_thread<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    std::thread::spawn(f).join().expect("the thread ends")
}

#[test]
fn a_storm_of_short_threads_leaves_nothing() {
    let _alone = alone();
    let storm = |count: usize| {
        let mut left: Vec<Block> = Vec::new();
        for round in 0..count / 4 {
            let threads: Vec<_> = (0..4u8)
                .map(|thread| {
                    let given: Vec<Block> = left.drain(..left.len() / 2).collect();
                    std::thread::spawn(move || {
                        let mut own: Vec<Block> =
                            (1..24).map(|n: usize| block(n * n * 7 % 3000 + 1, thread)).collect();
                        own.push(block(40_000 + round % 7 * 16_384, thread));
                        given.into_iter().for_each(Block::free);
                        // A third outlives the thread.
                        own.drain(8..).for_each(Block::free);
                        own
                    })
                })
                .collect();
            left.extend(threads.into_iter().flat_map(|thread| thread.join().expect("ends")));
        }
        left.into_iter().for_each(Block::free);
        collect();
        statistics_now()
    };
    let warm = storm(rounds(2_000));
    let after = storm(rounds(18_000));
    // Flat: nine times as many threads hold no more than a few slabs beyond what the first hold.
    assert!(
        after.peak_bytes <= warm.peak_bytes + 4 * MIB as u64,
        "peak {} then {}",
        warm.peak_bytes,
        after.peak_bytes
    );
    assert!(after.thread_heaps <= warm.thread_heaps + 8, "{} heaps", after.thread_heaps);
    assert!(after.in_use_bytes <= warm.in_use_bytes + 256 * 1024, "{} in use", after.in_use_bytes);
    assert_reconciled();
}

#[test]
fn consumers_find_what_producers_wrote() {
    let _alone = alone();
    let before = statistics_now();
    let (per_producer, producers) = (rounds(60_000), 2);
    let senders: Vec<_> = (0..producers)
        .map(|seed| {
            let (to, from) = mpsc::sync_channel::<Block>(256);
            let consumer = std::thread::spawn(move || from.into_iter().for_each(Block::free));
            let producer = std::thread::spawn(move || {
                let mut random = Random(seed + 1);
                for number in 0..per_producer {
                    // A few classes with small slabs, so that whole slabs go away all the time.
                    let size = [2_000, 8_000, 30_000, 700, 48][random.below(5)];
                    let sent = to.send(block(size, low_byte(number)));
                    assert!(sent.is_ok());
                }
            });
            (producer, consumer)
        })
        .collect();
    for (producer, consumer) in senders {
        producer.join().expect("the producer ends");
        consumer.join().expect("the consumer ends");
    }
    let now = statistics_now();
    let crossed = per_producer as u64 * producers;
    // The consumer takes full slabs over, and what it frees of them then is its own.
    let remote = now.remote_frees - before.remote_frees;
    assert!(remote >= 1 && remote <= crossed, "{remote}");
    let batches = now.remote_batches - before.remote_batches;
    assert!(batches >= 1 && batches <= remote);
    assert_eq!(now.small.allocations - before.small.allocations, crossed);
    assert_reconciled();
}

#[test]
fn full_slabs_of_a_sleeping_owner_are_reused_without_it() {
    let _alone = alone();
    sleep_on_full_slabs::<4096>();
    // Mixed slabs; 12 KiB leave a rest at each slab's end, which belongs to the last block.
    sleep_on_full_slabs::<{ 12 << 10 }>();
    sleep_on_full_slabs::<{ 16 << 10 }>();
}

fn sleep_on_full_slabs<const SIZE: usize>() {
    let total = if cfg!(miri) { MIB } else { 16 * MIB };
    let (to, from) = mpsc::channel::<Vec<Block>>();
    let (wake, sleep) = mpsc::channel::<()>();
    let owner = std::thread::spawn(move || {
        to.send((0..total / SIZE).map(|_| block(SIZE, 3)).collect()).expect("a receiver");
        sleep.recv().expect("a waker");
    });
    let blocks = from.recv().expect("the owner's blocks");
    let full = statistics_now();
    in_thread(move || blocks.into_iter().for_each(Block::free));
    let freed = statistics_now();
    // The owner still sleeps. What it may hold back: its current slab, a partial one, and what waits there.
    let held = full.in_use_bytes - freed.in_use_bytes;
    assert!(held >= (total - 4 * 65_536) as u64, "{SIZE}: only {held} of {total} bytes came back");
    // Another thread gets the same memory: next to nothing grows.
    let again = in_thread(move || {
        let blocks: Vec<Block> = (0..total / SIZE - 64).map(|_| block(SIZE, 4)).collect();
        let now = statistics_now();
        blocks.into_iter().for_each(Block::free);
        now
    });
    assert!(
        again.peak_bytes <= full.peak_bytes + MIB as u64,
        "{} then {}",
        full.peak_bytes,
        again.peak_bytes
    );
    wake.send(()).expect("the owner waits");
    owner.join().expect("the owner ends");
    assert_reconciled();
}

/// Owners that are always busy, full slabs that go away under them: the reclaiming thread and the draining owner meet.
#[test]
fn owners_drain_while_their_slabs_are_reclaimed() {
    let _alone = alone();
    let count = rounds(30_000);
    let (first, mut inbox) = mpsc::sync_channel::<Block>(64);
    let mut threads = Vec::new();
    for thread in 0..3 {
        let (to, next) = mpsc::sync_channel::<Block>(64);
        let mine = core::mem::replace(&mut inbox, next);
        threads.push(std::thread::spawn(move || {
            for number in 0..count {
                // Two blocks fill such a slab.
                let size = if number % 3 == 0 { 30_000 } else { 16_000 };
                let made = block(size, low_byte(number + thread));
                if let Err(error) = to.try_send(made) {
                    match error {
                        mpsc::TrySendError::Full(block) | mpsc::TrySendError::Disconnected(block) => {
                            block.free()
                        }
                    }
                }
                mine.try_recv().into_iter().for_each(Block::free);
            }
            drop(to);
            mine.into_iter().for_each(Block::free);
        }));
    }
    drop(first);
    inbox.into_iter().for_each(Block::free);
    threads.into_iter().for_each(|thread| thread.join().expect("ends"));
    assert_reconciled();
}

#[test]
fn statistics_are_exact_at_rest() {
    let _alone = alone();
    in_thread(|| {
        collect();
        let before = statistics_now();
        let small: Vec<Block> = (0..100).map(|_| block(100, 1)).collect();
        let run = block(40_000, 2);
        let medium = block(3 * MIB, 3);
        let aligned = Block::new(allocate_aligned(100, 1 << 20), 100, 4);
        aligned.fill();
        let now = statistics_now();
        assert_eq!(now.small.allocations - before.small.allocations, 101);
        assert_eq!(now.small.live_bytes - before.small.live_bytes, 100 * 112 + 49_152);
        assert_eq!(now.medium.allocations - before.medium.allocations, 1);
        assert_eq!(now.medium.live_bytes - before.medium.live_bytes, 3 * MIB as u64);
        assert_eq!(now.huge.allocations - before.huge.allocations, 1);
        let class = |now: &stratalloc_heap::Statistics| {
            now.classes.into_iter().find(|class| class.size == 112).expect("a class of 112 bytes")
        };
        assert_eq!(class(&now).live - class(&before).live, 100);
        assert_eq!(class(&now).allocations - class(&before).allocations, 100);
        small.into_iter().for_each(Block::free);
        // SAFETY: the run is ours; the new pointer replaces the old.
        let grown = unsafe { reallocate(run.ptr(), 60_000) };
        // In place, or as one more allocation and release: that depends on what lies behind it.
        let moved = u64::from(grown != run.ptr());
        run.resized(grown, 60_000).free();
        medium.free();
        aligned.free();
        let after = statistics_now();
        for (then, now) in
            [(before.small, after.small), (before.medium, after.medium), (before.huge, after.huge)]
        {
            assert_eq!(now.live_bytes, then.live_bytes);
            assert_eq!(now.allocations - then.allocations, now.releases - then.releases);
        }
        assert_eq!(after.small.releases - before.small.releases, 101 + moved);
        assert_eq!(after.remote_frees, before.remote_frees);
    });
    assert_reconciled();
}

/// Frees by size go straight into the bin; the count of live blocks stays exact all the same.
#[test]
fn sized_frees_keep_the_count_of_live_blocks() {
    let _alone = alone();
    in_thread(|| {
        // A class that does not share another one's slabs at first.
        let kept = block(220, 1);
        for _ in 0..10_000 {
            let ptr = allocate(220);
            // SAFETY: just allocated with this size.
            unsafe { deallocate_sized(ptr, 220, 8) };
        }
        let class = statistics_now().classes.into_iter().find(|class| class.size == 224).expect("a class");
        assert_eq!(class.live, 1);
        kept.free();
        // SAFETY: null is no block.
        unsafe { deallocate(core::ptr::null_mut()) };
    });
    assert_reconciled();
}

/// Slabs with room that an ended thread left are in the depot; the rest of their blocks comes home there, where nobody looks. Before
/// memory grows for another class, somebody does.
#[test]
fn slabs_that_become_empty_in_the_depot_serve_other_classes() {
    let _alone = alone();
    collect();
    let left = in_thread(|| {
        let mut blocks: Vec<Block> = (0..rounds(6_000)).map(|n| block(1_000, low_byte(n))).collect();
        // One of each slab's first blocks goes: none of the slabs is full.
        let kept = blocks.split_off(64);
        blocks.into_iter().for_each(Block::free);
        let (gone, kept): (Vec<_>, Vec<_>) = kept.into_iter().enumerate().partition(|(n, _)| n % 8 == 0);
        gone.into_iter().for_each(|(_, block)| block.free());
        kept.into_iter().map(|(_, block)| block).collect::<Vec<Block>>()
    });
    let held = statistics_now().in_use_bytes;
    assert!(cfg!(miri) || held > 5 * MIB as u64, "{held}");
    left.into_iter().for_each(Block::free);
    // Of another class, four fifths of what came home.
    let other: Vec<Block> = (0..rounds(6_000)).map(|n| block(800, low_byte(n))).collect();
    let now = statistics_now().in_use_bytes;
    assert!(now <= held + 512 * 1024, "{held} then {now}");
    other.into_iter().for_each(Block::free);
    assert_reconciled();
}

#[test]
fn a_thread_that_used_every_size_leaves_little_behind() {
    let _alone = alone();
    collect();
    // Memory that was used before, so that each slab in it may be resident wholly.
    let runs: Vec<Block> = (0..64).map(|_| block(256 << 10, 1)).collect();
    runs.into_iter().for_each(Block::free);
    let before = statistics_now().in_use_bytes;
    for _ in 0..4 {
        in_thread(|| {
            let sizes = (16..1024).step_by(16).chain((1024..32 << 10).step_by(512));
            sizes.map(|size| block(size, 2)).for_each(Block::free);
        });
    }
    // About ninety slabs of 64 KiB, of which ended threads keep 2 MiB at most.
    let after = statistics_now().in_use_bytes;
    assert!(after <= before + 5 * MIB as u64 / 2, "{before} bytes in use, then {after}");
    assert_reconciled();
}
