//! What each modifier adds, on small cases, and generated operations against a shadow map.
//!
//! The kit is in `compositions.rs`, what is said of damaged blocks in `damage.rs`.
#![cfg(not(loom))]

use core::alloc::Layout;
use core::cell::Cell;
use core::mem::MaybeUninit;
use std::alloc::System as Global;

use proptest::prelude::*;
use stratalloc_modifiers::{Counted, Fallback, Guarded, Locked, Segregate, Tracked};
use stratalloc_resource::conformance;
use stratalloc_resource::{
    Alignment, AllocError, FromGlobal, MemoryBlock, MemoryResource, OwnedBlock, Owns, Validate,
};
use stratalloc_strategies::buddy::Buddy;
use stratalloc_strategies::tlsf::{GrowingTlsf, Tlsf};

#[path = "../../l3-strategies/tests/model/mod.rs"]
mod model;

const ONE: Alignment = Alignment::ONE;

fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    Box::new_uninit_slice(len).into_vec()
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

fn release<R: MemoryResource>(resource: &R, block: MemoryBlock) {
    // SAFETY: callers pass live blocks of the resource, requested at alignment one.
    unsafe { resource.deallocate(block, ONE) };
}

fn resize<R: MemoryResource>(
    resource: &R,
    block: MemoryBlock,
    size: usize,
) -> Result<MemoryBlock, AllocError> {
    // SAFETY: as for `release`.
    unsafe { resource.reallocate(block, size, ONE) }
}

fn fill(block: MemoryBlock, byte: u8) {
    // SAFETY: callers pass live blocks of theirs.
    unsafe { block.as_ptr().write_bytes(byte, block.len()) };
}

fn is_full_of(block: MemoryBlock, len: usize, byte: u8) -> bool {
    // SAFETY: callers pass live blocks whose first `len` bytes were written.
    let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), len) };
    bytes.iter().all(|&found| found == byte)
}

#[test]
fn a_block_moves_to_the_fallback_when_its_resource_is_full_and_back() {
    let (mut first, mut second) = (memory(2000), memory(8000));
    let both = Fallback::new(
        Tlsf::<'_, 24, 32>::over(&mut first).unwrap(),
        Tlsf::<'_, 24, 32>::over(&mut second).unwrap(),
    );
    let block = both.allocate(layout(1000)).unwrap();
    fill(block, 7);
    let moved = resize(&both, block, 4000).unwrap();
    assert!(both.second().owns(moved.as_ptr()) && is_full_of(moved, 1000, 7));
    assert_eq!(both.first().usage().used, 0);
    // The second is full: what it cannot grow goes to the first, if that has room.
    let rest = both.second().allocate(layout(3500)).unwrap();
    let small = both.first().allocate(layout(100)).unwrap();
    assert_eq!(resize(&both, moved, 7000), Err(AllocError::CapacityExhausted));
    assert!(is_full_of(moved, 1000, 7), "a refusal leaves the block alone");
    for block in [moved, rest, small] {
        release(&both, block);
    }
    assert_eq!((both.first().usage().used, both.second().usage().used), (0, 0));
}

#[test]
fn the_error_of_a_fallback_tells_whether_waiting_may_help() {
    let mut bytes = memory(2000);
    let full = Tlsf::<'_, 24, 32>::new();
    let never = Buddy::<'_, 2, 64>::over(&mut bytes).unwrap();
    assert_eq!(Fallback::new(&full, &never).allocate(layout(500)), Err(AllocError::CapacityExhausted));
    assert_eq!(Fallback::new(&never, &full).allocate(layout(500)), Err(AllocError::CapacityExhausted));
    assert_eq!(Fallback::new(&never, &never).allocate(layout(500)), Err(AllocError::Unsupported));
}

#[test]
fn segregate_hides_what_the_small_side_rounds_up_beyond_the_border() {
    let (mut first, mut second) = (memory(4000), memory(4000));
    let split: Segregate<100, _, _> = Segregate::new(
        Buddy::<'_, 26, 64>::over(&mut first).unwrap(),
        Tlsf::<'_, 24, 32>::over(&mut second).unwrap(),
    );
    let (small, large) = (split.allocate(layout(70)).unwrap(), split.allocate(layout(101)).unwrap());
    assert_eq!(small.len(), 100, "128 bytes, of which 100 are told");
    assert!(split.small().owns(small.as_ptr()) && split.large().owns(large.as_ptr()));
    fill(small, 3);
    let larger = resize(&split, small, 200).unwrap();
    assert!(split.large().owns(larger.as_ptr()) && is_full_of(larger, 100, 3));
    let back = resize(&split, larger, 0).unwrap();
    assert!(split.small().owns(back.as_ptr()));
    release(&split, back);
    release(&split, large.truncated(101).unwrap());
    assert_eq!((split.small().usage().used, split.large().usage().used), (0, 0));
}

