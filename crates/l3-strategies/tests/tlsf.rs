//! TLSF: the kit, generated configurations against a shadow map, misuse, growth.
//!
//! Not covered: timing (`bench/`), and corruption of headers by their users, which only `validate` can notice.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use std::alloc::System;

use proptest::prelude::*;
use stratalloc_resource::conformance::{self, Config, Failure, Report};
use stratalloc_resource::{
    Alignment, AllocError, Collect, FromGlobal, MemoryBlock, MemoryResource, Owns, Validate,
};
use stratalloc_strategies::tlsf::{COLUMNS, GrowingTlsf, ROWS, Tlsf};

#[cfg(all(any(debug_assertions, feature = "checked"), not(miri)))]
mod child;
mod model;

fn passed(outcome: Result<Report, Failure>) -> Report {
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

fn config() -> Config {
    Config { operations: if cfg!(miri) { 60 } else { 1_500 }, ..Config::default() }
}

fn memory(len: usize) -> Vec<MaybeUninit<u8>> {
    Box::new_uninit_slice(len).into_vec()
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn conforms_over_one_buffer_and_over_several() {
    let mut one = memory(2 << 20);
    let heap: Tlsf<'_> = Tlsf::over(&mut one).unwrap();
    passed(conformance::local_resource(&heap, &config()));
    passed(conformance::ownership(&heap, &config()));
    assert_eq!((heap.usage().live_blocks, heap.usage().free_blocks), (0, 1));

    let mut parts: Vec<_> = (0..3).map(|index| memory((256 << 10) + 8 * index + 1)).collect();
    let heap: Tlsf<'_, 14, 16> = Tlsf::new();
    for part in &mut parts {
        heap.add_pool(part).unwrap();
    }
    passed(conformance::validated(&heap, &Config { operations: 200, ..config() }));
    assert_eq!((heap.usage().live_blocks, heap.usage().free_blocks), (0, 3));
}

#[test]
fn conforms_over_an_upstream_and_gives_everything_back() {
    let mut whole = memory(4 << 20);
    let upstream: Tlsf<'_> = Tlsf::over(&mut whole).unwrap();
    {
        let heap: GrowingTlsf<_> = GrowingTlsf::new(&upstream, 64 << 10).unwrap();
        passed(conformance::local_resource(&heap, &config()));
        passed(conformance::ownership(&heap, &config()));
        heap.collect();
        assert_eq!(heap.collect(), 0, "a second call finds nothing");
        assert_eq!(upstream.usage().live_blocks, 1, "the first chunk stays");
    }
    assert_eq!(upstream.usage().live_blocks, 0);

    let heap: GrowingTlsf<_, 20, 8> = GrowingTlsf::new(FromGlobal::new(&System), 32 << 10).unwrap();
    passed(conformance::validated(&heap, &Config { operations: 300, ..config() }));
}

#[test]
fn a_growing_heap_without_live_blocks_is_where_it_began() {
    let mut whole = memory(1 << 20);
    let upstream: Tlsf<'_> = Tlsf::over(&mut whole).unwrap();
    let heap: GrowingTlsf<_, 16, 16> = GrowingTlsf::new(&upstream, 10_000).unwrap();
    let (usage, blocks) =
        (upstream.usage(), [20_000, 3, 50_000].map(|size| heap.allocate(layout(size, 1)).unwrap()));
    for (released, block) in blocks.into_iter().enumerate() {
        assert_eq!(upstream.usage().live_blocks, 3, "chunks stay after {released} of three releases");
        // SAFETY: live.
        unsafe { heap.deallocate(block, Alignment::ONE) };
    }
    assert_eq!(upstream.usage(), usage);
}

#[test]
fn two_are_not_equal_and_one_stays_itself_when_it_moves() {
    let (mut first, mut second) = (memory(1 << 16), memory(1 << 16));
    let first: Tlsf<'_> = Tlsf::over(&mut first).unwrap();
    let second: Tlsf<'_> = Tlsf::over(&mut second).unwrap();
    assert!(!conformance::pair(&first, &second, &config()).unwrap());
    let before = first.identity();
    let moved = Box::new(first);
    assert_eq!(moved.identity(), before);
}

#[test]
fn every_buffer_is_either_refused_or_serves() {
    let mut bytes = memory(400);
    for start in 0..40 {
        for len in 0..300 {
            let part = &mut bytes[start..start + len];
            match Tlsf::<'_, 4, 4>::over(part) {
                Err(error) => assert!(error == AllocError::CapacityExhausted && len < 160, "{start} {len}"),
                Ok(heap) => {
                    let most = heap.info().capacity.unwrap();
                    let block = heap.allocate(layout(most, 1)).unwrap();
                    assert!(heap.allocate(layout(1, 1)).is_err());
                    heap.validate().unwrap();
                    // SAFETY: live, of this heap.
                    unsafe { heap.deallocate(block, Alignment::ONE) };
                    heap.validate().unwrap();
                }
            }
        }
    }
}

#[test]
fn a_pool_larger_than_the_largest_block_becomes_several() {
    // Four rows of four bins: blocks below 16 · 4 · 8 = 512 bytes on 64-bit machines.
    let mut bytes = memory(4096);
    let heap: Tlsf<'_, 4, 4> = Tlsf::over(&mut bytes).unwrap();
    assert!(heap.usage().free_blocks > 6);
    assert_eq!(heap.allocate(layout(512, 1)), Err(AllocError::Unsupported));
    assert_eq!(heap.allocate(layout(1, 1024)), Err(AllocError::BadAlignment));
    let largest = heap.info().max_size.unwrap();
    assert!(heap.allocate(layout(largest, 1)).is_ok());
}

#[test]
fn growing_in_place_keeps_the_address() {
    let mut bytes = memory(1 << 14);
    let heap: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let block = heap.allocate(layout(100, 8)).unwrap();
    // SAFETY: live, of this heap; likewise below.
    let grown = unsafe { heap.reallocate(block, 5000, Alignment::constant::<8>()) }.unwrap();
    assert_eq!(grown.address(), block.address());
    // SAFETY: as above.
    let shrunk = unsafe { heap.reallocate(grown, 10, Alignment::constant::<8>()) }.unwrap();
    assert_eq!((shrunk.address(), heap.usage().free_blocks), (block.address(), 1));
    let behind = heap.allocate(layout(10, 8)).unwrap();
    // SAFETY: as above.
    let moved = unsafe { heap.reallocate(shrunk, 500, Alignment::constant::<8>()) }.unwrap();
    assert_ne!(moved.address(), shrunk.address());
    for block in [moved, behind] {
        // SAFETY: as above.
        unsafe { heap.deallocate(block, Alignment::constant::<8>()) };
    }
    assert_eq!(heap.usage().used, 0);
}

#[test]
fn misuse_is_refused_by_the_checked_release() {
    let (mut bytes, mut others) = (memory(4096), memory(4096));
    let heap: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let other: Tlsf<'_> = Tlsf::over(&mut others).unwrap();
    let block = heap.allocate(layout(100, 16)).unwrap();
    let foreign = other.allocate(layout(100, 16)).unwrap();
    let at = |offset: usize, len| {
        MemoryBlock::new(NonNull::new(block.as_ptr().wrapping_add(offset)).unwrap(), len)
    };
    let align = Alignment::constant::<16>();
    let stack = 0_u64;
    let cases = [
        ("another's block", foreign, align),
        ("a pointer to the stack", MemoryBlock::new(NonNull::from(&stack).cast(), 8), Alignment::ONE),
        ("not where payloads begin", at(1, 10), Alignment::ONE),
        ("inside a block", at(16, 10), align),
        ("longer than it is", at(0, block.len() + 1), align),
        ("much shorter than it is", at(0, 1), align),
        ("an alignment it does not have", at(0, 100), Alignment::constant::<{ 1 << 20 }>()),
    ];
    for (what, wrong, align) in cases {
        // SAFETY: refused.
        assert_eq!(unsafe { heap.try_deallocate(wrong, align) }, Err(AllocError::NotOwned), "{what}");
        heap.validate().unwrap();
    }
    // SAFETY: live.
    assert_eq!(unsafe { heap.try_deallocate(block, align) }, Ok(()));
    // SAFETY: refused.
    assert_eq!(unsafe { heap.try_deallocate(block, align) }, Err(AllocError::NotOwned), "released twice");
    assert!(!heap.owns(foreign.as_ptr()));
}

#[cfg(all(any(debug_assertions, feature = "checked"), not(miri)))]
mod reports {
    use super::*;

    const ALIGN: Alignment = Alignment::constant::<8>();
    /// From one block of 100 bytes to the next: a header, and rounding to two words.
    const STEP: usize = (100 + 3 * size_of::<usize>() - 1) & !(2 * size_of::<usize>() - 1);

    /// Commits `misuse` with two live blocks, neighbours, in a child. The report must be `what` about the first of them, `offset` further.
    fn reported(test: &str, what: &str, offset: usize, misuse: fn(&Tlsf<'_>, MemoryBlock, MemoryBlock)) {
        let said = child::last_words(&format!("reports::{test}"), || {
            let mut bytes = memory(4096);
            let heap: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
            let block = || heap.allocate(layout(100, 8)).unwrap();
            let (first, second) = (block(), block());
            println!("expected: tlsf: the block at {:#x} ", first.address() + offset);
            misuse(&heap, first, second);
        });
        let start = said.split("expected: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        assert!(said.contains(&format!("{start}{what}")), "{said}");
    }

    fn release(heap: &Tlsf<'_>, block: MemoryBlock, align: Alignment) {
        // SAFETY: not given, which is what these tests are about: the checked build notices before it does harm.
        unsafe { heap.deallocate(block, align) };
    }

    #[test]
    fn double_release() {
        reported("double_release", "is released, but not live", 0, |heap, first, _| {
            release(heap, first, ALIGN);
            release(heap, first, ALIGN);
        });
    }

    #[test]
    fn double_release_after_merging() {
        reported("double_release_after_merging", "is released, but not live", STEP, |heap, first, second| {
            release(heap, first, ALIGN);
            release(heap, second, ALIGN);
            release(heap, second, ALIGN);
        });
    }

    #[test]
    fn foreign_block() {
        reported("foreign_block", "is released here, but came from elsewhere", 0, |_, first, _| {
            let mut bytes = memory(4096);
            let other: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
            release(&other, first, ALIGN);
        });
    }

    #[test]
    fn interior_pointer() {
        reported("interior_pointer", "is released, but no block starts there", 32, |heap, first, _| {
            // SAFETY: inside the block.
            unsafe { first.as_ptr().write_bytes(0, first.len()) };
            // SAFETY: as above.
            let inside = unsafe { first.as_non_null().add(32) };
            release(heap, MemoryBlock::new(inside, 8), ALIGN);
        });
    }

    #[test]
    fn interior_pointer_behind_what_looks_like_a_header() {
        let test = "interior_pointer_behind_what_looks_like_a_header";
        reported(test, "is released, but no block starts there", 16, |heap, first, _| {
            // Everywhere 32 bytes, used, behind a free block: as the header it is in order, as the next one it is not.
            for word in 0..first.len() / size_of::<usize>() {
                // SAFETY: inside the block.
                let place = unsafe { first.as_ptr().cast::<usize>().add(word) };
                // SAFETY: as above; payloads are aligned to words.
                unsafe { place.write(32 | 2) };
            }
            let (_, inside) = first.split_at(16).unwrap();
            release(heap, inside.truncated(24).unwrap(), Alignment::ONE);
        });
    }

    #[test]
    fn too_long() {
        reported("too_long", "is released with a length that it never had", 0, |heap, first, _| {
            release(heap, MemoryBlock::new(first.as_non_null(), first.len() + 1), ALIGN);
        });
    }

    #[test]
    fn too_short() {
        reported("too_short", "is released with a length that it never had", 0, |heap, first, _| {
            release(heap, first.truncated(50).unwrap(), ALIGN);
        });
    }

    #[test]
    fn write_behind_the_end() {
        reported("write_behind_the_end", "was written to after its last byte", 0, |heap, first, second| {
            // SAFETY: still in the pool: the header of the block behind, which is the mistake.
            let header = unsafe { first.as_ptr().add(first.len()) };
            // SAFETY: as above.
            unsafe { header.write_bytes(0x5A, 8) };
            release(heap, second, ALIGN);
        });
    }
}

#[test]
fn a_write_behind_a_block_is_seen_by_validate() {
    let mut bytes = memory(4096);
    let heap: Tlsf<'_> = Tlsf::over(&mut bytes).unwrap();
    let block = heap.allocate(layout(64, 1)).unwrap();
    let behind = heap.allocate(layout(64, 1)).unwrap();
    // SAFETY: inside the pool: the header of the block behind, which is the mistake.
    let header = unsafe { block.as_ptr().add(block.len()) };
    // SAFETY: as above.
    unsafe { header.write_bytes(0x51, 8) };
    let violation = heap.validate().unwrap_err();
    assert!(violation.invariant().starts_with("TLSF-"), "{violation}");
    assert_ne!(behind.address(), block.address());
}

fn fixed<const FLI: usize, const SLI: usize>(
    offset: usize,
    len: usize,
    ops: Vec<model::Op>,
) -> Result<(), TestCaseError> {
    let mut bytes = memory(offset + len);
    let sizes = ops.iter().filter_map(|op| if let model::Op::Other(size) = op { Some(*size) } else { None });
    let mut more: Vec<_> = sizes.map(memory).collect();
    let mut more = more.iter_mut();
    let heap: Tlsf<'_, FLI, SLI> = Tlsf::new();
    // A buffer too small for a block leaves a heap without memory, which is a configuration like others.
    let _ = heap.add_pool(&mut bytes[offset..]);
    let add_pool = |_| {
        let _ = more.next().map(|pool| heap.add_pool(pool));
    };
    model::run(&heap, ops, add_pool, |shadow| model::sound(&heap, shadow))?;
    let usage = heap.usage();
    prop_assert_eq!((usage.used, usage.live_blocks, usage.free), (0, 0, usage.total));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conformance::cases(60), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_configuration_matches_the_shadow(
        offset in 0_usize..40, len in 0_usize..30_000, shape in 0_usize..6, ops in model::ops(),
    ) {
        match shape {
            0 => fixed::<ROWS, COLUMNS>(offset, len, ops)?,
            1 => fixed::<1, 2>(offset, len, ops)?,
            5 => fixed::<24, 32>(offset, len, ops)?,
            2 => fixed::<3, 4>(offset, len, ops)?,
            3 => fixed::<8, 8>(offset, len, ops)?,
            _ => fixed::<12, 16>(offset, len, ops)?,
        }
    }

    #[test]
    fn growing_matches_the_shadow_and_returns_all(chunk in 100_usize..20_000, len in 0_usize..200_000, ops in model::ops()) {
        let mut bytes = memory(len);
        let upstream: Tlsf<'_> = Tlsf::new();
        let _ = upstream.add_pool(&mut bytes);
        if let Ok(heap) = GrowingTlsf::<_, 16, 16>::new(&upstream, chunk) {
            model::run(&heap, ops, |_| { heap.collect(); }, |shadow| model::sound(&heap, shadow))?;
        }
        prop_assert_eq!(upstream.usage().live_blocks, 0);
    }
}
