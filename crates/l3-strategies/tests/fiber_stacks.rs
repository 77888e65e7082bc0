//! Fiber stacks: the kit, generated configurations and operations against a shadow map, guards, caches, threads, memory.
//!
//! Not covered here: overflows (`fiber_stacks_overflow.rs`), refusals of the system (`fiber_stacks_faults.rs`), misuse of the contract
//! (`misuse.rs`), the shared list's interleavings (the loom model of `IndexStack`), a real context switch (the crate `stratalloc`).
#![cfg(all(any(target_os = "linux", windows), target_has_atomic = "64"))]

extern crate alloc;

#[path = "shadows/fiber_stacks.rs"]
mod shadow;
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod support;

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Barrier;

use proptest::prelude::*;
use shadow::{Step, play};
use stratalloc_platform::{page, probe};
use stratalloc_resource::conformance;
use stratalloc_resource::{AllocError, Collect, MemoryResource, Owns, Validate};
use stratalloc_strategies::fiber_stacks::{
    ClassUsage, FiberStack, FiberStacks, FiberStacksConfig, FiberStacksError, GiveBack, Guards, ReturnError,
    StackCache,
};
use support::{Op, Shadow, config, layout, ops, passed};

const KIB: usize = 1 << 10;
/// Both kinds of guards, where there are both.
const KINDS: [Guards; 2] = [Guards::Automatic, Guards::Mappings];

fn small(guards: Guards) -> FiberStacksConfig {
    FiberStacksConfig::new().with_class(8 * KIB, 40).with_class(64 * KIB, 10).with_guards(guards)
}

fn usage(stacks: &FiberStacks, class: usize) -> ClassUsage {
    stacks.usage().nth(class).unwrap()
}

/// Writes a byte so deep in the stack.
fn touch(stack: &FiberStack<'_>, depth: usize) {
    let place = stack.top().as_ptr().wrapping_sub(depth);
    // SAFETY: inside the stack, which is ours; nothing runs there.
    unsafe { place.write(0x5A) };
}

fn is_readable(address: usize) -> bool {
    probe::word_at(address).is_some()
}

#[test]
fn conforms_with_threads_and_either_kind_of_guard() {
    for guards in KINDS {
        let config_of_stacks =
            FiberStacksConfig::new().with_class(4 * KIB, 80).with_class(16 * KIB, 20).with_guards(guards);
        let stacks = FiberStacks::new(config_of_stacks).unwrap();
        // Blocks of whole stacks are long to fill and to check.
        let config = conformance::Config { operations: 200, ..config() };
        passed(conformance::resource(&stacks, &config));
        passed(conformance::ownership(&stacks, &config));
        passed(conformance::validated(&stacks, &config));
        assert_eq!((usage(&stacks, 0).live, usage(&stacks, 1).live), (0, 0));
    }
}

#[test]
fn two_are_not_equal_and_one_stays_itself_when_it_moves() {
    let (first, second) = (small(Guards::Automatic), small(Guards::Mappings));
    let (first, second) = (FiberStacks::new(first).unwrap(), FiberStacks::new(second).unwrap());
    assert!(!conformance::pair(&first, &second, &config()).unwrap());
    let before = first.identity();
    let top = first.get(0).unwrap().into_top();
    let moved = Box::new(first);
    assert_eq!(moved.identity(), before);
    // SAFETY: given up above, not used.
    assert_eq!(unsafe { moved.put_at(top) }, Ok(()));
}

#[test]
fn requests_that_no_stack_fits_say_why() {
    let stacks = FiberStacks::new(small(Guards::Automatic)).unwrap();
    assert_eq!(stacks.allocate(layout(64 * KIB + 1, 1)), Err(AllocError::Unsupported));
    assert_eq!(stacks.allocate(layout(1, 2 * page::size())), Err(AllocError::BadAlignment));
    assert_eq!(stacks.get(64 * KIB + 1).unwrap_err(), FiberStacksError::TooLarge);
    assert_eq!(stacks.get(0).unwrap().size(), (8 * KIB).next_multiple_of(page::size()));
}