#[test]
fn a_block_that_cannot_cross_the_border_stays() {
    let (mut first, mut second) = (memory(300), memory(4000));
    let split: Segregate<100, _, _> = Segregate::new(
        Buddy::<'_, 26, 64>::over(&mut first).unwrap(),
        Tlsf::<'_, 24, 32>::over(&mut second).unwrap(),
    );
    let block = split.allocate(layout(150)).unwrap();
    fill(block, 9);
    let mut taken = Vec::new();
    while let Ok(small) = split.allocate(layout(64)) {
        taken.push(small);
    }
    assert_eq!(resize(&split, block, 50), Err(AllocError::CapacityExhausted));
    assert!(is_full_of(block, 150, 9));
    release(&split, taken.pop().unwrap());
    let shrunk = resize(&split, block, 50).unwrap();
    assert!(is_full_of(shrunk, 50, 9));
}

#[test]
fn counts_reconcile_and_name_the_causes() {
    let mut bytes = memory(4000);
    let counted = Counted::new(Tlsf::<'_, 8, 8>::over(&mut bytes).unwrap());
    let (a, b) = (counted.allocate(layout(100)).unwrap(), counted.allocate_zeroed(layout(7)).unwrap());
    assert_eq!((a.len(), b.len()), (100, 7), "exactly as requested");
    let a = resize(&counted, a, 300).unwrap();
    let a = resize(&counted, a, 20).unwrap();
    assert!(counted.allocate(layout(100_000)).is_err());
    assert!(counted.allocate(layout(3990)).is_err());
    assert!(resize(&counted, a, usize::MAX).is_err());
    let counts = counted.counts();
    assert_eq!((counts.allocations, counts.releases, counts.resizes, counts.refusals()), (2, 0, 2, 3));
    assert_eq!((counts.live_bytes, counts.peak_bytes, counts.requested_bytes), (27, 307, 307));
    assert_eq!(counts.refused(AllocError::Unsupported), 1);
    assert_eq!(counts.refused(AllocError::CapacityExhausted), 1);
    assert_eq!(counts.refused(AllocError::SizeOverflow), 1);
    release(&counted, a);
    release(&counted, b);
    assert_eq!((counted.counts().live_blocks(), counted.counts().live_bytes), (0, 0));
    counted.validate().unwrap();
}

#[test]
fn counts_of_many_threads_reconcile() {
    let counted = Counted::new(FromGlobal::new(&Global));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let counted = &counted;
            scope.spawn(move || {
                for size in 0..1000 {
                    drop(OwnedBlock::new(counted, layout(size + thread)).unwrap());
                }
            });
        }
    });
    let counts = counted.counts();
    assert_eq!((counts.allocations, counts.releases, counts.live_bytes), (4000, 4000, 0));
    assert_eq!(counts.requested_bytes, (0..4).map(|thread| 499_500 + 1000 * thread).sum::<usize>());
    assert!(counts.peak_bytes >= 1002 && counts.peak_bytes <= 4 * 1002, "{counts:?}");
}

#[test]
fn one_thread_at_a_time_is_inside_a_lock() {
    let shared = Locked::new(Cell::new(0_u64));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    // Lost if another thread were between the two.
                    shared.with(|cell| cell.set(cell.get() + 1));
                }
            });
        }
    });
    assert_eq!(shared.into_inner().get(), 80_000);
}

#[test]
fn a_panic_inside_gives_the_lock_back() {
    let shared = Locked::new(Cell::new(1));
    let outcome = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
        shared.with(|_| std::panic::resume_unwind(Box::new(())));
    }));
    assert!(outcome.is_err());
    assert_eq!(shared.with(Cell::get), 1);
}

