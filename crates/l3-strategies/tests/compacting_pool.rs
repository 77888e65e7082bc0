//! Compacting pools: generated configurations and operations against a shadow map, with compactions at random moments; stale handles, pins,
//! memory that runs out, how far a compaction gets and how long a step is.
//!
//! Not covered: timing (`examples/compaction.rs` of the façade prints it).

extern crate alloc;

#[path = "shadows/compacting_pool.rs"]
mod shadow;
#[allow(dead_code, reason = "each test crate uses a part of it")]
mod support;

use core::mem::MaybeUninit;
use core::ptr::NonNull;
use std::alloc::System;

use proptest::prelude::*;
use stratalloc_resource::conformance;
use stratalloc_resource::{AllocError, FromGlobal, Validate};
use stratalloc_strategies::compacting_pool::{CompactingPool, CompactingUsage, HandleError};
use stratalloc_strategies::tlsf::Tlsf;

use shadow::{Marked, Op, run};
use support::memory;

fn upstream() -> FromGlobal<'static, System> {
    FromGlobal::new(&System)
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        10 => Just(Op::Insert),
        4 => any::<usize>().prop_map(Op::Remove),
        1 => (2..6_usize).prop_map(Op::RemoveMany),
        2 => any::<usize>().prop_map(Op::Get),
        1 => any::<usize>().prop_map(Op::Pin),
        1 => any::<usize>().prop_map(Op::Unpin),
        4 => (0..30_usize).prop_map(Op::Compact),
        1 => any::<usize>().prop_map(Op::Stale),
    ];
    proptest::collection::vec(op, 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(150), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_configuration_matches_the_shadow(
        (cells, len, large) in (0..40_u32, 0..40_000_usize, any::<bool>()),
        ops in ops(),
    ) {
        if large {
            run(CompactingPool::<Marked<200>, _>::new(upstream()).with_chunk_cells(cells), &ops)?;
        } else {
            run(CompactingPool::<Marked<0>, _>::new(upstream()).with_chunk_cells(cells), &ops)?;
        }
        // Over memory that runs out; afterwards the heap beneath has all of it back.
        let mut bytes = memory(len);
        let Ok(heap) = Tlsf::<'_>::over(&mut bytes) as Result<Tlsf<'_>, _> else { return Ok(()) };
        run(CompactingPool::<Marked<5>, _>::new(&heap).with_chunk_cells(cells), &ops)?;
        prop_assert_eq!(heap.usage().used, 0);
    }
}

#[test]
fn an_exhausted_pool_says_so_keeps_its_values_and_goes_on() {
    let mut bytes: [MaybeUninit<u8>; 6_000] = [MaybeUninit::uninit(); 6_000];
    let mut pool = CompactingPool::over(&mut bytes).unwrap().with_chunk_cells(4);
    let mut handles = vec![];
    let error = loop {
        match pool.insert([7_u64; 12]) {
            Ok(handle) => handles.push(handle),
            Err(error) => break error,
        }
    };
    assert_eq!(error, AllocError::CapacityExhausted);
    assert!(handles.len() >= 20 && handles.iter().all(|&handle| pool.get(handle) == Ok(&[7; 12])));
    let mut asked = false;
    assert!(
        pool.insert_with(|| {
            asked = true;
            [0; 12]
        })
        .is_err()
            && !asked
    );
    pool.remove(handles[3]).unwrap();
    assert!(pool.insert([8; 12]).is_ok());
    pool.validate().unwrap();
}

#[test]
fn a_handle_of_another_pool_is_stale() {
    let (mut first, mut second) = (CompactingPool::new(upstream()), CompactingPool::new(upstream()));
    let handle = first.insert(1).unwrap();
    second.insert(2).unwrap();
    assert_eq!(second.get(handle), Err(HandleError::Stale));
    assert_eq!(second.remove(handle), Err(HandleError::Stale));
    assert!(HandleError::Stale.to_string().contains("removed, or belongs to another pool"));
}

#[test]
fn zero_sized_and_over_aligned_values_have_their_places() {
    #[derive(Debug, PartialEq)]
    #[repr(align(256))]
    struct Wide(u8);
    let mut nothing = CompactingPool::new(upstream()).with_chunk_cells(3);
    let mut wide = CompactingPool::new(upstream()).with_chunk_cells(3);
    let handles: Vec<_> =
        (0..50).map(|n| (nothing.insert(()).unwrap(), wide.insert(Wide(n)).unwrap())).collect();
    for (unit, _) in handles.iter().step_by(2) {
        nothing.remove(*unit).unwrap();
    }
    while !nothing.compact(5).done || !wide.compact(5).done {}
    assert_eq!((nothing.usage().chunks, wide.usage().chunks), (9, 17));
    for (n, (_, handle)) in (0..).zip(&handles) {
        let value = wide.get(*handle).unwrap();
        assert!(*value == Wide(n) && core::ptr::from_ref(value).addr() % 256 == 0);
    }
}

#[test]
fn a_pin_keeps_its_chunk_and_only_that() {
    let mut pool = CompactingPool::new(upstream()).with_chunk_cells(10);
    let handles: Vec<_> = (0..100).map(|n| pool.insert(n).unwrap()).collect();
    let place = pool.pin(handles[55]).unwrap();
    for (n, handle) in handles.iter().enumerate().filter(|(n, _)| *n != 55) {
        assert_eq!(pool.remove(*handle), Ok(n));
    }
    while !pool.compact(3).done {}
    assert_eq!((pool.usage().chunks, pool.pin(handles[55])), (1, Ok(place)));
    // SAFETY: pinned, and not changed through the pool.
    assert_eq!(unsafe { place.read() }, 55);
    assert_eq!(pool.remove(handles[55]), Err(HandleError::Pinned));
    for expected in [Ok(()), Ok(()), Err(HandleError::NotPinned)] {
        assert_eq!(pool.unpin(handles[55]), expected);
    }
    assert_eq!(
        (pool.remove(handles[55]), pool.compact(10).released, pool.usage().chunk_bytes),
        (Ok(55), 1, 0)
    );
}

