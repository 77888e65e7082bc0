//! Slabs and object caches: the kit, generated configurations and operations against a shadow map, growth, reaping, colours, and
//! what happens to objects, also when their constructors or destructors unwind.
//!
//! Not covered here: misuse (`misuse.rs`), the arithmetic of a slab's plan (`src/slab/geometry.rs`), timing (`bench/`).

extern crate alloc;

#[allow(dead_code, reason = "each test crate uses a part of it")]
mod support;

use alloc::collections::{BTreeMap, BTreeSet};
use core::cell::{Cell, RefCell};
use std::alloc::System;

use proptest::prelude::*;
use stratalloc_resource::conformance;
use stratalloc_resource::{
    Alignment, AllocError, Collect, FromGlobal, MemoryBlock, MemoryResource, Owns, Validate,
};
use stratalloc_strategies::slab::{Object, ObjectCache, Slab, SlabConfig};
use stratalloc_strategies::tlsf::Tlsf;
use stratalloc_strategies::{Inspect, MisuseKind};
use support::{Op, Shadow, config, layout, memory, ops, passed, range_of};

fn lines() -> SlabConfig {
    SlabConfig::new(100, Alignment::constant::<64>())
}

fn global() -> FromGlobal<'static, System> {
    FromGlobal::new(&System)
}

/// Slabs of few objects, so that small tests see many.
fn small<T>() -> SlabConfig {
    SlabConfig::of::<T>().with_slab_bytes(256)
}

#[test]
fn conforms_over_memory_and_growing() {
    let mut bytes = memory(1 << 16);
    let slab = Slab::over(lines(), &mut bytes).unwrap();
    passed(conformance::local_resource(&slab, &config()));
    passed(conformance::ownership(&slab, &config()));
    assert_eq!(slab.usage().live, 0);
    drop(slab);

    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    for slabs in [lines().with_slab_bytes(1024).with_max_slabs(20), small::<u8>().with_max_slabs(5)] {
        let slab = Slab::growing(slabs, &upstream).unwrap();
        passed(conformance::validated(&slab, &config()));
        assert_eq!(slab.usage().live, 0);
    }
    assert_eq!(upstream.usage().live_blocks, 0);
}

#[test]
fn two_are_not_equal_and_moving_changes_nothing() {
    let (mut first, mut second) = (memory(1 << 14), memory(1 << 14));
    let first = Slab::over(lines(), &mut first).unwrap();
    let second = Slab::over(lines(), &mut second).unwrap();
    assert!(!conformance::pair(&first, &second, &config()).unwrap());
    let before = first.identity();
    let block = first.take().unwrap();
    let moved = Box::new(first);
    // SAFETY: live, not used.
    unsafe { moved.give(block.as_non_null()) };
    assert_eq!((moved.identity(), moved.usage().live), (before, 0));
}

#[test]
fn requests_that_no_block_fits_say_why() {
    let mut bytes = memory(1 << 14);
    let slab = Slab::over(lines(), &mut bytes).unwrap();
    assert_eq!(slab.allocate(layout(129, 1)), Err(AllocError::Unsupported));
    assert_eq!(slab.allocate(layout(1, 128)), Err(AllocError::BadAlignment));
    assert_eq!(slab.allocate(layout(0, 64)).map(MemoryBlock::len), Ok(128));
    let huge = SlabConfig::new(usize::MAX, Alignment::ONE);
    assert_eq!(Slab::over(huge, &mut memory(10)).err(), Some(AllocError::SizeOverflow));
    for (slabs, len) in [(lines().with_max_slabs(0), 1 << 14), (lines(), 0), (lines(), 4095)] {
        assert_eq!(Slab::over(slabs, &mut memory(len)).err(), Some(AllocError::CapacityExhausted));
    }
}