#[test]
fn senseless_configurations_are_refused() {
    let new = FiberStacksConfig::new;
    let error = |config| FiberStacks::new(config).err();
    let bad = Some(FiberStacksError::BadConfig);
    assert_eq!(error(new()), bad, "no class");
    assert_eq!(error(new().with_class(0, 5)), bad, "no size");
    assert_eq!(error(new().with_class(4096, 0)), bad, "no stacks");
    assert_eq!(error(new().with_class(8 * KIB, 5).with_class(8 * KIB, 5)), bad, "no order");
    assert_eq!(error(new().with_class(usize::MAX, 1)), bad);
    assert_eq!(error(new().with_class(64 * KIB, usize::MAX)), bad);
    assert_eq!(error(new().with_class(64 * KIB, 5).with_guard_bytes(usize::MAX / 2)), bad);
    let nine = (1..=9).fold(new(), |config, class| config.with_class(class << 16, 1));
    assert_eq!(error(nine), bad, "more than eight classes");
    let eight = (1..=8).fold(new(), |config, class| config.with_class(class << 16, 1));
    assert_eq!(FiberStacks::new(eight).unwrap().get(8 << 16).unwrap().size(), 8 << 16);
}

#[test]
fn more_addresses_than_there_are_is_the_system_s_error() {
    let config = FiberStacksConfig::new().with_class(1 << 30, if cfg!(miri) { 2 } else { 1 << 17 });
    if usize::BITS == 64 {
        let error = FiberStacks::new(config).unwrap_err();
        assert!(matches!(error, FiberStacksError::System(error) if error.is_out_of_memory()), "{error}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "guards are not checked")]
fn every_stack_lies_between_two_guards_that_cannot_be_read() {
    for (guards, guard_bytes) in KINDS.into_iter().flat_map(|kind| [(kind, 1), (kind, 50_000)]) {
        let stacks = FiberStacks::new(small(guards).with_guard_bytes(guard_bytes)).unwrap();
        let all: Vec<_> = (0..40).map(|_| stacks.get(0).unwrap()).collect();
        for stack in &all {
            let (guard, limit) = (stack.lower_guard().addr().get(), stack.limit().addr().get());
            let top = stack.top().addr().get();
            assert_eq!(top - limit, stack.size());
            assert!(limit - guard >= guard_bytes);
            let step = page::size();
            for offset in (0..limit - guard).step_by(step) {
                assert!(!is_readable(guard + offset) && !is_readable(top + offset), "{stack:?}");
            }
            assert!(is_readable(limit) && is_readable(top - 8), "{stack:?}");
        }
        stacks.validate().unwrap();
    }
}

#[test]
#[cfg_attr(any(miri, windows), ignore = "no /proc")]
fn markers_need_no_mappings_and_mappings_two_per_stack() {
    // Whole lines that start in the range; the kernel joins what is alike.
    let mappings = |stacks: &FiberStacks| {
        let text = std::fs::read_to_string("/proc/self/maps").unwrap();
        let starts = text.lines().filter_map(|line| usize::from_str_radix(line.split_once('-')?.0, 16).ok());
        starts.filter(|&start| stacks.owns(core::ptr::without_provenance(start))).count()
    };
    for guards in KINDS {
        let config = FiberStacksConfig::new().with_class(64 * KIB, 300).with_guards(guards);
        let stacks = FiberStacks::new(config).unwrap();
        let all: Vec<_> = (0..200).map(|_| stacks.get(0).unwrap()).collect();
        all.iter().for_each(|stack| touch(stack, 1));
        // One is that of the records, which lie elsewhere.
        let said = usage(&stacks, 0).mappings - 1;
        // One less where the first or last lies in one with a neighbour's.
        assert!((said - 1..=said).contains(&mappings(&stacks)), "{guards:?}: {said}, {}", mappings(&stacks));
        assert!(guards == Guards::Automatic || said == 401);
    }
}

#[test]
fn markers_that_are_insisted_on_are_there_or_refused() {
    match FiberStacks::new(small(Guards::Markers)) {
        Ok(stacks) => assert_eq!(usage(&stacks, 0).mappings, 3),
        Err(error) => assert_eq!(error, FiberStacksError::NoMarkers),
    }
}

#[test]
fn when_all_stacks_are_out_there_is_none_until_one_comes_back() {
    for guards in KINDS {
        let stacks = FiberStacks::new(small(guards)).unwrap();
        let mut all: Vec<_> = (0..10).map(|_| stacks.get(64 * KIB).unwrap()).collect();
        assert_eq!(stacks.get(64 * KIB).unwrap_err(), FiberStacksError::Exhausted);
        assert_eq!(stacks.allocate(layout(64 * KIB, 1)), Err(AllocError::CapacityExhausted));
        let back = all.swap_remove(3);
        let number = back.number();
        drop(back);
        assert_eq!(stacks.get(64 * KIB).unwrap().number(), number);
        stacks.validate().unwrap();
    }
}

#[test]
fn returns_that_are_none_are_refused_and_change_nothing() {
    let (stacks, other) = (
        FiberStacks::new(small(Guards::Automatic)).unwrap(),
        FiberStacks::new(small(Guards::Automatic)).unwrap(),
    );
    let put_at = |top: core::ptr::NonNull<u8>| {
        // SAFETY: what is live here was given up, and nothing runs on it.
        unsafe { stacks.put_at(top) }
    };
    let stack = stacks.get(0).unwrap();
    let (bottom, inside) = (stack.lower_guard(), stack.limit());
    let top = stack.into_top();
    assert_eq!(put_at(bottom), Err(ReturnError::NotAStack));
    assert_eq!(put_at(inside), Err(ReturnError::NotAStack));
    let stranger = other.get(0).unwrap();
    assert_eq!(put_at(stranger.top()), Err(ReturnError::Foreign));
    assert_eq!(put_at(core::ptr::NonNull::dangling()), Err(ReturnError::Foreign));
    assert_eq!((usage(&stacks, 0).live, put_at(top)), (1, Ok(())));
    assert_eq!(put_at(top), Err(ReturnError::NotLive));
    let next =
        core::ptr::NonNull::new(top.as_ptr().wrapping_add(top.addr().get() - bottom.addr().get())).unwrap();
    assert_eq!(put_at(next), Err(ReturnError::NotLive), "never handed out");
    stacks.validate().unwrap();

    let mut cache: StackCache<'_> = stacks.cache();
    assert_eq!(cache.put(stranger), Err(ReturnError::Foreign));
    assert_eq!(usage(&other, 0).live, 0, "it went to its own");
    assert!(cache.is_empty());
}

#[test]
fn a_cache_keeps_the_hottest_and_no_more_than_its_bound() {
    let stacks = FiberStacks::new(small(Guards::Automatic)).unwrap();
    let mut cache = stacks.cache::<4>();
    let numbers: Vec<u64> = {
        let all: Vec<_> = (0..10).map(|_| cache.get(0).unwrap()).collect();
        let numbers = all.iter().map(FiberStack::number).collect();
        all.into_iter().for_each(|stack| cache.put(stack).unwrap());
        numbers
    };
    assert_eq!((cache.len(), usage(&stacks, 0).cached, usage(&stacks, 0).shared), (4, 4, 6));
    // The last put is the first got, and what the cache gave away comes back when it is empty.
    let again: Vec<_> = (0..10).map(|_| cache.get(0).unwrap()).collect();
    assert_eq!(again[0].number(), numbers[9]);
    assert_eq!((usage(&stacks, 0).live, usage(&stacks, 0).shared + cache.len()), (10, 0), "none is fresh");
    again.into_iter().for_each(|stack| cache.put(stack).unwrap());
    drop(cache);
    assert_eq!((usage(&stacks, 0).cached, usage(&stacks, 0).shared), (0, 10));
    stacks.validate().unwrap();
}

#[test]
fn a_cache_of_one_works() {
    let stacks = FiberStacks::new(small(Guards::Automatic)).unwrap();
    let mut cache = stacks.cache::<1>();
    let (first, second) = (cache.get(0).unwrap(), cache.get(0).unwrap());
    let number = second.number();
    cache.put(first).unwrap();
    cache.put(second).unwrap();
    assert_eq!((cache.len(), cache.get(0).unwrap().number()), (1, number));
}

#[test]
#[cfg_attr(miri, ignore = "everything is resident")]
fn memory_comes_with_the_touch_and_the_high_water_mark_stays() {
    let page = page::size();
    for guards in KINDS {
        let config = FiberStacksConfig::new().with_class(256 * KIB, 4).with_guards(guards);
        let stacks = FiberStacks::new(config).unwrap();
        let stack = stacks.get(0).unwrap();
        assert_eq!((stack.high_water(), stacks.measure().resident), (Ok(0), 0));
        touch(&stack, 10 * page);
        assert_eq!((stack.high_water(), stacks.measure().resident), (Ok(10 * page), page), "a hole above it");
        touch(&stack, 1);
        touch(&stack, stack.size());
        assert_eq!((stack.high_water(), stacks.measure().resident), (Ok(stack.size()), 3 * page));
        drop(stack);
        assert_eq!(stacks.collect(), 3 * page);
        assert_eq!((stacks.collect(), stacks.measure().resident), (0, 0));
        assert_eq!(usage(&stacks, 0).high_water, 256 * KIB);
        stacks.validate().unwrap();
    }
}

#[test]
#[cfg_attr(miri, ignore = "everything is resident")]
fn pages_go_back_when_the_configuration_says_and_down_to_the_kept_part() {
    let page = page::size();
    let resident_after = |when, in_cache: bool| {
        let config = FiberStacksConfig::new().with_class(64 * page, 4).with_give_back(when, 2 * page);
        let stacks = FiberStacks::new(config).unwrap();
        let mut cache = stacks.cache::<4>();
        let stack = cache.get(0).unwrap();
        (1..=32).for_each(|depth| touch(&stack, depth * page));
        if in_cache {
            cache.put(stack).unwrap();
        } else {
            drop(stack);
        }
        let resident = stacks.measure().resident / page;
        drop(cache);
        (resident, stacks.measure().resident / page, usage(&stacks, 0).high_water / page)
    };
    assert_eq!(resident_after(GiveBack::Never, true), (32, 32, 32));
    assert_eq!(resident_after(GiveBack::Never, false), (32, 32, 32));
    assert_eq!(resident_after(GiveBack::WhenShared, true), (32, 2, 32));
    assert_eq!(resident_after(GiveBack::WhenShared, false), (2, 2, 32));
    assert_eq!(resident_after(GiveBack::Always, true), (2, 2, 32));
    assert_eq!(resident_after(GiveBack::Always, false), (2, 2, 32));
}

/// More than the stack has, and more than there are addresses.
#[test]
#[cfg_attr(miri, ignore = "everything is resident")]
fn who_keeps_more_than_there_is_keeps_all() {
    let page = page::size();
    for (when, kept) in
        [(GiveBack::Always, 64 * page), (GiveBack::WhenShared, usize::MAX), (GiveBack::Never, usize::MAX)]
    {
        let config = FiberStacksConfig::new().with_class(8 * page, 2).with_give_back(when, kept);
        let stacks = FiberStacks::new(config).unwrap();
        let stack = stacks.get(0).unwrap();
        (1..=8).for_each(|depth| touch(&stack, depth * page));
        drop(stack);
        assert_eq!(stacks.measure().resident, 8 * page, "{when:?} {kept}");
        assert_eq!(stacks.collect(), 8 * page);
    }
}

#[test]
fn stacks_and_fibers_have_numbers() {
    let stacks = FiberStacks::new(small(Guards::Automatic)).unwrap();
    let (small, large) = (stacks.get(0).unwrap(), stacks.get(64 * KIB).unwrap());
    assert_eq!((small.number(), large.number()), (0, 40));
    assert_eq!((small.fiber(), large.fiber()), (0, 40));
    large.set_fiber(7);
    assert_eq!(large.fiber(), 7);
    drop(large);
    assert_eq!(stacks.get(64 * KIB).unwrap().fiber(), 40, "the next fiber has its own number");
}

/// Each thread takes, marks, checks and returns, by its cache and without, and hands some on; a stack has one holder.
#[test]
fn stacks_go_through_many_hands_and_all_counts_agree() {
    const ROUNDS: u32 = if cfg!(miri) { 20 } else { 20_000 };
    const STACKS: usize = 24;
    for guards in KINDS {
        let stacks =
            FiberStacks::new(FiberStacksConfig::new().with_class(4 * KIB, STACKS).with_guards(guards))
                .unwrap();
        let holders: Vec<_> = (0..STACKS).map(|_| AtomicU32::new(0)).collect();
        let refused = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for thread in 1..=4_u32 {
                let (stacks, holders, refused) = (&stacks, &holders, &refused);
                scope.spawn(move || {
                    let mut cache = stacks.cache::<3>();
                    let mut held = Vec::new();
                    for round in 0..ROUNDS {
                        let got = if round % 5 == 0 { stacks.get(0) } else { cache.get(0) };
                        match got {
                            Ok(stack) => {
                                let holder = &holders[usize::try_from(stack.number()).unwrap()];
                                assert_eq!(holder.swap(thread, Ordering::Relaxed), 0, "two have one stack");
                                touch(&stack, 8);
                                held.push(stack);
                            }
                            Err(error) => {
                                assert_eq!(error, FiberStacksError::Exhausted);
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                        if held.len() > 4 || (round % 3 == 0 && !held.is_empty()) {
                            let stack = held.swap_remove(round as usize % held.len());
                            let holder = &holders[usize::try_from(stack.number()).unwrap()];
                            assert_eq!(holder.swap(0, Ordering::Relaxed), thread);
                            if round % 2 == 0 { drop(stack) } else { cache.put(stack).unwrap() }
                        }
                    }
                    for stack in held {
                        holders[usize::try_from(stack.number()).unwrap()].store(0, Ordering::Relaxed);
                    }
                });
            }
        });
        // 4 threads × (5 held + 3 cached) are more than there are: some may have been refused, and all is back.
        let now = usage(&stacks, 0);
        assert_eq!((now.live, now.cached), (0, 0));
        assert!(now.shared <= STACKS);
        stacks.validate().unwrap();
    }
}

/// Each of as many threads as there are stacks holds at most one: nobody is ever refused, also while the last fresh ones go.
#[test]
fn nobody_is_refused_while_a_stack_is_free() {
    const ROUNDS: usize = if cfg!(miri) { 2 } else { 2000 };
    for round in 0..ROUNDS {
        let config = FiberStacksConfig::new().with_class(4 * KIB, 3).with_guards(KINDS[round % 2]);
        let stacks = FiberStacks::new(config).unwrap();
        // Together, or the first is done before the second has begun.
        let barrier = Barrier::new(3);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    barrier.wait();
                    (0..10).for_each(|_| drop(stacks.get(0).expect("one is free")));
                });
            }
        });
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..100 * KIB, any::<bool>()).prop_map(|(size, cached)| Step::Get { size, cached }),
        4 => (any::<usize>(), 0..3_u8).prop_map(|(index, way)| Step::Return { index, way }),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(index, depth)| Step::Touch { index, depth }),
        1 => Just(Step::Collect),
        1 => Just(Step::ReturnAll),
        1 => Just(Step::DropCache),
    ];
    proptest::collection::vec(step, 1..if cfg!(miri) { 20 } else { 100 })
}

