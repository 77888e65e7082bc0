//! Pools: the kit, generated configurations and operations against a shadow map, growth, returns from other threads.
//!
//! Not covered here: misuse (`misuse.rs`), all interleavings of a return (`src/models`), timing (`bench/`).

extern crate alloc;

#[allow(dead_code, reason = "each test crate uses a part of it")]
mod support;

use alloc::collections::BTreeSet;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::alloc::System;
use std::sync::mpsc;

use proptest::prelude::*;
use stratalloc_resource::conformance;
use stratalloc_resource::{
    Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, OwnedBlock, Owns, Validate,
};
use stratalloc_strategies::pool::{Pool, PoolConfig};
use stratalloc_strategies::tlsf::Tlsf;
use support::{Op, Shadow, config, layout, memory, ops, passed, range_of};

fn lines() -> PoolConfig {
    PoolConfig::new(100, Alignment::constant::<64>())
}

#[test]
fn conforms_over_memory_and_growing() {
    // Checked builds look at the whole free list with each release.
    let mut bytes = memory(1 << 16);
    let pool = Pool::over(lines(), &mut bytes).unwrap();
    passed(conformance::local_resource(&pool, &config()));
    passed(conformance::ownership(&pool, &config()));
    assert_eq!(pool.usage().live, 0);
    drop(pool);

    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    for config in
        [lines().with_chunk_blocks(3).with_max_blocks(100), PoolConfig::of::<u8>().with_max_blocks(200)]
    {
        let pool = Pool::growing(config, &upstream).unwrap();
        passed(conformance::validated(&pool, &conformance::Config { operations: 300, ..support::config() }));
        assert_eq!(pool.usage().live, 0);
    }
    assert_eq!(upstream.usage().live_blocks, 0);
}

#[test]
fn two_are_not_equal_and_a_remote_is_its_pools_equal() {
    let (mut first, mut second) = (memory(1 << 14), memory(1 << 14));
    let first = Pool::over(lines(), &mut first).unwrap();
    let second = Pool::over(lines(), &mut second).unwrap();
    assert!(!conformance::pair(&first, &second, &config()).unwrap());
    let remote = first.remote();
    assert!(first.is_equal(&remote) && remote.is_equal(&first) && !remote.is_equal(&second));
    assert_eq!(remote.allocate(layout(1, 1)), Err(AllocError::Unsupported));
    let before = first.identity();
    let moved = Box::new(first);
    assert_eq!(moved.identity(), before);
}

#[test]
fn requests_that_no_block_fits_say_why() {
    let mut bytes = memory(4096);
    let pool = Pool::over(lines(), &mut bytes).unwrap();
    assert_eq!(pool.allocate(layout(129, 1)), Err(AllocError::Unsupported));
    assert_eq!(pool.allocate(layout(1, 128)), Err(AllocError::BadAlignment));
    assert_eq!(pool.allocate(layout(0, 64)).map(MemoryBlock::len), Ok(128));
    let huge = PoolConfig::new(usize::MAX, Alignment::ONE);
    assert_eq!(Pool::over(huge, &mut memory(10)).err(), Some(AllocError::SizeOverflow));
    let none = lines().with_max_blocks(0);
    assert_eq!(Pool::over(none, &mut memory(4096)).err(), Some(AllocError::CapacityExhausted));
    let many = PoolConfig::of::<u64>().with_chunk_blocks(usize::MAX);
    let pool = Pool::growing(many, FromGlobal::new(&System)).unwrap();
    assert!(pool.usage().total < 10, "what cannot be had at once is asked for one by one");
}

#[test]
fn every_buffer_is_either_refused_or_serves() {
    let mut bytes = memory(300);
    for start in 0..20 {
        for len in 0..250 {
            let inside = range_of(&bytes[start..start + len]);
            match Pool::over(PoolConfig::of::<[u32; 5]>(), &mut bytes[start..start + len]) {
                Err(error) => assert!(error == AllocError::CapacityExhausted && len < 100, "{start} {len}"),
                Ok(pool) => {
                    let mut places = BTreeSet::new();
                    while let Ok(block) = pool.take() {
                        assert!(places.insert(block.address()) && block.len() == pool.block_len());
                        assert!(inside.start <= block.address() && block.end_address() <= inside.end);
                    }
                    assert_eq!(places.len(), pool.usage().total);
                    pool.validate().unwrap();
                }
            }
        }
    }
}

/// More than the owner puts to its free blocks at once, in two batches, with releases of its own between.
#[test]
fn many_returned_blocks_are_all_found_again() {
    let mut bytes = memory(1 << 16);
    let pool = Pool::over(lines().with_max_blocks(200), &mut bytes).unwrap();
    let blocks: Vec<_> = (0..200).map(|_| pool.take().unwrap().as_non_null()).collect();
    let all: BTreeSet<_> = blocks.iter().map(|block| block.addr().get()).collect();
    let give_to = |remote: stratalloc_strategies::pool::PoolRemote<'_>, range: core::ops::Range<usize>| {
        // SAFETY: live, not used.
        blocks[range].iter().for_each(|&block| unsafe { remote.give(block) });
    };
    give_to(pool.remote(), 0..90);
    let mut again: BTreeSet<_> = (0..40).map(|_| pool.take().unwrap().address()).collect();
    give_to(pool.remote(), 90..200);
    pool.validate().unwrap();
    // SAFETY: live, not used.
    unsafe { pool.give(pool.take().unwrap().as_non_null()) };
    again.extend((40..150).map(|_| pool.take().unwrap().address()));
    assert_eq!((again.len(), pool.usage().free, pool.usage().live), (150, 50, 150));
    again.extend((150..200).map(|_| pool.take().unwrap().address()));
    assert_eq!((again, pool.take().err()), (all, Some(AllocError::CapacityExhausted)));
}