#[test]
fn every_buffer_is_either_refused_or_serves() {
    let mut bytes = memory(1100);
    for start in 0..70 {
        for len in (0..1000).step_by(7) {
            let inside = range_of(&bytes[start..start + len]);
            match Slab::over(small::<[u32; 5]>(), &mut bytes[start..start + len]) {
                Err(error) => assert!(error == AllocError::CapacityExhausted && len < 511, "{start} {len}"),
                Ok(slab) => {
                    let mut places = BTreeSet::new();
                    while let Ok(block) = slab.take() {
                        assert!(places.insert(block.address()) && block.len() == slab.block_len());
                        assert!(inside.start <= block.address() && block.end_address() <= inside.end);
                    }
                    assert_eq!(places.len(), slab.usage().total);
                    assert_eq!(Some(places.len() * slab.block_len()), slab.info().capacity);
                    slab.validate().unwrap();
                }
            }
        }
    }
}

#[test]
fn slabs_have_different_colours() {
    // 600 bytes: eight blocks need 8 KiB, and most of the last slot's room is left for colours.
    let slab = Slab::growing(SlabConfig::new(600, Alignment::constant::<8>()), global()).unwrap();
    let mut first_of_slab = BTreeMap::new();
    for _ in 0..60 {
        let address = slab.take().unwrap().address();
        first_of_slab.entry(address & !8191).or_insert(address % 8192);
    }
    let colours: BTreeSet<_> = first_of_slab.values().collect();
    assert!(first_of_slab.len() >= 4 && colours.len() >= 3, "{first_of_slab:?}");
}

#[test]
fn partial_slabs_come_before_empty_ones_and_empty_ones_are_reaped() {
    let mut bytes = memory(1 << 15);
    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let slab = Slab::growing(small::<[u8; 32]>(), &upstream).unwrap();
    let per_slab = slab.usage().total;
    let blocks: Vec<_> = (0..4 * per_slab).map(|_| slab.take().unwrap()).collect();
    assert_eq!((slab.usage().slabs, slab.usage().fresh, slab.collect()), (4, 0, 0));
    // All of the second slab, one block of the third.
    for block in &blocks[per_slab..=2 * per_slab] {
        // SAFETY: live, not used.
        unsafe { slab.give(block.as_non_null()) };
    }
    assert_eq!((slab.usage().empty_slabs, upstream.usage().live_blocks), (1, 4));
    assert_eq!(slab.take().unwrap(), blocks[2 * per_slab], "not of the empty slab");
    assert_eq!((slab.collect(), slab.collect()), (256, 0));
    assert_eq!((slab.usage().slabs, upstream.usage().live_blocks), (3, 3));
    slab.validate().unwrap();
    assert!(!slab.owns(blocks[per_slab].as_ptr()) && slab.owns(blocks[0].as_ptr()));
    let identity = slab.identity();
    for block in blocks[..per_slab].iter().chain(&blocks[2 * per_slab..]) {
        // SAFETY: live, not used.
        unsafe { slab.give(block.as_non_null()) };
    }
    assert_eq!((slab.collect(), slab.usage().slabs, slab.identity()), (512, 1, identity));
    assert_eq!(slab.usage().fresh, per_slab, "the first slab stays, reaped");
}

#[test]
fn the_blocks_that_came_back_last_are_handed_out_first() {
    let slab = Slab::growing(small::<[u8; 32]>(), global()).unwrap();
    let blocks: Vec<_> = (0..40).map(|_| slab.take().unwrap()).collect();
    for (given, block) in blocks.iter().enumerate() {
        assert_eq!((slab.inspect(*block, Alignment::ONE), slab.usage().free), (Ok(()), given));
        // SAFETY: live, not used.
        unsafe { slab.give(block.as_non_null()) };
        slab.validate().unwrap();
    }
    // In the magazine, and in their slabs.
    for block in &blocks {
        assert_eq!(slab.inspect(*block, Alignment::ONE), Err(MisuseKind::DoubleRelease));
    }
    assert_eq!((slab.usage().live, slab.usage().empty_slabs), (0, slab.usage().slabs));
    for block in blocks[..16].iter().rev() {
        assert_eq!(slab.take(), Ok(*block), "first the sixteen of the magazine");
    }
    assert!(!blocks[..16].contains(&slab.take().unwrap()));
    assert_eq!(slab.usage().live, 17);
    slab.validate().unwrap();
}

/// Counts values that are there, and refuses to be dropped twice.
struct Counted<'a> {
    there: &'a Cell<i32>,
    text: String,
}

