//! Thread caches: what waits is bounded, balanced, accounted for, and goes back.
//!
//! Not covered here: damage (`damage.rs`), the kit over compositions (`compositions.rs`), interleavings of the depot (`src/models`).
#![cfg(not(loom))]

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::alloc::System as Global;
use std::sync::{Barrier, mpsc};

use proptest::prelude::*;
use stratalloc_modifiers::{CacheLimits, Counted, Locked, ThreadCached};
use stratalloc_resource::conformance::{self, Config};
use stratalloc_resource::{Alignment, FromGlobal, MemoryBlock, MemoryResource, OwnedBlock, Owns, Validate};
use stratalloc_strategies::buddy::Buddy;
use stratalloc_strategies::pool::{Pool, PoolConfig};
use stratalloc_strategies::tlsf::Tlsf;

#[path = "../../l3-strategies/tests/model/mod.rs"]
mod model;

type Shared<'m> = ThreadCached<Locked<Tlsf<'m>>>;

fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    Box::new_uninit_slice(len).into_vec()
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

fn release<R: MemoryResource>(resource: &R, block: MemoryBlock) {
    // SAFETY: callers pass live blocks of the resource, requested at this alignment.
    unsafe { resource.deallocate(block, Alignment::constant::<8>()) };
}

fn take<R: MemoryResource>(resource: &R, count: usize, size: usize) -> Vec<MemoryBlock> {
    (0..count).map(|_| resource.allocate(layout(size)).unwrap()).collect()
}

/// Two blocks of 64 bytes to a batch, so four in a handle.
const SMALL: CacheLimits =
    CacheLimits::DEFAULT.with_batch(2, 1024).with_handle_bytes(2048).with_depot_bytes(1024);

#[test]
fn a_released_block_is_the_next_one_of_its_class() {
    let counted = Counted::new(FromGlobal::new(&Global));
    let cached = ThreadCached::new(&counted);
    let handle = cached.handle();
    let block = handle.allocate(layout(50)).unwrap();
    assert_eq!(block.len(), 64, "the class's length is the caller's");
    release(&handle, block.truncated(50).unwrap());
    assert_eq!(handle.allocate(layout(64)).unwrap(), block);
    assert_ne!(handle.allocate(layout(65)).unwrap().address(), block.address(), "another class");
    assert_eq!(counted.counts().allocations, 2);
}

#[test]
fn what_is_too_much_goes_to_the_depot_and_from_there_to_another_handle() {
    let counted = Counted::new(FromGlobal::new(&Global));
    let cached = ThreadCached::with_limits(&counted, SMALL);
    let (giver, taker) = (cached.handle(), cached.handle());
    let blocks = take(&giver, 7, 64);
    blocks.iter().for_each(|&block| release(&giver, block));
    assert_eq!((giver.waiting(), cached.depot_bytes()), ((3, 192), 256), "four, a batch gone, and so on");
    let before = counted.counts().allocations;
    let again = take(&taker, 4, 64);
    assert_eq!(counted.counts().allocations, before, "two batches from the depot");
    assert!(again.iter().all(|block| blocks.contains(block)));
    assert_eq!((taker.waiting(), cached.depot_bytes()), ((0, 0), 0));
    again.into_iter().for_each(|block| release(&taker, block));
    drop((giver, taker));
    cached.flush();
    assert_eq!(counted.counts().live_blocks(), 0);
}

#[test]
fn blocks_and_bytes_are_bounded_at_every_level() {
    let counted = Counted::new(FromGlobal::new(&Global));
    let cached = ThreadCached::with_limits(&counted, SMALL);
    let handle = cached.handle();
    for size in [16, 64, 200, 500, 1024, 4096] {
        let blocks = take(&handle, 100, size);
        for block in blocks {
            release(&handle, block);
            let (_, bytes) = handle.waiting();
            assert!(bytes <= 2048 && cached.depot_bytes() <= 1024);
        }
    }
    let waits = handle.waiting().1 + cached.depot_bytes();
    assert_eq!(counted.counts().live_bytes, waits, "the rest went back");
    assert!(counted.counts().releases > 500);
}

