//! Compositions through the conformance kit: each is a resource like any other.
#![cfg(not(loom))]

use core::alloc::Layout;
use core::mem::MaybeUninit;
use std::alloc::System as Global;

use stratalloc_modifiers::{Counted, Fallback, FallbackChain, Guarded, Locked, Segregate, Tracked};
use stratalloc_resource::conformance::{self, Config, Failure, Report};
use stratalloc_resource::{Alignment, AllocError, Collect, FromGlobal, MemoryResource, OwnedBlock, Validate};
use stratalloc_strategies::buddy::Buddy;
use stratalloc_strategies::lock_free_pool::LockFreePool;
use stratalloc_strategies::mem_pool::MemPool;
use stratalloc_strategies::pool::{Pool, PoolConfig};
use stratalloc_strategies::slab::{Slab, SlabConfig};
use stratalloc_strategies::system::System;
use stratalloc_strategies::tlsf::{GrowingTlsf, Tlsf};

fn passed(outcome: Result<Report, Failure>) {
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

fn config() -> Config {
    Config { operations: 700, max_size: 16 * 1024, ..Config::default() }
}

fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    Box::new_uninit_slice(len).into_vec()
}

fn buddy(memory: &mut [MaybeUninit<u8>]) -> Buddy<'_> {
    Buddy::over(memory).unwrap()
}

fn tlsf(memory: &mut [MaybeUninit<u8>]) -> Tlsf<'_> {
    Tlsf::over(memory).unwrap()
}

fn global() -> FromGlobal<'static, Global> {
    FromGlobal::new(&Global)
}

#[test]
fn fallback_of_segregate_of_buddy_and_tlsf_to_system() {
    let (mut small, mut large) = (memory(20_000), memory(300_000));
    let whole: Fallback<Segregate<256, Buddy<'_>, Tlsf<'_>>, System> =
        Fallback::new(Segregate::new(buddy(&mut small), tlsf(&mut large)), System);
    passed(conformance::local_resource(&whole, &config()));
    let (buddy, tlsf) = (whole.first().small(), whole.first().large());
    assert_eq!((buddy.usage().used, tlsf.usage().used), (0, 0), "each block went home");
    whole.first().validate().unwrap();
}

#[test]
fn fallback_of_segregate_of_pool_and_tlsf_to_system() {
    let (mut small, mut large) = (memory(20_000), memory(300_000));
    let pool = Pool::over(PoolConfig::new(256, Alignment::constant::<64>()), &mut small).unwrap();
    let whole: Fallback<Segregate<256, Pool<'_>, Tlsf<'_>>, System> =
        Fallback::new(Segregate::new(pool, tlsf(&mut large)), System);
    passed(conformance::local_resource(&whole, &config()));
    // More blocks of 256 bytes than the pool has: the rest is the system's, not Tlsf's.
    let layout = Layout::from_size_align(256, 16).unwrap();
    let blocks: Vec<_> = (0..100).map(|_| OwnedBlock::new(&whole, layout).unwrap()).collect();
    let (pool, tlsf) = (whole.first().small(), whole.first().large());
    assert_eq!((pool.usage().live, tlsf.usage().used), (pool.usage().total, 0));
    drop(blocks);
    assert_eq!((pool.usage().live, tlsf.usage().used), (0, 0), "each block went home");
    whole.first().validate().unwrap();
}

#[test]
fn segregate_of_slab_and_a_growing_tlsf() {
    let mut bytes = memory(40_000);
    let slab = Slab::over(SlabConfig::new(128, Alignment::constant::<64>()), &mut bytes).unwrap();
    let growing: GrowingTlsf<_, 24, 32> = GrowingTlsf::new(global(), 65_536).unwrap();
    let split: Segregate<128, _, _> = Segregate::new(Fallback::new(slab, global()), growing);
    passed(conformance::local_resource(&split, &config()));
    assert_eq!((split.small().first().usage().live, split.large().usage().used), (0, 0));
}

#[test]
fn fallback_of_a_lock_free_pool_to_the_global_allocator_for_many_threads() {
    let mut bytes = memory(64_000);
    let pool = LockFreePool::over(PoolConfig::new(512, Alignment::constant::<64>()), &mut bytes).unwrap();
    let mut whole = Fallback::new(pool, global());
    passed(conformance::resource(&whole, &config()));
    assert_eq!(whole.parts_mut().0.usage().live, 0);
}

