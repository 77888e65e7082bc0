//! Lock-free pools: the kit, generated configurations and operations against a shadow map, threads.
//!
//! Not covered here: misuse (`misuse.rs`), all interleavings (`src/models`), timing (`bench/`).
#![cfg(target_has_atomic = "64")]

extern crate alloc;

#[allow(dead_code, reason = "each test crate uses a part of it")]
mod support;

use alloc::collections::BTreeSet;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::alloc::System;

use proptest::prelude::*;
use stratalloc_resource::conformance;
use stratalloc_resource::{Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, Owns, Validate};
use stratalloc_strategies::lock_free_pool::LockFreePool;
use stratalloc_strategies::pool::PoolConfig;
use support::{Op, Shadow, config, layout, memory, ops, passed, range_of};

fn lines() -> PoolConfig {
    PoolConfig::new(100, Alignment::constant::<64>())
}

#[test]
fn conforms_with_threads_over_memory_and_over_an_upstream() {
    let mut bytes = memory(1 << 18);
    let mut pool = LockFreePool::over(lines(), &mut bytes).unwrap();
    passed(conformance::resource(&pool, &config()));
    passed(conformance::ownership(&pool, &config()));
    assert_eq!(pool.usage().live, 0);

    let system = FromGlobal::new(&System);
    let mut pool = LockFreePool::within(PoolConfig::of::<[u8; 3]>(), system, 300).unwrap();
    passed(conformance::resource(&pool, &config()));
    passed(conformance::validated(&pool, &config()));
    assert_eq!((pool.usage().live, pool.block_count()), (0, 300));
}

#[test]
fn two_are_not_equal_and_one_stays_itself_when_it_moves() {
    let (mut first, mut second) = (memory(1 << 14), memory(1 << 14));
    let first = LockFreePool::over(lines(), &mut first).unwrap();
    let second = LockFreePool::over(lines(), &mut second).unwrap();
    assert!(!conformance::pair(&first, &second, &config()).unwrap());
    let before = first.identity();
    let moved = Box::new(first);
    assert_eq!(moved.identity(), before);
}

#[test]
fn requests_that_no_block_fits_say_why() {
    let mut bytes = memory(4096);
    let pool = LockFreePool::over(lines(), &mut bytes).unwrap();
    assert_eq!(pool.allocate(layout(129, 1)), Err(AllocError::Unsupported));
    assert_eq!(pool.allocate(layout(1, 128)), Err(AllocError::BadAlignment));
    assert_eq!(pool.allocate(layout(0, 64)).map(MemoryBlock::len), Ok(128));
    let error = |config, blocks| LockFreePool::within(config, FromGlobal::new(&System), blocks).err();
    assert_eq!(error(lines(), usize::MAX), Some(AllocError::SizeOverflow));
    assert_eq!(error(PoolConfig::new(usize::MAX, Alignment::ONE), 1), Some(AllocError::SizeOverflow));
    assert_eq!(error(lines(), 0), Some(AllocError::CapacityExhausted));
    assert_eq!(error(lines().with_max_blocks(0), 10), Some(AllocError::CapacityExhausted));
}

#[test]
fn every_buffer_is_either_refused_or_serves() {
    let mut bytes = memory(400);
    for align in [Alignment::constant::<4>(), Alignment::constant::<64>()] {
        let (config, block_len) = (PoolConfig::new(5, align), align.bytes().max(8));
        for (start, len) in (0..20).flat_map(|start| (0..350).map(move |len| (start, len))) {
            let inside = range_of(&bytes[start..start + len]);
            let Ok(mut pool) = LockFreePool::over(config, &mut bytes[start..start + len]) else {
                assert!(len < block_len + 2 * align.bytes(), "{start} {len}");
                continue;
            };
            let mut places = BTreeSet::new();
            while let Ok(block) = pool.take() {
                assert!(places.insert(block.address()) && block.len() == block_len);
                assert!(inside.start <= block.address() && block.end_address() <= inside.end);
            }
            assert_eq!((places.len(), pool.usage().total), (pool.block_count(), pool.block_count()));
            assert!(len - places.len() * (block_len + 4) < block_len + 2 * align.bytes() + 4);
        }
    }
}