#[test]
fn a_block_longer_than_a_cache_sends_nothing_else_away() {
    let counted = Counted::new(FromGlobal::new(&Global));
    let cached = ThreadCached::with_limits(&counted, SMALL);
    let handle = cached.handle();
    let (small, long) = (take(&handle, 3, 64), take(&handle, 2, 4096));
    small.into_iter().for_each(|block| release(&handle, block));
    for block in long {
        release(&handle, block);
        assert_eq!((handle.waiting(), cached.depot_bytes()), ((3, 192), 0));
    }
    assert_eq!(counted.counts().live_blocks(), 3);
}

#[test]
fn a_dropped_handle_leaves_batches_and_gives_the_rest_back() {
    let counted = Counted::new(FromGlobal::new(&Global));
    let cached = ThreadCached::with_limits(&counted, SMALL);
    let handle = cached.handle();
    let blocks = take(&handle, 3, 64);
    blocks.into_iter().for_each(|block| release(&handle, block));
    drop(handle);
    assert_eq!((cached.depot_bytes(), counted.counts().live_blocks()), (128, 2));
    drop(cached);
    assert_eq!(counted.counts().live_blocks(), 0);
}

#[test]
fn large_and_over_aligned_requests_go_past() {
    let counted = Counted::new(FromGlobal::new(&Global));
    let cached = ThreadCached::new(&counted);
    let handle = cached.handle();
    for (size, align) in [(4097, 8), (100_000, 16), (64, 32), (1, 4096)] {
        let layout = Layout::from_size_align(size, align).unwrap();
        let before = counted.counts().releases;
        drop(OwnedBlock::new(&handle, layout).unwrap());
        assert_eq!((counted.counts().releases, handle.waiting().0), (before + 1, 0), "{layout:?}");
    }
}

#[test]
fn a_pool_is_cached_up_to_its_block() {
    let mut bytes = memory(8192);
    let config = PoolConfig::new(100, Alignment::constant::<16>());
    let pool = Pool::over(config, &mut bytes).unwrap();
    let most = pool.block_len();
    let cached = ThreadCached::new(&pool);
    let handle = cached.handle();
    for size in 0..=most {
        release(&handle, handle.allocate(layout(size)).unwrap_or_else(|error| panic!("{size}: {error}")));
    }
    assert!(handle.allocate(layout(most + 1)).is_err());
    handle.flush();
    assert_eq!(pool.usage().live, 0);
}

#[test]
fn what_waits_is_given_back_where_the_resource_below_refuses() {
    let mut bytes = memory(8192);
    let cached = Shared::new(Locked::new(Tlsf::over(&mut bytes).unwrap()));
    let handle = cached.handle();
    let blocks = take(&handle, 50, 128);
    blocks.into_iter().for_each(|block| release(&handle, block));
    assert!(handle.waiting().0 + cached.depot_bytes() > 0);
    let large = handle.allocate(layout(7000)).unwrap();
    assert_eq!((handle.waiting().0, cached.depot_bytes()), (0, 0));
    release(&handle, large);
    assert_eq!(take(&handle, 50, 128).len(), 50, "nothing was lost");
}

#[test]
fn after_a_refusal_all_goes_back_once_all_was_released() {
    let mut bytes = memory(8192);
    let cached = Shared::new(Locked::new(Tlsf::over(&mut bytes).unwrap()));
    let handle = cached.handle();
    let mut blocks = Vec::new();
    while let Ok(block) = handle.allocate(layout(128)) {
        blocks.push(block);
    }
    assert!(blocks.len() > 40);
    let last = blocks.pop().unwrap();
    blocks.into_iter().for_each(|block| release(&handle, block));
    assert!(handle.waiting().0 > 0, "one is live");
    release(&handle, last);
    assert_eq!(cached.inner().with(|tlsf| tlsf.usage().live_blocks), 0);
    release(&handle, handle.allocate(layout(128)).unwrap());
    assert_eq!(handle.waiting().0, 1, "blocks wait again");
}