#[test]
fn fallback_of_a_pool_to_two_levels_of_pools() {
    let mut bytes = memory(16_000);
    let pool = Pool::over(PoolConfig::new(64, Alignment::constant::<16>()), &mut bytes).unwrap();
    let levels: MemPool<_> = MemPool::new(global()).unwrap();
    let whole = Fallback::new(pool, levels);
    passed(conformance::local_resource(&whole, &config()));
    assert_eq!(whole.first().usage().live, 0);
    whole.second().validate().unwrap();
}

#[test]
fn the_same_behind_a_lock_for_many_threads() {
    let (mut small, mut large) = (memory(20_000), memory(300_000));
    let segregate: Segregate<256, _, _> = Segregate::new(buddy(&mut small), tlsf(&mut large));
    let shared = Counted::new(Locked::new(Fallback::new(segregate, System)));
    passed(conformance::resource(&shared, &config()));
    let counts = shared.counts();
    assert_eq!((counts.live_blocks(), counts.live_bytes), (0, 0), "{counts:?}");
    shared.inner().with(|whole| assert_eq!(whole.first().small().usage().used, 0));
}

#[test]
fn a_bounded_chain_of_three() {
    let (mut first, mut second, mut third) = (memory(9_000), memory(33_000), memory(70_000));
    let chain = FallbackChain::new((tlsf(&mut first), buddy(&mut second), tlsf(&mut third)));
    passed(conformance::validated(&chain, &Config { operations: 200, ..config() }));
    passed(conformance::ownership(&chain, &config()));
    let (first, second, third) = chain.links();
    assert_eq!((first.usage().used, second.usage().used, third.usage().used), (0, 0, 0));
}

#[test]
fn a_chain_that_ends_in_a_growing_tlsf_over_the_global_allocator() {
    let (mut first, mut second) = (memory(9_000), memory(33_000));
    let growing: GrowingTlsf<_, 24, 32> = GrowingTlsf::new(global(), 65_536).unwrap();
    let chain = FallbackChain::new((buddy(&mut first), tlsf(&mut second), growing));
    passed(conformance::local_resource(&chain, &config()));
    passed(conformance::ownership(&chain, &config()));
}

#[test]
fn segregate_of_fallbacks() {
    let (mut first, mut second) = (memory(9_000), memory(33_000));
    let small = Fallback::new(buddy(&mut first), tlsf(&mut second));
    let split: Segregate<1024, _, _> = Segregate::new(Fallback::new(small, global()), System);
    passed(conformance::local_resource(&split, &config()));
}

#[test]
fn segregate_of_segregate_with_bounded_sides() {
    let (mut first, mut second, mut third) = (memory(64_000), memory(64_000), memory(200_000));
    let inner: Segregate<64, _, _> = Segregate::new(buddy(&mut first), tlsf(&mut second));
    let split: Segregate<512, _, _> = Segregate::new(inner, tlsf(&mut third));
    passed(conformance::validated(&split, &Config { operations: 200, ..config() }));
    passed(conformance::ownership(&split, &config()));
}

#[test]
fn guarded_over_each_strategy() {
    let (mut first, mut second) = (memory(200_000), memory(200_000));
    passed(conformance::local_resource(&Guarded::new(tlsf(&mut first)), &config()));
    passed(conformance::local_resource(&Guarded::new(buddy(&mut second)), &config()));
    passed(conformance::resource(&Guarded::new(System), &config()));
    passed(conformance::resource(&Guarded::new(global()), &config()));
}

#[test]
fn tracked_over_a_locked_buddy_for_many_threads() {
    let mut bytes = memory(300_000);
    let tracked = Tracked::new(Locked::new(buddy(&mut bytes)));
    passed(conformance::resource(&tracked, &config()));
    passed(conformance::resource(&tracked.here(), &Config { operations: 100, ..config() }));
    assert_eq!(tracked.live(), (0, 0));
    tracked.validate().unwrap();
}

#[test]
fn guarded_over_tracked_over_counted_over_the_system() {
    let whole = Guarded::new(Tracked::new(Counted::new(System)));
    passed(conformance::resource(&whole, &config()));
    assert_eq!(whole.inner().live(), (0, 0));
    assert_eq!(whole.inner().inner().counts().live_bytes, 0);
}

#[test]
fn locked_over_tracked_over_guarded_over_a_fallback() {
    let mut bytes = memory(100_000);
    let whole = Locked::new(Tracked::new(Guarded::new(Fallback::new(tlsf(&mut bytes), global()))));
    passed(conformance::resource(&whole, &config()));
    whole.with(|tracked| assert_eq!(tracked.inner().inner().first().usage().used, 0));
}