#[test]
fn guarded_bytes_are_filled_on_both_ways() {
    let mut bytes = memory(4000);
    let guarded = Guarded::new(Buddy::<'_, 26, 64>::over(&mut bytes).unwrap());
    let block = guarded.allocate(layout(200)).unwrap();
    assert!(block.len() == 200 && is_full_of(block, 200, 0xCD));
    let zeroed = guarded.allocate_zeroed(layout(50)).unwrap();
    assert!(is_full_of(zeroed, 50, 0));
    release(&guarded, block);
    // Released, but still in the buffer; the links of the free block lie where the canaries were.
    assert!(is_full_of(block, 200, 0xDD));
    release(&guarded, zeroed);
}

#[test]
fn what_is_within_the_limits_is_served_padding_included() {
    fn largest<R: MemoryResource>(resource: &R) {
        let info = resource.info();
        let (size, align) = (info.max_size.unwrap(), info.max_align.unwrap());
        let layout = Layout::from_size_align(size, align.bytes()).unwrap();
        let block =
            resource.allocate(layout).unwrap_or_else(|error| panic!("{}: {layout:?}: {error}", info.name));
        // SAFETY: live.
        unsafe { resource.deallocate(block, align) };
        assert!(size >= 1000, "{}: of 8192 bytes, {size} are left", info.name);
    }
    let mut bytes = memory(100_000);
    let buddy = Buddy::<'_, 8, 64>::over(&mut bytes).unwrap();
    largest(&Guarded::new(&buddy));
    largest(&Tracked::new(&buddy));
    largest(&Guarded::new(Tracked::new(&buddy)));
}

#[test]
fn tracked_blocks_are_listed_with_their_lines() {
    let tracked = Tracked::new(FromGlobal::new(&Global));
    let line = line!() + 1;
    let (a, b) = (tracked.here().allocate(layout(10)).unwrap(), tracked.allocate(layout(20)).unwrap());
    let b = resize(&tracked.here(), b, 30).unwrap();
    let a = resize(&tracked, a, 11).unwrap();
    let mut seen = Vec::new();
    tracked.for_each(|live| seen.push((live.serial, live.size, live.location.map(|at| at.line()))));
    assert_eq!(
        seen,
        [(4, 11, Some(line)), (3, 30, Some(line + 1))],
        "youngest first, a moved block keeps its line"
    );
    assert_eq!(tracked.live(), (2, 41));
    release(&tracked, b);
    tracked.validate_list().unwrap();
    release(&tracked, a);
    assert_eq!(tracked.live(), (0, 0));
}

#[test]
fn a_damaged_record_is_seen_by_validate() {
    let mut bytes = memory(4000);
    let tracked = Tracked::new(Tlsf::<'_, 24, 32>::over(&mut bytes).unwrap());
    let _older = tracked.allocate(layout(10)).unwrap();
    let block = tracked.allocate(layout(10)).unwrap();
    tracked.validate().unwrap();
    // SAFETY: the record before the block, which is the mistake; in the pool.
    let before = unsafe { block.as_ptr().sub(6 * size_of::<usize>()) };
    // SAFETY: as above; all but the links.
    unsafe { before.write_bytes(0x5A, 6 * size_of::<usize>()) };
    assert_eq!(tracked.validate().unwrap_err().invariant(), "TRACK-LINK");
}

/// What `model::sound` asks for, where no `Owns` is to be had.
fn valid<R: Validate>(resource: &R) -> Result<(), TestCaseError> {
    resource.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(50),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_fallback_of_a_segregate_matches_the_shadow(
        lens in (0_usize..20_000, 0_usize..20_000), border in 0_usize..3, ops in model::ops(),
    ) {
        match border {
            0 => composed::<0>(lens, ops)?,
            1 => composed::<100>(lens, ops)?,
            _ => composed::<4096>(lens, ops)?,
        }
    }

    #[test]
    fn guarded_tracked_counted_match_the_shadow(len in 0_usize..60_000, ops in model::ops()) {
        let mut bytes = memory(len);
        let mut buddy: Buddy<'_, 26, 64> = Buddy::new();
        let _ = buddy.supply(&mut bytes);
        let whole = Guarded::new(Tracked::new(Counted::new(buddy)));
        model::run(&whole, ops, |_| {}, |shadow| {
            let live: usize = shadow.live.values().map(|live| live.block.len() + 6 * size_of::<usize>()).sum();
            let tracked = whole.inner();
            let (blocks, bytes) = tracked.live();
            // Alignments above four words lengthen the front.
            prop_assert!(blocks == shadow.live.len() && bytes >= live);
            prop_assert_eq!(tracked.inner().counts().live_blocks(), blocks);
            for live in shadow.live.values() {
                // SAFETY: live.
                prop_assert_eq!(unsafe { whole.check(live.block) }, Ok(()));
            }
            valid(&whole)
        })?;
        prop_assert_eq!(whole.inner().inner().counts().live_bytes, 0);
    }
}

fn composed<const N: usize>(
    (small, large): (usize, usize),
    ops: Vec<model::Op>,
) -> Result<(), TestCaseError> {
    let (mut small, mut large) = (memory(small), memory(large));
    let (mut buddy, tlsf) = (Buddy::<'_, 26, 64>::new(), Tlsf::<'_, 24, 32>::new());
    // Too small for a block is a configuration like others.
    let _ = (buddy.supply(&mut small), tlsf.add_pool(&mut large));
    let growing: GrowingTlsf<_, 24, 32> = GrowingTlsf::new(FromGlobal::new(&Global), 4096).unwrap();
    let whole = Fallback::new(Segregate::<N, _, _>::new(buddy, tlsf), growing);
    model::run(&whole, ops, |_| {}, |shadow| model::sound(&whole, shadow))?;
    let split = whole.first();
    prop_assert_eq!((split.small().usage().used, split.large().usage().used), (0, 0));
    prop_assert_eq!(whole.second().usage().used, 0);
    Ok(())
}