#[test]
fn another_handle_gives_back_at_its_next_release() {
    let mut bytes = memory(8192);
    let cached = Shared::new(Locked::new(Tlsf::over(&mut bytes).unwrap()));
    let (hoarder, needy) = (cached.handle(), cached.handle());
    let mut blocks = take(&hoarder, 30, 128);
    let (last, kept) = (blocks.pop().unwrap(), blocks.pop().unwrap());
    blocks.into_iter().for_each(|block| release(&hoarder, block));
    assert!(hoarder.waiting().0 > 0);
    assert!(needy.allocate(layout(7000)).is_err(), "it waits with the other one");
    release(&hoarder, last);
    assert_eq!(hoarder.waiting().0, 1, "all that waited went back");
    release(&hoarder, kept);
    assert_eq!(hoarder.waiting().0, 0, "and again when it holds nothing any more");
    let large = needy.allocate(layout(7000)).unwrap();
    release(&needy, large);
}

/// `flush` under the name of what it is for here.
trait CollectAll {
    fn collect_all(&self);
}

impl<R: MemoryResource> CollectAll for stratalloc_modifiers::CacheHandle<'_, R> {
    fn collect_all(&self) {
        self.flush();
        self.shared().flush();
    }
}

#[test]
fn handles_are_one_resource_and_so_are_two_over_one() {
    let global = FromGlobal::new(&Global);
    let (one, two) = (ThreadCached::new(global), ThreadCached::with_limits(global, SMALL));
    let config = Config { operations: 50, ..Config::default() };
    let equal = |a: &dyn MemoryResource, b: &dyn MemoryResource| conformance::pair(a, b, &config).unwrap();
    assert!(equal(&one.handle(), &one.handle()) && equal(&one, &one.handle()));
    assert!(equal(&one.handle(), &two.handle()), "the same classes over the same resource");
    assert!(!equal(&one.handle(), &global), "lengths differ");
    let mut bytes = memory(10_000);
    let pool = Pool::over(PoolConfig::new(100, Alignment::constant::<16>()), &mut bytes).unwrap();
    assert!(!equal(&ThreadCached::new(&pool), &one));
}

#[test]
fn the_kit_over_handles_of_bounded_and_unbounded_resources() {
    let config = Config { operations: 1000, max_size: 16 * 1024, ..Config::default() };
    let (mut first, mut second) = (memory(20_000), memory(20_000));
    let tlsf = ThreadCached::new(Tlsf::<'_, 24, 32>::over(&mut first).unwrap());
    let handle = tlsf.handle();
    conformance::validated(&handle, &config).unwrap_or_else(|failure| panic!("{failure}"));
    conformance::ownership(&handle, &config).unwrap();
    handle.flush();
    tlsf.flush();
    assert_eq!(tlsf.inner().usage().used, 0);
    let buddy = ThreadCached::with_limits(Buddy::<'_, 26, 64>::over(&mut second).unwrap(), SMALL);
    conformance::validated(&buddy.handle(), &config).unwrap_or_else(|failure| panic!("{failure}"));
    let global = ThreadCached::new(FromGlobal::new(&Global));
    conformance::resource(&global, &config).unwrap_or_else(|failure| panic!("{failure}"));
    conformance::local_resource(&global.handle(), &config).unwrap_or_else(|failure| panic!("{failure}"));
}

/// Writes a word all over the block, and says whether a block has it all over.
fn mark(block: MemoryBlock, word: u8) {
    // SAFETY: callers pass live blocks of theirs.
    unsafe { block.as_ptr().write_bytes(word, block.len()) };
}

fn is_marked(block: MemoryBlock, word: u8) -> bool {
    // SAFETY: callers pass live blocks that were marked.
    let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), block.len()) };
    bytes.iter().all(|&byte| byte == word)
}

/// A block on its way to another thread.
struct Sent(MemoryBlock, u8);

// SAFETY: a live block, which the receiver alone uses.
unsafe impl Send for Sent {}