#[test]
fn a_growing_tlsf_over_a_fallback_gives_its_chunks_back() {
    let mut bytes = memory(200_000);
    let upstream = Counted::new(Fallback::new(buddy(&mut bytes), System));
    let heap: GrowingTlsf<_, 24, 32> = GrowingTlsf::new(&upstream, 32_768).unwrap();
    passed(conformance::local_resource(&heap, &config()));
    heap.collect();
    assert_eq!(upstream.counts().live_blocks(), 1);
    drop(heap);
    assert_eq!(upstream.counts().live_blocks(), 0);
}

#[test]
fn links_behind_dyn() {
    let mut bytes = memory(50_000);
    let last: &dyn MemoryResource = &System;
    let whole = Fallback::new(tlsf(&mut bytes), last);
    passed(conformance::local_resource(&whole, &config()));
    let whole: &dyn MemoryResource = &whole;
    passed(conformance::local_resource(whole, &Config { operations: 100, ..config() }));
}

#[test]
fn two_over_the_same_links_are_one_and_others_are_not() {
    let (mut first, mut second) = (memory(50_000), memory(50_000));
    let (tlsf, buddy) = (tlsf(&mut first), buddy(&mut second));
    let config = Config { operations: 50, ..config() };
    let equal = |a: &dyn MemoryResource, b: &dyn MemoryResource| conformance::pair(a, b, &config).unwrap();
    let one = Fallback::new(&tlsf, &buddy);
    assert!(equal(&one, &Fallback::new(&tlsf, &buddy)));
    assert!(!equal(&one, &Fallback::new(&buddy, &tlsf)), "another order");
    assert!(!equal(&one, &tlsf) && !equal(&one, &buddy), "a link");
    assert!(!equal(&one, &Fallback::new(&tlsf, &System)), "another second link");
    assert!(!equal(&one, &Fallback::new(&buddy, &buddy)), "another first link");
    assert!(equal(&FallbackChain::new((&tlsf, &buddy)), &one));
    assert!(equal(&Segregate::<100, _, _>::new(&tlsf, &buddy), &Segregate::<100, _, _>::new(&tlsf, &buddy)));
    assert!(!equal(&Segregate::<100, _, _>::new(&tlsf, &buddy), &Segregate::<101, _, _>::new(&tlsf, &buddy)));
    assert!(equal(&Counted::new(&tlsf), &tlsf) && equal(&tlsf, &Counted::new(&tlsf)));
    assert!(equal(&Guarded::new(&tlsf), &Guarded::new(&tlsf)) && !equal(&Guarded::new(&tlsf), &tlsf));
    let tracked = Tracked::new(&tlsf);
    assert!(!equal(&tracked, &Tracked::new(&tlsf)) && !equal(&tracked, &tlsf));
    assert!(equal(&tracked, &tracked.here()));
    let before = tracked.identity();
    let moved = Box::new(tracked);
    assert_eq!(moved.identity(), before, "a move changes nothing");
    assert_eq!((tlsf.usage().used, buddy.usage().used), (0, 0));
}

#[test]
fn a_chain_that_runs_dry_says_which_link_failed_and_why() {
    // In words, as what a strategy keeps for itself is.
    let words = |count: usize| count * size_of::<usize>();
    let (mut first, mut second) = (memory(words(125)), memory(words(500)));
    let small: Tlsf<'_, 4, 4> = Tlsf::over(&mut first).unwrap();
    let chain = FallbackChain::new((small, buddy(&mut second), Tlsf::<'_, 24, 32>::new()));
    let layout = Layout::from_size_align(words(100), 1).unwrap();
    // One at least fits, wherever the buddy's memory lies; how many do, depends on that.
    chain.try_allocate(layout).unwrap();
    let dry = loop {
        if let Err(dry) = chain.try_allocate(layout) {
            break dry;
        }
    };
    let said: Vec<_> = dry.links().map(|link| (link.name, link.error)).collect();
    let full = AllocError::CapacityExhausted;
    assert_eq!(said, [("tlsf", AllocError::Unsupported), ("buddy", full), ("tlsf", full)]);
    assert_eq!(
        dry.to_string(),
        "every link refused: 1 tlsf: the resource does not serve such requests; \
         2 buddy: the fixed capacity is exhausted; 3 tlsf: the fixed capacity is exhausted"
    );
    assert_eq!(chain.allocate(layout), Err(full));
    assert_eq!(AllocError::from(dry), full);
}
