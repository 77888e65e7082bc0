//! Blocks from one thread to others for as long as asked: five seconds, or `STRATALLOC_STRESS_SECONDS`. Threads stay on their
//! processors, every word of a block is marked and checked, and at the end all counts agree.
//!
//! How many blocks go through is not tested: that is the bench's.
#![cfg(not(any(loom, miri)))]

use core::alloc::Layout;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;
use std::alloc::System;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use stratalloc_modifiers::{CacheLimits, Counted, Locked, ThreadCached};
use stratalloc_resource::{Alignment, FromGlobal, MemoryBlock, MemoryResource, Validate};
use stratalloc_strategies::lock_free_pool::LockFreePool;
use stratalloc_strategies::pool::{Pool, PoolConfig};
use stratalloc_strategies::tlsf::Tlsf;

const CONSUMERS: usize = 3;
const ALIGN: Alignment = Alignment::constant::<64>();

fn duration() -> Duration {
    let asked = std::env::var("STRATALLOC_STRESS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(5))
}

/// Keeps the calling thread on one processor; with fewer of them, threads share.
#[cfg(target_os = "linux")]
fn stay_on(number: usize) {
    unsafe extern "C" {
        fn sched_setaffinity(thread: i32, size: usize, mask: *const u8) -> i32;
    }
    let mut mask = [0_u8; 128];
    let processor = number % thread::available_parallelism().map_or(1, usize::from);
    mask[processor / 8 % 128] = 1 << (processor % 8);
    // SAFETY: the mask is as large as stated; 0 is the calling thread. Refused where the group has other processors: no harm.
    let _ = unsafe { sched_setaffinity(0, mask.len(), mask.as_ptr()) };
}

#[cfg(not(target_os = "linux"))]
fn stay_on(_: usize) {}

/// A block on its way to another thread, and the number that its words hold.
struct Sent(MemoryBlock, u32);

// SAFETY: a live block, which the receiver alone uses.
unsafe impl Send for Sent {}

fn words(block: MemoryBlock) -> impl Iterator<Item = *mut u32> {
    (0..block.len() / 4).map(move |at| block.as_ptr().cast::<u32>().wrapping_add(at))
}

fn mark(block: MemoryBlock, number: u32) {
    for word in words(block) {
        // SAFETY: inside a live block of ours, which is aligned to 64.
        unsafe { word.write(0xDEAD_BEEF ^ number) };
    }
}

fn holds(block: MemoryBlock, number: u32) -> bool {
    words(block).all(|word| {
        // SAFETY: as above, and written by `mark`.
        unsafe { word.read() == 0xDEAD_BEEF ^ number }
    })
}

/// Blocks that `take` makes on this thread are checked and given back by others, each through a `give` of its own. How many there were.
fn exchange<G: FnMut(MemoryBlock)>(
    first_processor: usize,
    mut take: impl FnMut() -> Option<MemoryBlock>,
    give: impl Fn() -> G + Sync,
) -> u64 {
    let (end, arrived) = (Instant::now() + duration(), AtomicU64::new(0));
    let mut sent = 0;
    thread::scope(|scope| {
        let senders: Vec<_> = (0..CONSUMERS)
            .map(|consumer| {
                let (sender, receiver) = mpsc::sync_channel::<Sent>(256);
                let (give, arrived) = (&give, &arrived);
                scope.spawn(move || {
                    stay_on(first_processor + 1 + consumer);
                    let mut give = give();
                    for Sent(block, number) in receiver {
                        assert!(holds(block, number), "somebody else wrote to message {number}");
                        arrived.fetch_add(1, Relaxed);
                        give(block);
                    }
                });
                sender
            })
            .collect();
        stay_on(first_processor);
        while sent % 64 != 0 || Instant::now() < end {
            let Some(block) = take() else {
                // All are on their way.
                thread::yield_now();
                continue;
            };
            #[expect(clippy::cast_possible_truncation, reason = "a mark may come again after 2^32 messages")]
            let number = sent as u32;
            mark(block, number);
            senders[number as usize % CONSUMERS].send(Sent(block, number)).unwrap();
            sent += 1;
        }
    });
    assert_eq!(arrived.into_inner(), sent, "messages that were sent, and that arrived");
    println!("{sent} messages");
    sent
}

#[test]
fn pool_with_remote_returns() {
    let counted = Counted::new(FromGlobal::new(&System));
    let pool = Pool::growing(PoolConfig::new(128, ALIGN).with_chunk_blocks(64), &counted).unwrap();
    let remote = pool.remote();
    let sent = exchange(
        0,
        || pool.take().ok(),
        || {
            // SAFETY: a live block of the pool, with its alignment; not used any more.
            |block| unsafe { remote.deallocate(block, ALIGN) }
        },
    );
    let usage = pool.usage();
    assert_eq!((usage.live, usage.free + usage.fresh), (0, usage.total));
    pool.validate().unwrap();
    drop(pool);
    assert!(sent > 0);
    assert_eq!((counted.counts().live_blocks(), counted.counts().live_bytes), (0, 0));
}

#[test]
fn lock_free_pool_with_two_makers() {
    let mut pool = LockFreePool::within(PoolConfig::new(128, ALIGN), FromGlobal::new(&System), 500).unwrap();
    let shared = &pool;
    let from = move |processor| {
        exchange(
            processor,
            || shared.take().ok(),
            || {
                // SAFETY: a live block of the pool; not used any more.
                |block: MemoryBlock| unsafe { shared.give(block.as_non_null()) }
            },
        )
    };
    thread::scope(|scope| {
        scope.spawn(move || from(1));
        from(0);
    });
    let usage = pool.usage();
    assert_eq!((usage.live, usage.free + usage.fresh), (0, 500));
    pool.validate().unwrap();
}

#[test]
fn thread_caches_over_a_lock() {
    let mut bytes = Box::new_uninit_slice(1 << 20).into_vec();
    let counted = Counted::new(Locked::new(Tlsf::<'_, 24, 32>::over(&mut bytes).unwrap()));
    let cached = ThreadCached::with_limits(&counted, CacheLimits::DEFAULT.with_depot_bytes(8192));
    let mine = cached.handle();
    let mut size = 0;
    exchange(
        0,
        || {
            size = (size + 52) % 1000;
            mine.allocate(Layout::from_size_align(size + 4, ALIGN.bytes()).unwrap()).ok()
        },
        || {
            let theirs = cached.handle();
            // SAFETY: a live block, requested with this alignment through a handle of the same caches; not used any more.
            move |block| unsafe { theirs.deallocate(block, ALIGN) }
        },
    );
    drop(mine);
    cached.validate().unwrap();
    assert_eq!(counted.counts().live_bytes, cached.depot_bytes(), "what is live below waits in the depot");
    cached.flush();
    assert_eq!((counted.counts().live_blocks(), counted.counts().live_bytes), (0, 0));
}