impl<'a> Counted<'a> {
    fn new(there: &'a Cell<i32>) -> Self {
        there.set(there.get() + 1);
        Self { there, text: String::from("made") }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        assert!(!self.text.is_empty());
        self.there.set(self.there.get() - 1);
    }
}

#[test]
fn objects_are_constructed_once_and_dropped_by_reaping() {
    let there = Cell::new(0);
    let cache = ObjectCache::growing(|| Counted::new(&there), small::<Counted>(), global()).unwrap();
    let per_slab = cache.usage().total;
    let all: Vec<_> = (0..3 * per_slab).map(|_| cache.take().unwrap()).collect();
    let made = i32::try_from(3 * per_slab).unwrap();
    assert_eq!(there.get(), made);
    drop(all);
    for round in 0..10 {
        let mut object = cache.take().unwrap();
        assert!(round == 0 || object.text.ends_with("used"), "{}", object.text);
        object.text += "used";
    }
    assert_eq!((there.get(), cache.usage().free), (made, 3 * per_slab), "nothing was made or dropped");
    assert_eq!(cache.collect(), 2 * 256);
    assert_eq!((there.get(), cache.usage().free, cache.usage().slabs), (0, 0, 1));
    let kept = cache.take().unwrap();
    assert_eq!((cache.collect(), there.get(), kept.text.as_str()), (0, 1, "made"));
    cache.validate().unwrap();
}

#[test]
fn the_drop_of_a_cache_drops_what_was_forgotten_too() {
    let there = Cell::new(0);
    let mut bytes = memory(2000);
    let cache = ObjectCache::over(|| Counted::new(&there), small::<Counted>(), &mut bytes).unwrap();
    core::mem::forget(cache.take().unwrap());
    drop((cache.take().unwrap(), cache.take().unwrap()));
    assert_eq!((there.get(), cache.usage().live), (3, 1));
    drop(cache);
    assert_eq!(there.get(), 0);
}

#[test]
fn without_room_nothing_is_constructed() {
    let (there, mut bytes) = (Cell::new(0), memory(600));
    let cache = ObjectCache::over(|| Counted::new(&there), small::<Counted>(), &mut bytes).unwrap();
    let all: Vec<_> = core::iter::from_fn(|| cache.take().ok()).collect();
    // (Two slabs, if the buffer lies well.)
    let total = cache.usage().total;
    assert_eq!((all.len(), there.get()), (total, i32::try_from(total).unwrap()));
    let made = Cell::new(0);
    let mut bytes = memory(600);
    let other = ObjectCache::over(|| made.set(made.get() + 1), small::<()>(), &mut bytes).unwrap();
    let _all: Vec<_> = core::iter::from_fn(|| other.take().ok()).collect();
    assert_eq!(other.take().err(), Some(AllocError::CapacityExhausted));
    assert_eq!((made.get(), other.usage().live), (other.usage().total, other.usage().total), "none in vain");
}

#[test]
fn a_small_configuration_still_holds_the_type() {
    #[repr(align(128))]
    struct Wide([u8; 300]);
    let config = SlabConfig::new(1, Alignment::ONE);
    let cache = ObjectCache::growing(|| Wide([3; 300]), config, global()).unwrap();
    let objects: Vec<_> = (0..50).map(|_| cache.take().unwrap()).collect();
    for object in &objects {
        assert!(core::ptr::from_ref(&**object).addr().is_multiple_of(128) && object.0 == [3; 300]);
    }
}

#[test]
fn a_constructor_may_use_its_own_cache() {
    type Cache = ObjectCache<'static, usize, fn() -> usize, FromGlobal<'static, System>>;
    std::thread_local! {
        static CACHE: RefCell<Option<&'static Cache>> = const { RefCell::new(None) };
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }
    fn construct() -> usize {
        let depth = DEPTH.get() + 1;
        DEPTH.set(depth);
        if depth < 5 {
            let cache = CACHE.with_borrow(|cache| cache.unwrap());
            drop(cache.take().unwrap());
        }
        depth
    }
    let construct: fn() -> usize = construct;
    let cache: Cache = ObjectCache::growing(construct, small::<usize>(), global()).unwrap();
    let shared: &'static Cache = Box::leak(Box::new(cache));
    CACHE.set(Some(shared));
    let object = shared.take().unwrap();
    assert_eq!((*object, shared.usage().live, shared.usage().free), (5, 1, 0));
    shared.validate().unwrap();
}