#[test]
fn producers_and_consumers_reconcile_and_no_block_is_in_two_hands() {
    const ROUNDS: usize = if cfg!(miri) { 100 } else { 40_000 };
    let mut bytes = memory(1 << 20);
    let counted = Counted::new(Locked::new(Tlsf::<'_, 24, 32>::over(&mut bytes).unwrap()));
    let cached = ThreadCached::with_limits(&counted, SMALL.with_depot_bytes(8192));
    let checked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (cached, checked) = (&cached, &checked);
        for thread in 0..2_usize {
            let (give, take) = mpsc::sync_channel::<Sent>(128);
            scope.spawn(move || {
                let mine = cached.handle();
                for round in 0..ROUNDS {
                    let block = mine.allocate(layout(1 + (round * 29 + thread * 7) % 600)).unwrap();
                    let word = u8::try_from(round % 251).unwrap();
                    mark(block, word);
                    // Some come home to their maker, the others do not.
                    if round % 4 == 0 {
                        assert!(is_marked(block, word));
                        release(&mine, block);
                        checked.fetch_add(1, Relaxed);
                    } else {
                        give.send(Sent(block, word)).unwrap();
                    }
                }
            });
            scope.spawn(move || {
                let mine = cached.handle();
                for Sent(block, word) in take {
                    assert!(is_marked(block, word));
                    release(&mine, block);
                    checked.fetch_add(1, Relaxed);
                }
            });
        }
    });
    cached.validate_depot();
    let waits = cached.depot_bytes();
    assert_eq!(checked.load(Relaxed), 2 * ROUNDS);
    assert_eq!(counted.counts().live_bytes, waits, "what is live below waits in the depot");
    assert_eq!(cached.flush(), waits);
    let counts = counted.counts();
    assert_eq!((counts.live_blocks(), counts.live_bytes), (0, 0));
    assert!(counts.allocations < 2 * ROUNDS, "some came from caches: {counts:?}");
}

/// `validate`, of a shared one whose resource below is behind a reference.
trait Depot {
    fn validate_depot(&self);
}

impl<R: MemoryResource + Validate> Depot for ThreadCached<R> {
    fn validate_depot(&self) {
        self.validate().unwrap_or_else(|violation| panic!("{violation}"));
    }
}

#[test]
fn threads_that_end_leave_nothing_behind() {
    const THREADS: usize = if cfg!(miri) { 4 } else { 40 };
    let counted = Counted::new(FromGlobal::new(&Global));
    let cached = ThreadCached::with_limits(&counted, SMALL);
    let barrier = Barrier::new(4);
    for _ in 0..THREADS / 4 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mine = cached.handle();
                    barrier.wait();
                    let blocks = take(&mine, 50, 100);
                    blocks.into_iter().for_each(|block| release(&mine, block));
                });
            }
        });
        assert_eq!(counted.counts().live_bytes, cached.depot_bytes());
    }
    assert!(cached.depot_bytes() <= 1024);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(60),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn caches_of_any_limits_match_the_shadow(
        len in 200_usize..60_000,
        batch in (0_usize..40, 0_usize..8000),
        (handle_bytes, depot_bytes) in (0_usize..20_000, 0_usize..20_000),
        ops in model::ops(),
    ) {
        let mut bytes = memory(len);
        let limits = CacheLimits::DEFAULT
            .with_batch(batch.0, batch.1)
            .with_handle_bytes(handle_bytes)
            .with_depot_bytes(depot_bytes);
        let tlsf = Counted::new(Tlsf::<'_, 24, 32>::over(&mut bytes).unwrap());
        let cached = ThreadCached::with_limits(tlsf, limits);
        let (handle, other) = (cached.handle(), cached.handle());
        model::run(&handle, ops, |number| {
            // Another handle comes and goes, and takes part in the depot.
            match number % 3 {
                0 => handle.collect_all(),
                1 => { handle.flush(); }
                _ => if let Ok(block) = other.allocate(layout(number)) { release(&other, block) },
            }
        }, |shadow| {
            let waiting = handle.waiting().0 + other.waiting().0;
            prop_assert!(cached.inner().counts().live_blocks() >= shadow.live.len() + waiting);
            prop_assert!(other.validate().is_ok());
            prop_assert!(shadow.live.values().all(|live| handle.owns(live.block.as_ptr())));
            model::sound(&handle, shadow)
        })?;
        drop((handle, other));
        cached.flush();
        prop_assert_eq!(cached.inner().counts().live_bytes, 0);
        prop_assert_eq!(cached.inner().inner().usage().used, 0);
    }
}
