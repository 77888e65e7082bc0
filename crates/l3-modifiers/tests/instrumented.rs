//! Compositions with tags, samples, traces and caches through the conformance kit; who is equal to whom; what a dry one says.
//!
//! Those without are in `compositions.rs`.
#![cfg(not(loom))]

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::alloc::System as Global;

use stratalloc_modifiers::{
    Budget, CacheLimits, Counted, Fallback, FallbackChain, Guarded, Locked, Ring, Sample, SampleObserver,
    Sampled, Segregate, Tagged, ThreadCached, Traced, Tracked,
};
use stratalloc_resource::conformance::{self, Config, Failure, Report};
use stratalloc_resource::{
    Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, MemoryTag, Validate,
};
use stratalloc_strategies::buddy::Buddy;
use stratalloc_strategies::frame::Frame;
use stratalloc_strategies::lock_free_pool::LockFreePool;
use stratalloc_strategies::pool::{Pool, PoolConfig};
use stratalloc_strategies::system::System;
use stratalloc_strategies::tlsf::{GrowingTlsf, Tlsf};

const TAG: MemoryTag = MemoryTag::new(3);

fn passed(outcome: Result<Report, Failure>) {
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

fn config() -> Config {
    Config { operations: 700, max_size: 16 * 1024, ..Config::default() }
}

fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    Box::new_uninit_slice(len).into_vec()
}

fn tlsf(memory: &mut [MaybeUninit<u8>]) -> Tlsf<'_> {
    Tlsf::over(memory).unwrap()
}

fn buddy(memory: &mut [MaybeUninit<u8>]) -> Buddy<'_> {
    Buddy::over(memory).unwrap()
}

fn global() -> FromGlobal<'static, Global> {
    FromGlobal::new(&Global)
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

fn release<R: MemoryResource>(resource: &R, block: MemoryBlock) {
    // SAFETY: callers pass live blocks of the resource, requested at alignment one.
    unsafe { resource.deallocate(block, Alignment::ONE) };
}

/// Nothing is live under any tag.
fn settled<R, const TAGS: usize>(tagged: &Tagged<R, TAGS>) {
    for usage in tagged.usages() {
        assert!(usage.allocations > 0 && (usage.live_blocks(), usage.live_bytes) == (0, 0), "{usage:?}");
    }
}

/// Bytes of the live samples.
#[derive(Default)]
struct Sum(AtomicIsize);

impl SampleObserver for Sum {
    fn allocated(&self, sample: &Sample) {
        self.0.fetch_add(sample.size.cast_signed(), Relaxed);
    }

    fn released(&self, sample: &Sample) {
        self.0.fetch_sub(sample.size.cast_signed(), Relaxed);
    }
}

#[test]
fn fallback_of_a_tagged_frame_to_tlsf() {
    let (mut first, mut second) = (memory(20_000), memory(400_000));
    let frame: Tagged<Frame<'_>> = Tagged::new(Frame::over(&mut first));
    frame.set_budget(MemoryTag::UNTAGGED, Budget::UNLIMITED.with_hard(10_000));
    let mut whole: Fallback<Tagged<Frame<'_>>, Tlsf<'_>> = Fallback::new(frame, tlsf(&mut second));
    passed(conformance::local_resource(&whole, &config()));
    whole.parts_mut().0.reset_by(Frame::reset);
    passed(conformance::ownership(&whole, &config()));
    let usage = whole.first().usage(MemoryTag::UNTAGGED);
    assert!(usage.over_budget > 0 && usage.peak_bytes <= 10_000, "{usage:?}");
    assert_eq!(whole.second().usage().used, 0, "each block of the kit went home");
}

#[test]
fn a_chain_with_a_budget_on_each_link() {
    let (mut first, mut second) = (memory(30_000), memory(66_000));
    let small: Tagged<_> = Tagged::new(tlsf(&mut first));
    small.set_budget(MemoryTag::UNTAGGED, Budget::UNLIMITED.with_hard(5000));
    let large: Tagged<_> = Tagged::new(buddy(&mut second));
    let chain = FallbackChain::new((small, large, System));
    passed(conformance::local_resource(&chain, &config()));
    settled(&chain.links().0);
    settled(&chain.links().1);
    chain.links().0.validate().unwrap();
}

#[test]
fn thread_caches_over_a_locked_fallback_of_a_segregate() {
    let (mut small, mut large) = (memory(20_000), memory(100_000));
    let pool = Pool::over(PoolConfig::new(256, Alignment::constant::<64>()), &mut small).unwrap();
    let split: Segregate<256, _, _> = Segregate::new(pool, tlsf(&mut large));
    let cached = ThreadCached::new(Locked::new(Fallback::new(split, System)));
    passed(conformance::resource(&cached, &config()));
    let handle = cached.handle();
    passed(conformance::local_resource(&handle, &config()));
    drop(handle);
    cached.flush();
    cached.inner().with(|whole| {
        let (pool, tlsf) = (whole.first().small(), whole.first().large());
        assert_eq!((pool.usage().live, tlsf.usage().used), (0, 0), "each block went home");
    });
}

#[test]
fn a_fallback_whose_first_link_is_a_cache() {
    let mut bytes = memory(60_000);
    let limits = CacheLimits::DEFAULT.with_batch(4, 1024).with_depot_bytes(4096);
    let cached = ThreadCached::with_limits(tlsf(&mut bytes), limits);
    let whole = Fallback::new(cached.handle(), global());
    passed(conformance::local_resource(&whole, &config()));
    passed(conformance::ownership(whole.first(), &config()));
    whole.first().validate().unwrap();
    drop(whole);
    cached.flush();
    assert_eq!(cached.inner().usage().used, 0);
}