/// As many cells as fit, and not one more.
#[test]
fn a_chunk_is_a_page_of_4_kib_with_its_head() {
    fn check<T: Default>() {
        let mut pool = CompactingPool::new(upstream());
        pool.insert(T::default()).unwrap();
        let usage = pool.usage();
        let cell = (size_of::<T>() + 2 * size_of::<u32>()).next_multiple_of(align_of::<T>());
        assert_eq!(usage.chunks, 1);
        assert!(usage.chunk_bytes <= 4096 && usage.chunk_bytes + cell > 4096, "{usage:?}");
    }
    check::<u64>();
    check::<[u32; 7]>();
    check::<[u64; 20]>();
    check::<u128>();
}

#[test]
fn a_share_is_one_of_as_many_cells_as_an_address_can_count() {
    let usage = |cells, live| CompactingUsage { cells, live, ..CompactingUsage::default() };
    assert_eq!(usage(usize::MAX, 0).fragmentation(), 1000);
    assert_eq!(usage(usize::MAX, usize::MAX / 4 * 3).fragmentation(), 250);
    // 4.3 million cells times a thousand are more than 32 bits hold.
    assert_eq!(usage(1 << 23, 1 << 22).fragmentation(), 500);
    assert_eq!(usage(0, 0).fragmentation(), 0);
}

/// Values for whole chunks fill them, without one to spare.
#[test]
fn what_fits_exactly_is_compacted_into_exactly_that() {
    let mut pool = CompactingPool::new(upstream()).with_chunk_cells(10);
    let handles: Vec<_> = (0..100).map(|n| pool.insert(n).unwrap()).collect();
    for (_, handle) in handles.iter().enumerate().filter(|(n, _)| n % 5 != 0) {
        pool.remove(*handle).unwrap();
    }
    while !pool.compact(3).done {}
    assert_eq!((pool.usage().chunks, pool.usage().fragmentation()), (2, 0));
}

#[test]
fn a_value_that_is_pinned_while_its_chunk_is_emptied_stays() {
    for budget in 0..30 {
        let mut pool = CompactingPool::new(upstream()).with_chunk_cells(10);
        let handles: Vec<_> = (0..40).map(|n| pool.insert(n).unwrap()).collect();
        let (odd, even): (Vec<_>, Vec<_>) = (0..).zip(handles).partition(|(n, _)| n % 2 != 0);
        for (n, handle) in even {
            assert_eq!(pool.remove(handle), Ok(n));
        }
        pool.compact(budget);
        let places: Vec<_> = odd.iter().map(|(_, handle)| pool.pin(*handle).unwrap()).collect();
        while !pool.compact(3).done {}
        pool.validate().unwrap();
        for ((n, handle), place) in odd.iter().zip(places) {
            assert_eq!(pool.get(*handle).map(|value| (*value, NonNull::from(value))), Ok((*n, place)));
        }
    }
}

/// The table is as large as the most values there were at a time, however many there were one after the other.
#[test]
fn entries_are_used_again_and_their_handles_are_not() {
    let mut pool = CompactingPool::new(upstream());
    let mut last = pool.insert(0).unwrap();
    let bytes = pool.usage().table_bytes;
    for n in 1..1000 {
        assert_eq!(pool.remove(last), Ok(n - 1));
        let handle = pool.insert(n).unwrap();
        assert_eq!((pool.get(last), pool.get(handle)), (Err(HandleError::Stale), Ok(&n)));
        last = handle;
    }
    assert_eq!(pool.usage().table_bytes, bytes);
}

/// The work of a call is its budget, whatever the pool's size; a later call goes on where the last one stopped.
#[test]
fn a_large_pool_is_compacted_in_small_steps() {
    const VALUES: u32 = if cfg!(miri) { 640 } else { 10_000 };
    const CHUNKS: usize = (VALUES as usize).div_ceil(64);
    const LEFT: usize = (VALUES / 8) as usize;
    let mut pool = CompactingPool::new(upstream()).with_chunk_cells(64);
    let handles: Vec<_> = (0..VALUES).map(|n| pool.insert(n).unwrap()).collect();
    let left: Vec<_> = handles.iter().enumerate().filter(|(n, _)| n % 8 == 0).map(|(_, h)| *h).collect();
    for (_, handle) in handles.iter().enumerate().filter(|(n, _)| n % 8 != 0) {
        pool.remove(*handle).unwrap();
    }
    let before = pool.usage();
    assert_eq!((before.chunks, before.live, before.fragmentation()), (CHUNKS, LEFT, 875));
    let (mut moved, mut steps) = (0, 0);
    loop {
        let report = pool.compact(20);
        assert!(report.steps <= 20);
        (moved, steps) = (moved + report.moved, steps + report.steps);
        if report.done {
            break;
        }
    }
    let after = pool.usage();
    assert_eq!((after.chunks, after.live), (LEFT.div_ceil(64), LEFT), "{after:?}");
    // Each value moved at most once, each cell of an emptied chunk was looked at at most once.
    assert!(moved <= LEFT && steps <= CHUNKS * 66, "{moved} {steps}");
    assert!(left.iter().zip(0..).all(|(handle, n)| pool.get(*handle) == Ok(&(n * 8))));
}