#[test]
fn a_value_for_which_its_constructor_left_no_block_is_dropped() {
    type Things = ObjectCache<'static, Thing, fn() -> Thing>;
    std::thread_local! {
        static TAKE_ALL: Cell<Option<fn()>> = const { Cell::new(None) };
        static THERE: Cell<i32> = const { Cell::new(0) };
        static CACHE: Cell<Option<&'static Things>> = const { Cell::new(None) };
    }
    struct Thing;
    impl Drop for Thing {
        fn drop(&mut self) {
            THERE.set(THERE.get() - 1);
        }
    }
    fn construct() -> Thing {
        if let Some(take_all) = TAKE_ALL.take() {
            take_all();
        }
        THERE.set(THERE.get() + 1);
        Thing
    }
    let construct: fn() -> Thing = construct;
    let cache = ObjectCache::over(construct, small::<Thing>(), Box::leak(memory(1024).into())).unwrap();
    let cache = &*Box::leak(Box::new(cache));
    CACHE.set(Some(cache));
    TAKE_ALL.set(Some(|| {
        let cache = CACHE.get().unwrap();
        core::iter::from_fn(|| cache.take().ok()).for_each(core::mem::forget);
    }));
    assert_eq!(cache.take().err(), Some(AllocError::CapacityExhausted));
    let total = i32::try_from(cache.usage().total).unwrap();
    assert!(total > 0 && THERE.get() == total, "what the constructor took is there, and nothing else");
}

#[test]
fn constructors_and_destructors_that_unwind_leave_a_whole_cache() {
    struct Touchy<'a>(&'a Cell<bool>);
    impl Drop for Touchy<'_> {
        fn drop(&mut self) {
            assert!(!self.0.get(), "a destructor unwinds");
        }
    }
    fn unwinds<R>(action: impl FnOnce() -> R) -> bool {
        std::panic::catch_unwind(core::panic::AssertUnwindSafe(action)).is_err()
    }
    let armed = Cell::new(true);
    let construct = || {
        assert!(!armed.get(), "a constructor unwinds");
        Touchy(&armed)
    };
    let cache = ObjectCache::growing(construct, small::<Touchy>(), global()).unwrap();
    assert!(unwinds(|| cache.take()));
    assert_eq!((cache.usage().live, cache.usage().fresh), (0, cache.usage().total), "nothing was taken");
    armed.set(false);
    let per_slab = cache.usage().total;
    let all: Vec<_> = (0..3 * per_slab).map(|_| cache.take().unwrap()).collect();
    drop(all);
    armed.set(true);
    assert!(unwinds(|| cache.collect()));
    armed.set(false);
    cache.validate().unwrap();
    let usage = cache.usage();
    assert_eq!((usage.slabs, usage.free, usage.fresh), (3, 2 * per_slab, per_slab), "no slab is lost");
    assert!(cache.take().is_ok());
}

#[test]
fn slabs_that_were_reaped_before_a_destructor_unwound_stay() {
    struct Numbered<'a>(usize, &'a Cell<usize>);
    impl Drop for Numbered<'_> {
        fn drop(&mut self) {
            assert_ne!(self.0, self.1.get(), "a destructor unwinds");
        }
    }
    let (made, armed) = (Cell::new(0), Cell::new(usize::MAX));
    let construct = || Numbered(made.replace(made.get() + 1), &armed);
    let mut bytes = memory(1024);
    let cache = ObjectCache::over(construct, small::<Numbered>(), &mut bytes).unwrap();
    let all = || core::iter::from_fn(|| cache.take().ok()).collect::<Vec<_>>();
    let total = all().len();
    let slabs = cache.usage().slabs;
    assert!(slabs >= 3);
    // Each value in turn is the one that cannot be dropped, so slabs were and were not reaped before it.
    for turn in 0..total {
        assert_eq!((all().len(), cache.usage().fresh), (total, 0));
        armed.set(made.get() - 1 - turn);
        let unwinding = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| cache.collect()));
        armed.set(usize::MAX);
        cache.validate().unwrap();
        assert_eq!((unwinding.is_err(), cache.usage().slabs, cache.usage().total), (true, slabs, total));
        // Those that were not reached are dropped now, so that all are constructed again.
        cache.collect();
    }
}