fn configurations() -> impl Strategy<Value = FiberStacksConfig> {
    let kinds = (0..2_usize, 0..3_usize, 0..40 * KIB, 1..20 * KIB);
    (proptest::collection::vec((1..20 * KIB, 1..12_usize), 1..5), kinds).prop_map(|(classes, kinds)| {
        let (kind, when, kept, guard) = kinds;
        let when = [GiveBack::Never, GiveBack::WhenShared, GiveBack::Always][when];
        let start = FiberStacksConfig::new().with_guards(KINDS[kind]).with_guard_bytes(guard);
        let mut size = 0;
        classes.into_iter().fold(start.with_give_back(when, kept), |config, (more, count)| {
            size += more.next_multiple_of(page::size());
            config.with_class(size, count)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conformance::cases(100), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_configuration_matches_the_model(config in configurations(), steps in steps()) {
        play(&FiberStacks::new(config).unwrap(), &steps)?;
    }

    #[test]
    fn as_a_resource_any_configuration_matches_the_shadow(config in configurations(), ops in ops(30_000)) {
        let stacks = FiberStacks::new(config).unwrap();
        let mut shadow = Shadow::default();
        for op in &ops {
            if matches!(op, Op::Special { .. }) {
                stacks.collect();
            }
            shadow.step(&stacks, op)?;
            prop_assert_eq!(stacks.usage().map(|class| class.live).sum::<usize>(), shadow.len());
        }
        shadow.release_all(&stacks)?;
    }
}