/// Every thread takes, marks, checks and gives back, sometimes another's block, through a few shared places.
#[test]
fn blocks_go_through_many_hands_and_all_counts_agree() {
    const ROUNDS: u32 = if cfg!(miri) { 30 } else { 100_000 };
    const THREADS: u32 = 4;
    // So few that the pool runs dry again and again.
    let mut pool = LockFreePool::within(lines(), FromGlobal::new(&System), 6).unwrap();
    let held: Vec<_> = (0..pool.block_count()).map(|_| AtomicU32::new(0)).collect();
    let (taken, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let base = (0..6).map(|_| pool.take().unwrap()).min_by_key(|block| block.address()).unwrap();
    for index in 0..6 {
        let start = base.as_non_null().as_ptr().wrapping_add(index * pool.block_len());
        // SAFETY: taken above, not used.
        unsafe { pool.give(core::ptr::NonNull::new(start).unwrap()) };
    }
    std::thread::scope(|scope| {
        for thread in 1..=THREADS {
            let (pool, held, taken, refused) = (&pool, &held, &taken, &refused);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let Ok(block) = pool.take() else {
                        refused.fetch_add(1, Ordering::Relaxed);
                        continue;
                    };
                    let index = (block.address() - base.address()) / pool.block_len();
                    assert_eq!(held[index].swap(thread, Ordering::Relaxed), 0, "two have one block");
                    let mark = 0xDEAD_BEEF ^ (thread << 20) ^ round;
                    let words = block.as_ptr().cast::<u32>();
                    for word in 0..block.len() / 4 {
                        // SAFETY: ours, aligned to 64.
                        unsafe { words.wrapping_add(word).write(mark) };
                    }
                    for word in 0..block.len() / 4 {
                        // SAFETY: as above, and written.
                        assert_eq!(unsafe { words.wrapping_add(word).read() }, mark, "somebody else wrote");
                    }
                    held[index].store(0, Ordering::Relaxed);
                    taken.fetch_add(1, Ordering::Relaxed);
                    // SAFETY: ours, not used any more.
                    unsafe { pool.give(block.as_non_null()) };
                }
            });
        }
    });
    assert_eq!(taken.into_inner() + refused.into_inner(), (ROUNDS * THREADS) as usize);
    let usage = pool.usage();
    assert_eq!((usage.live, usage.free + usage.fresh), (0, 6));
    pool.validate().unwrap();
}

/// Each of as many threads as there are blocks holds at most one: nobody is ever refused.
#[test]
fn nobody_is_refused_while_a_block_is_free() {
    const ROUNDS: usize = if cfg!(miri) { 50 } else { 3_000 };
    for _ in 0..ROUNDS / 50 {
        let pool = LockFreePool::within(lines(), FromGlobal::new(&System), 3).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let block = pool.take().expect("one is free");
                        // SAFETY: ours, not used any more.
                        unsafe { pool.give(block.as_non_null()) };
                    }
                });
            }
        });
    }
}

fn run<U: MemoryResource>(pool: &mut LockFreePool<'_, U>, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut shadow = Shadow::default();
    for op in ops {
        let op = match op {
            Op::Reallocate { index, size } => {
                Op::Reallocate { index: *index, size: size % (pool.block_len() + 20) }
            }
            other => other.clone(),
        };
        shadow.step(pool, &op)?;
        prop_assert_eq!(pool.usage().live, shadow.len());
    }
    shadow.release_all(pool)?;
    prop_assert!(!pool.owns(core::ptr::null()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conformance::cases(100), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_configuration_matches_the_shadow(
        (size, align, most) in (0_usize..300, 0_u32..9, 0_usize..80),
        (offset, len, upstream) in (0_usize..70, 0_usize..30_000, any::<bool>()),
        ops in ops(200),
    ) {
        let config = PoolConfig::new(size, Alignment::new(1 << align).unwrap());
        let mut bytes = memory(offset + len);
        if upstream {
            if let Ok(mut pool) = LockFreePool::within(config, FromGlobal::new(&System), most) {
                prop_assert_eq!(pool.block_count(), most);
                run(&mut pool, &ops)?;
            }
        } else if let Ok(mut pool) = LockFreePool::over(config.with_max_blocks(most), &mut bytes[offset..]) {
            run(&mut pool, &ops)?;
        }
    }
}