#[test]
fn what_others_return_is_taken_before_fresh_memory() {
    let mut bytes = memory(1 << 14);
    let pool = Pool::over(lines().with_max_blocks(50), &mut bytes).unwrap();
    let blocks: Vec<_> = (0..20).map(|_| pool.take().unwrap()).collect();
    let remote = pool.remote();
    std::thread::scope(|scope| {
        for half in blocks.chunks(10) {
            // SAFETY: live, not used.
            scope.spawn(move || half.iter().for_each(|block| unsafe { remote.give(block.as_non_null()) }));
        }
    });
    let again: BTreeSet<_> = (0..20).map(|_| pool.take().unwrap().address()).collect();
    assert_eq!(again, blocks.iter().map(|block| block.address()).collect());
    assert_eq!(pool.usage().fresh, 30);
}

/// A message: its words hold its number.
fn write(block: &mut OwnedBlock<impl MemoryResource>, number: u32) {
    for place in block.as_uninit_mut().chunks_exact_mut(4) {
        for (byte, value) in place.iter_mut().zip((0xDEAD_BEEF ^ number).to_ne_bytes()) {
            byte.write(value);
        }
    }
}

fn holds(block: &OwnedBlock<impl MemoryResource>, number: u32) -> bool {
    block.as_uninit().chunks_exact(4).all(|place| {
        let bytes = place.iter().map(|byte| {
            // SAFETY: written by `write`.
            unsafe { byte.assume_init() }
        });
        bytes.eq((0xDEAD_BEEF ^ number).to_ne_bytes())
    })
}

/// One thread makes messages, others check and drop them: at the end every count agrees.
#[test]
fn messages_to_other_threads_arrive_whole_and_come_home() {
    const MESSAGES: u32 = if cfg!(miri) { 30 } else { 60_000 };
    let pool = Pool::growing(lines().with_chunk_blocks(16), FromGlobal::new(&System)).unwrap();
    let seen = AtomicUsize::new(0);
    let broken = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let consumers: Vec<_> = (0..3)
            .map(|_| {
                let (sender, receiver) = mpsc::sync_channel::<(OwnedBlock<_>, u32)>(64);
                let (seen, broken) = (&seen, &broken);
                scope.spawn(move || {
                    for (block, number) in receiver {
                        broken.fetch_or(!holds(&block, number), Ordering::Relaxed);
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                });
                sender
            })
            .collect();
        for number in 0..MESSAGES {
            let block = pool.take().unwrap();
            // SAFETY: just taken.
            let mut block = unsafe { OwnedBlock::from_parts(block, pool.align(), pool.remote()) };
            write(&mut block, number);
            consumers[number as usize % 3].send((block, number)).unwrap();
        }
    });
    assert!(!broken.into_inner(), "a message was overwritten");
    assert_eq!(seen.into_inner(), MESSAGES as usize);
    let usage = pool.usage();
    assert_eq!((usage.live, usage.free + usage.fresh), (0, usage.total));
    assert!(usage.total < 3 * 70 + 16, "{usage:?}: blocks come home while the pool works");
    pool.validate().unwrap();
}

/// Runs `ops` over a pool; special ones return a block from another place: by a remote.
fn run<U: MemoryResource>(pool: &Pool<'_, U>, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut shadow = Shadow::default();
    for op in ops {
        let op = match op {
            Op::Reallocate { index, size } => {
                Op::Reallocate { index: *index, size: size % (pool.block_len() + 20) }
            }
            other => other.clone(),
        };
        shadow.step(pool, &op)?;
        if let Op::Special { choice } = op
            && let Some(block) = shadow.remove(choice)?
        {
            // SAFETY: live, and gone from the shadow.
            unsafe { pool.remote().deallocate(block, pool.align()) };
        }
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
        (size, align, chunk, most) in (0_usize..300, 0_u32..9, 0_usize..20, 0_usize..80),
        (offset, len, growing) in (0_usize..70, 0_usize..30_000, any::<bool>()),
        ops in ops(200),
    ) {
        let config = PoolConfig::new(size, Alignment::new(1 << align).unwrap())
            .with_chunk_blocks(chunk)
            .with_max_blocks(most);
        let mut bytes = memory(offset + len);
        if growing {
            let upstream: Tlsf<'_> = Tlsf::new();
            let _ = upstream.add_pool(&mut bytes);
            if let Ok(pool) = Pool::growing(config, &upstream) {
                run(&pool, &ops)?;
            }
            prop_assert_eq!(upstream.usage().live_blocks, 0);
        } else if let Ok(pool) = Pool::over(config, &mut bytes[offset..]) {
            run(&pool, &ops)?;
        }
    }
}