/// Runs operations on a cache: takes, drops, reaping; each object knows its number, and a number is out once.
fn run_cache<F: Fn() -> Box<u32>, U: MemoryResource>(
    cache: &ObjectCache<'_, Box<u32>, F, U>,
    ops: &[(u8, usize)],
) -> Result<(), TestCaseError> {
    let mut out: Vec<(u32, Object<'_, Box<u32>, U>)> = Vec::new();
    for &(kind, index) in ops {
        match kind {
            0..5 => {
                if let Ok(object) = cache.take() {
                    out.push((**object, object));
                }
            }
            5..9 if !out.is_empty() => drop(out.swap_remove(index % out.len())),
            9 => {
                cache.collect();
            }
            _ => {}
        }
        prop_assert_eq!(cache.usage().live, out.len());
        let numbers: BTreeSet<_> = out.iter().map(|(number, _)| *number).collect();
        prop_assert!(numbers.len() == out.len() && out.iter().all(|(number, object)| number == &***object));
        cache.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))?;
    }
    Ok(())
}

/// Runs `ops` over slabs; special ones reap.
fn run<U: MemoryResource>(slab: &Slab<'_, U>, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut shadow = Shadow::default();
    for op in ops {
        let op = match op {
            Op::Reallocate { index, size } => {
                Op::Reallocate { index: *index, size: size % (slab.block_len() + 20) }
            }
            other => other.clone(),
        };
        shadow.step(slab, &op)?;
        if let Op::Special { .. } = op {
            let before = slab.usage();
            slab.collect();
            let after = slab.usage();
            prop_assert!(after.live == before.live && after.empty_slabs <= before.empty_slabs);
            shadow.check(slab)?;
        }
        prop_assert_eq!(slab.usage().live, shadow.len());
    }
    shadow.all_intact()?;
    shadow.release_all(slab)?;
    prop_assert!(!slab.owns(core::ptr::null()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conformance::cases(100), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_configuration_matches_the_shadow(
        (size, align, slab_bytes, most) in (0_usize..300, 0_u32..9, 0_usize..3000, 0_usize..80),
        (offset, len, growing) in (0_usize..70, 0_usize..30_000, any::<bool>()),
        ops in ops(200),
    ) {
        let config = SlabConfig::new(size, Alignment::new(1 << align).unwrap())
            .with_slab_bytes(slab_bytes)
            .with_max_slabs(most);
        let mut bytes = memory(offset + len);
        if growing {
            let upstream: Tlsf<'_> = Tlsf::new();
            let _ = upstream.add_pool(&mut bytes);
            if let Ok(slab) = Slab::growing(config, &upstream) {
                run(&slab, &ops)?;
            }
            prop_assert_eq!(upstream.usage().live_blocks, 0);
        } else if let Ok(slab) = Slab::over(config, &mut bytes[offset..]) {
            run(&slab, &ops)?;
        }
    }

    #[test]
    fn objects_are_each_one_users_and_none_is_lost(
        (slab_bytes, most, growing) in (0_usize..1000, 0_usize..6, any::<bool>()),
        ops in proptest::collection::vec((0_u8..10, any::<usize>()), 1..150),
    ) {
        let (made, mut bytes) = (Cell::new(0), memory(5000));
        let construct = || {
            made.set(made.get() + 1);
            Box::new(made.get())
        };
        let config = SlabConfig::of::<Box<u32>>().with_slab_bytes(slab_bytes).with_max_slabs(most);
        if growing {
            if let Ok(cache) = ObjectCache::growing(construct, config, global()) {
                run_cache(&cache, &ops)?;
            }
        } else if let Ok(cache) = ObjectCache::over(construct, config, &mut bytes) {
            run_cache(&cache, &ops)?;
        }
    }
}