#[test]
fn guarded_over_tagged_over_a_locked_tlsf_for_many_threads() {
    let mut bytes = memory(400_000);
    let whole = Guarded::new(Tagged::<_, 4>::new(Locked::new(tlsf(&mut bytes))));
    passed(conformance::resource(&whole, &config()));
    settled(whole.inner());
    whole.validate().unwrap();
}

#[test]
fn tagged_over_a_fallback_of_a_lock_free_pool_for_many_threads() {
    let mut bytes = memory(64_000);
    let pool = LockFreePool::over(PoolConfig::new(512, Alignment::constant::<64>()), &mut bytes).unwrap();
    let tagged: Tagged<_> = Tagged::new(Fallback::new(pool, global()));
    passed(conformance::resource(&tagged, &config()));
    passed(conformance::local_resource(&tagged.handle(TAG), &config()));
    settled(&tagged);
}

#[test]
fn sampled_over_traced_over_a_fallback_for_many_threads() {
    let mut bytes = memory(100_000);
    let (sum, ring) = (Sum::default(), Ring::<1024>::new());
    let whole = Fallback::new(Locked::new(buddy(&mut bytes)), global());
    let sampled: Sampled<_, _> = Sampled::new(Traced::new(whole, &ring), &sum, 2000);
    passed(conformance::resource(&sampled, &config()));
    assert!(sampled.counts().taken > 100);
    assert_eq!((sampled.counts().live(), sum.0.load(Relaxed)), (0, 0));
    assert_eq!((ring.written(), ring.dropped()), (1024, sampled.inner().dropped()), "nobody read");
}

#[test]
fn every_modifier_in_one() {
    let mut bytes = memory(500_000);
    let (sum, ring) = (Sum::default(), Ring::<64>::new());
    let cached = ThreadCached::new(Counted::new(Locked::new(Fallback::new(tlsf(&mut bytes), System))));
    let tagged: Tagged<_, 4> = Tagged::new(cached.handle());
    let whole: Sampled<_, _> =
        Sampled::new(Traced::new(Guarded::new(Tracked::new(tagged)), &ring), &sum, 1000);
    passed(conformance::local_resource(&whole, &config()));
    let tracked = whole.inner().inner().inner();
    assert_eq!((sum.0.load(Relaxed), tracked.live()), (0, (0, 0)));
    settled(tracked.inner());
    drop(whole);
    cached.flush();
    assert_eq!(cached.inner().counts().live_blocks(), 0);
}

#[test]
fn what_keeps_something_of_its_own_is_equal_to_itself_only() {
    let mut bytes = memory(50_000);
    let tlsf = tlsf(&mut bytes);
    let config = Config { operations: 50, ..config() };
    let equal = |a: &dyn MemoryResource, b: &dyn MemoryResource| conformance::pair(a, b, &config).unwrap();
    let (sum, ring) = (Sum::default(), Ring::<4>::new());
    let tagged = |tlsf| Tagged::<_>::new(tlsf);
    let sampled = |tlsf| Sampled::<_, _>::new(tlsf, &sum, 100);
    let traced = |tlsf| Traced::new(tlsf, &ring);
    let (a, b, c) = (tagged(&tlsf), sampled(&tlsf), traced(&tlsf));
    for (one, another) in [
        (&a as &dyn MemoryResource, &tagged(&tlsf) as &dyn MemoryResource),
        (&b, &sampled(&tlsf)),
        (&c, &traced(&tlsf)),
    ] {
        assert!(equal(one, &one) && !equal(one, another) && !equal(one, &tlsf));
        assert!(equal(&Fallback::new(&tlsf, one), &Fallback::new(&tlsf, one)));
        assert!(!equal(&Fallback::new(&tlsf, one), &Fallback::new(&tlsf, another)));
    }
    let before = a.identity();
    let moved = Box::new(a);
    assert_eq!(moved.identity(), before, "a move changes nothing");
    assert!(equal(&ThreadCached::new(&tlsf), &ThreadCached::new(&tlsf)), "they share what they take from");
    assert_eq!(tlsf.usage().used, 0);
}

#[test]
fn a_dry_chain_names_the_link_and_the_tag_even_where_the_upstream_refused() {
    let upstream: Tagged<_> = Tagged::new(global());
    upstream.set_budget(TAG, Budget::UNLIMITED.with_hard(70_000));
    let _scope = upstream.enter(TAG);
    let growing: GrowingTlsf<_, 24, 32> = GrowingTlsf::new(&upstream, 65_536).unwrap();
    let mut bytes = memory(2000);
    let cached = ThreadCached::new(buddy(&mut bytes));
    let chain = FallbackChain::new((cached.handle(), growing));
    let mut blocks = Vec::new();
    let dry = loop {
        match chain.try_allocate(layout(3000)) {
            Ok(block) => blocks.push(block),
            Err(dry) => break dry,
        }
    };
    let said: Vec<_> = dry.links().map(|link| (link.name, link.error)).collect();
    assert_eq!(said[1], (chain.links().1.info().name, AllocError::OverBudget(TAG)));
    assert_eq!(said[0].0, "thread cached");
    assert!(blocks.len() >= 20, "one chunk of 64 KiB");
    assert!(upstream.usage(TAG).over_budget > 0);
    blocks.into_iter().for_each(|block| release(&chain, block));
}
