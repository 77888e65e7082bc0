//! Two levels of pools: the kit, classes, large blocks, recovery, generated operations against a shadow map.
//!
//! Not covered here: misuse (`misuse.rs`), timing (`bench/`).

#[allow(dead_code, reason = "each test crate uses a part of it")]
mod model;
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod support;

extern crate alloc;

use proptest::prelude::*;
use stratalloc_resource::conformance;
use stratalloc_resource::{Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, Validate};
use stratalloc_strategies::mem_pool::{MemPool, MemPoolUsage};
use stratalloc_strategies::tlsf::Tlsf;
use support::{config, layout, memory, passed};

/// Classes from 8 to 256, chunks of 1 KiB, pages of 128 bytes.
type Small<U> = MemPool<U, 8, 256, 1024, 128>;

fn give(resource: &impl MemoryResource, block: MemoryBlock) {
    // SAFETY: live, requested without alignment, not used.
    unsafe { resource.deallocate(block, Alignment::ONE) };
}

#[test]
fn conforms() {
    let pool: MemPool<_> = MemPool::new(FromGlobal::new(&std::alloc::System)).unwrap();
    passed(conformance::local_resource(&pool, &config()));
    pool.validate().unwrap();

    let mut bytes = memory(1 << 16);
    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let pool = Small::new(&upstream).unwrap();
    passed(conformance::local_resource(&pool, &config()));
    pool.validate().unwrap();
    assert_eq!((pool.usage().live_small, pool.usage().live_large), (0, 0));
    drop(pool);
    assert_eq!(upstream.usage().live_blocks, 0);
}

#[test]
fn each_size_has_its_class_and_large_ones_whole_pages() {
    let pool: MemPool<_> = MemPool::new(FromGlobal::new(&std::alloc::System)).unwrap();
    for size in 0..9000 {
        let block = pool.allocate(layout(size, 1)).unwrap();
        let expected =
            if size <= 4096 { size.next_power_of_two().max(16) } else { size.next_multiple_of(4096) };
        assert_eq!(
            (block.len(), block.address() % expected.min(4096).min(1 << expected.trailing_zeros())),
            (expected, 0)
        );
        give(&pool, block);
    }
    assert_eq!(pool.allocate(layout(3, 64)).map(MemoryBlock::len), Ok(64));
    assert_eq!(pool.allocate(layout(usize::MAX >> 1, 1)).err(), Some(AllocError::SizeOverflow));
    assert_eq!(pool.usage(), MemPoolUsage { live_small: 1, live_large: 0, chunks: 9 });
}

#[test]
fn chunks_that_nobody_uses_make_room_when_upstream_has_none() {
    let mut bytes = memory(8000);
    let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let pool = Small::new(&upstream).unwrap();
    let large = pool.allocate(layout(4000, 1)).unwrap();
    give(&pool, large);
    let small: Vec<_> = core::iter::from_fn(|| pool.allocate(layout(20, 1)).ok()).collect();
    assert!(pool.usage().chunks > 3);
    assert!(pool.allocate(layout(4000, 1)).is_err());
    let identity = pool.identity();
    small.into_iter().for_each(|block| give(&pool, block));
    let again = pool.allocate(layout(4000, 1)).unwrap();
    assert_eq!((pool.usage().chunks, pool.identity()), (1, identity));
    let hundred = pool.allocate(layout(100, 1)).expect("of another class than before");
    give(&pool, again);
    let small: Vec<_> = core::iter::from_fn(|| pool.allocate(layout(20, 1)).ok()).collect();
    assert!(pool.allocate(layout(200, 1)).is_err());
    small.into_iter().for_each(|block| give(&pool, block));
    give(&pool, hundred);
    assert!(pool.allocate(layout(200, 1)).is_ok(), "a class without a chunk gets one that nobody uses");
    pool.validate().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_operations_match_the_shadow(ops in model::ops(), len in 3000_usize..300_000, narrow in any::<bool>()) {
        let mut bytes = memory(len);
        let upstream: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
        fn run(
            pool: &(impl MemoryResource + Validate),
            ops: Vec<model::Op>,
            live: impl Fn() -> usize,
        ) -> Result<(), TestCaseError> {
            model::run(pool, ops, |_| (), |shadow| {
                prop_assert_eq!(live(), shadow.live.len());
                pool.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))
            })
        }
        if narrow {
            let pool = Small::new(&upstream).unwrap();
            run(&pool, ops, || pool.usage().live_small + pool.usage().live_large)?;
        } else if let Ok(pool) = MemPool::<_>::new(&upstream) {
            run(&pool, ops, || pool.usage().live_small + pool.usage().live_large)?;
        }
        prop_assert_eq!(upstream.usage().live_blocks, 0);
    }
}
