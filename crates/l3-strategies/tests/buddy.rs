//! Buddy: the kit, generated configurations against a shadow map, misuse.
//!
//! Not covered: timing (`bench/`), and an overwritten map, which only `validate` can notice.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use proptest::prelude::*;
use stratalloc_resource::conformance::{self, Config, Failure, Report};
use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource, Owns, Validate};
use stratalloc_strategies::buddy::Buddy;

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

/// A megabyte at a multiple of a megabyte.
#[repr(align(1048576))]
struct Aligned([MaybeUninit<u8>; 1 << 20]);

fn aligned() -> Box<Aligned> {
    let fresh = Box::<Aligned>::new_uninit();
    // SAFETY: bytes that may be uninitialised are valid as they come.
    unsafe { fresh.assume_init() }
}

#[test]
fn conforms() {
    let mut bytes = memory((2 << 20) + 12_345);
    let buddy: Buddy<'_> = Buddy::over(&mut bytes).unwrap();
    passed(conformance::local_resource(&buddy, &config()));
    passed(conformance::ownership(&buddy, &config()));
    assert_eq!(buddy.usage().live_blocks, 0);

    let mut bytes = memory(40_000);
    let buddy: Buddy<'_, 12, 16> = Buddy::over(&mut bytes[7..]).unwrap();
    passed(conformance::validated(&buddy, &Config { operations: 100, ..config() }));
    assert_eq!(buddy.usage().live_blocks, 0);
}

#[test]
fn with_the_map_elsewhere_an_aligned_megabyte_is_one_block() {
    let mut bytes = aligned();
    let mut map = vec![MaybeUninit::uninit(); Buddy::<'_, 15, 64>::map_words(1 << 20)];
    let buddy: Buddy<'_, 15, 64> = Buddy::with_map(&mut bytes.0, &mut map).unwrap();
    assert_eq!((buddy.largest_free(), buddy.usage().free_blocks), (1 << 20, 1));
    let block = buddy.allocate(layout(1 << 20, 1 << 20)).unwrap();
    assert_eq!(buddy.allocate(layout(1, 1)), Err(AllocError::CapacityExhausted));
    assert_eq!(buddy.allocate(layout((1 << 20) + 1, 1)), Err(AllocError::Unsupported));
    // SAFETY: live.
    unsafe { buddy.deallocate(block, Alignment::constant::<{ 1 << 20 }>()) };
    passed(conformance::validated(&buddy, &Config { operations: 20, exhaust: 0, ..config() }));
    assert_eq!(buddy.usage().free_blocks, 1, "everything merged again");
    let mut map = vec![MaybeUninit::uninit(); Buddy::<'_, 15, 64>::map_words(1 << 20) - 1];
    let refused = Buddy::<'_, 15, 64>::with_map(&mut bytes.0, &mut map);
    assert_eq!(refused.err(), Some(AllocError::CapacityExhausted));
}

#[test]
fn a_range_larger_than_the_largest_block_has_several() {
    let mut bytes = memory(10_000);
    let buddy: Buddy<'_, 3, 64> = Buddy::over(&mut bytes).unwrap();
    assert_eq!((buddy.info().max_size, buddy.largest_free()), (Some(256), 256));
    assert!(buddy.usage().free_blocks > 30);
    assert_eq!(buddy.allocate(layout(257, 1)), Err(AllocError::Unsupported));
    assert_eq!(buddy.allocate(layout(1, 512)), Err(AllocError::BadAlignment));
    assert_eq!(Buddy::<'_, 3, 64>::new().allocate(layout(0, 512)), Err(AllocError::BadAlignment));
    buddy.validate().unwrap();
}

#[test]
fn every_buffer_is_either_refused_or_serves() {
    let mut bytes = memory(700);
    let step = if cfg!(miri) { 13 } else { 1 };
    for start in (0..70).step_by(step) {
        for len in (0..600).step_by(step) {
            match Buddy::<'_, 6, 32>::over(&mut bytes[start..start + len]) {
                Err(error) => assert!(error == AllocError::CapacityExhausted && len < 140, "{start} {len}"),
                Ok(buddy) => {
                    buddy.validate().unwrap();
                    let usage = buddy.usage();
                    assert_eq!((usage.total, usage.used), (buddy.info().capacity.unwrap(), 0));
                    let block = buddy.allocate(layout(buddy.largest_free(), 1)).unwrap();
                    buddy.validate().unwrap();
                    // SAFETY: live, of this resource.
                    unsafe { buddy.deallocate(block, Alignment::ONE) };
                    buddy.validate().unwrap();
                    assert_eq!(buddy.usage(), usage);
                }
            }
        }
    }
}

#[test]
fn resizing_in_place_keeps_the_address() {
    let mut bytes = aligned();
    let mut map = vec![MaybeUninit::uninit(); Buddy::<'_, 15, 64>::map_words(1 << 20)];
    let buddy: Buddy<'_, 15, 64> = Buddy::with_map(&mut bytes.0, &mut map).unwrap();
    let block = buddy.allocate(layout(100, 8)).unwrap();
    let resize = |block: MemoryBlock, size| {
        // SAFETY: live, of this resource.
        let block = unsafe { buddy.reallocate(block, size, Alignment::constant::<8>()) };
        buddy.validate().unwrap();
        block
    };
    let grown = resize(block, 9000).unwrap();
    assert_eq!((grown.address(), grown.len()), (block.address(), 16_384));
    let shrunk = resize(grown, 60).unwrap();
    assert_eq!((shrunk.address(), shrunk.len(), buddy.usage().used), (block.address(), 64, 64));
    let beside = buddy.allocate(layout(64, 1)).unwrap();
    let moved = resize(shrunk, 65).unwrap();
    assert_ne!(moved.address(), block.address(), "its buddy is live");
    assert_eq!(resize(moved, 2 << 20), Err(AllocError::Unsupported));
    assert_eq!(resize(moved, usize::MAX), Err(AllocError::SizeOverflow));
    for block in [beside, moved] {
        // SAFETY: live.
        unsafe { buddy.deallocate(block, Alignment::constant::<8>()) };
    }
    assert_eq!(buddy.usage().free_blocks, 1);
}

#[test]
fn two_are_not_equal_and_one_stays_itself_when_it_moves() {
    let (mut first, mut second) = (memory(1 << 16), memory(1 << 16));
    let first: Buddy<'_> = Buddy::over(&mut first).unwrap();
    let second: Buddy<'_> = Buddy::over(&mut second).unwrap();
    assert!(!conformance::pair(&first, &second, &config()).unwrap());
    let before = first.identity();
    let moved = Box::new(first);
    assert_eq!(moved.identity(), before);
}

#[test]
fn misuse_is_refused_by_the_checked_release() {
    let (mut bytes, mut others) = (memory(4096), memory(4096));
    let buddy: Buddy<'_> = Buddy::over(&mut bytes).unwrap();
    let other: Buddy<'_> = Buddy::over(&mut others).unwrap();
    let block = buddy.allocate(layout(200, 16)).unwrap();
    let foreign = other.allocate(layout(200, 16)).unwrap();
    let at = |offset: usize, len| {
        MemoryBlock::new(NonNull::new(block.as_ptr().wrapping_add(offset)).unwrap(), len)
    };
    let align = Alignment::constant::<16>();
    let stack = 0_u64;
    let cases = [
        ("another's block", foreign, align),
        ("a pointer to the stack", MemoryBlock::new(NonNull::from(&stack).cast(), 8), Alignment::ONE),
        ("not where blocks begin", at(1, 199), align),
        ("inside the block", at(64, 64), align),
        ("longer than it is", at(0, 257), align),
        ("shorter than it is", at(0, 128), align),
        ("an alignment of another order", at(0, 200), Alignment::constant::<512>()),
    ];
    for (what, wrong, align) in cases {
        // SAFETY: refused.
        assert_eq!(unsafe { buddy.try_deallocate(wrong, align) }, Err(AllocError::NotOwned), "{what}");
        buddy.validate().unwrap();
    }
    // SAFETY: live.
    assert_eq!(unsafe { buddy.try_deallocate(block, align) }, Ok(()));
    // SAFETY: refused.
    assert_eq!(unsafe { buddy.try_deallocate(block, align) }, Err(AllocError::NotOwned), "released twice");
    assert!(!buddy.owns(foreign.as_ptr()));
}

#[test]
fn a_write_after_release_is_seen_by_validate() {
    let mut bytes = memory(4096);
    let buddy: Buddy<'_> = Buddy::over(&mut bytes).unwrap();
    let block = buddy.allocate(layout(64, 1)).unwrap();
    let keeper = buddy.allocate(layout(64, 1)).unwrap();
    let release_and_write = |block: MemoryBlock, merge: bool| {
        let links = block.as_ptr().cast::<[MaybeUninit<u8>; 16]>();
        // SAFETY: live.
        unsafe { buddy.deallocate(block, Alignment::ONE) };
        assert!(!merge || buddy.largest_free() > 64);
        // SAFETY: inside the range.
        let before = unsafe { links.read() };
        // SAFETY: inside the range: the links of a free block, which is the mistake.
        unsafe { links.write([MaybeUninit::new(0x51); 16]) };
        let violation = buddy.validate().unwrap_err();
        // SAFETY: as above, which mends it.
        unsafe { links.write(before) };
        buddy.validate().unwrap();
        violation.invariant()
    };
    assert_eq!(release_and_write(block, true), "BUDDY-LIST");
    assert_eq!(release_and_write(keeper, false), "BUDDY-KEPT");
}

#[test]
fn what_is_kept_is_merged_for_whoever_needs_it() {
    let mut bytes = aligned();
    let mut map = vec![MaybeUninit::uninit(); Buddy::<'_, 15, 64>::map_words(1 << 20)];
    let buddy: Buddy<'_, 15, 64> = Buddy::with_map(&mut bytes.0, &mut map).unwrap();
    let align = Alignment::constant::<8>();
    let release = |block| {
        // SAFETY: live, not used.
        unsafe { buddy.deallocate(block, align) };
        buddy.validate().unwrap();
    };
    // More than are kept, in both halves of everything.
    let blocks: Vec<_> = (0..100).map(|_| buddy.allocate(layout(64, 8)).unwrap()).collect();
    let (first, last) = (blocks[0], blocks[99]);
    for &block in &blocks[1..] {
        release(block);
    }
    assert_eq!(buddy.allocate(layout(64, 8)), Ok(blocks[16]), "the last that was kept, of sixteen");
    release(blocks[16]);
    // SAFETY: refused: it is kept, not live.
    assert_eq!(unsafe { buddy.try_deallocate(blocks[16], align) }, Err(AllocError::NotOwned));
    // SAFETY: live.
    let grown = unsafe { buddy.reallocate(first, 128, align) }.unwrap();
    assert_eq!(grown.address(), first.address(), "its buddy was kept");
    release(grown);
    let whole = buddy.allocate(layout(1 << 20, 8)).unwrap();
    assert!(whole.len() == 1 << 20 && (whole.address()..whole.end_address()).contains(&last.address()));
    release(whole);
    assert_eq!((buddy.largest_free(), buddy.usage().free_blocks), (1 << 20, 1));
}

#[cfg(all(any(debug_assertions, feature = "checked"), not(miri)))]
mod reports {
    use super::*;

    const ALIGN: Alignment = Alignment::constant::<16>();

    /// Commits `misuse` with a live block of 256 bytes in a child. The report must be `what` about it, `offset` further.
    fn reported(test: &str, what: &str, offset: usize, misuse: fn(&Buddy<'_>, MemoryBlock)) {
        let said = child::last_words(&format!("reports::{test}"), || {
            let mut bytes = memory(4096);
            let buddy: Buddy<'_> = Buddy::over(&mut bytes).unwrap();
            let block = buddy.allocate(layout(200, 16)).unwrap();
            println!("expected: buddy: the block at {:#x} ", block.address() + offset);
            misuse(&buddy, block);
        });
        let start = said.split("expected: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        assert!(said.contains(&format!("{start}{what}")), "{said}");
    }

    fn release(buddy: &Buddy<'_>, block: MemoryBlock) {
        // SAFETY: not given, which is what these tests are about: the checked build notices before it does harm.
        unsafe { buddy.deallocate(block, ALIGN) };
    }

    #[test]
    fn double_release() {
        reported("double_release", "is released, but not live", 0, |buddy, block| {
            release(buddy, block);
            release(buddy, block);
        });
    }

    #[test]
    fn foreign_block() {
        reported("foreign_block", "is released here, but came from elsewhere", 0, |_, block| {
            let mut bytes = memory(4096);
            let other: Buddy<'_> = Buddy::over(&mut bytes).unwrap();
            release(&other, block);
        });
    }

    #[test]
    fn interior_pointer() {
        reported("interior_pointer", "is released, but no block starts there", 64, |buddy, block| {
            let (_, inside) = block.split_at(64).unwrap();
            release(buddy, inside);
        });
    }

    #[test]
    fn wrong_length() {
        reported("wrong_length", "is released with a length that it never had", 0, |buddy, block| {
            release(buddy, block.truncated(100).unwrap());
        });
    }
}

fn matches_the_shadow<const ORDERS: usize, const MIN: usize>(
    (offset, len): (usize, usize),
    ops: Vec<model::Op>,
) -> Result<(), TestCaseError> {
    let mut bytes = memory(offset + len);
    let mut buddy: Buddy<'_, ORDERS, MIN> = Buddy::new();
    // A buffer too small for a block leaves a resource without memory, which is a configuration like others.
    let _ = buddy.supply(&mut bytes[offset..]);
    let before = buddy.usage();
    model::run(
        &buddy,
        ops,
        |_| {},
        |shadow| {
            let live: usize = shadow.live.values().map(|live| live.block.len()).sum();
            let usage = buddy.usage();
            prop_assert_eq!((usage.used, usage.used + usage.free), (live, usage.total));
            prop_assert_eq!(usage.largest_free, buddy.largest_free());
            model::sound(&buddy, shadow)
        },
    )?;
    prop_assert_eq!(buddy.usage(), before, "all merged again");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(60),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_configuration_matches_the_shadow(
        range in (0_usize..300, 0_usize..30_000), shape in 0_usize..5, ops in model::ops(),
    ) {
        match shape {
            0 => matches_the_shadow::<26, 64>(range, ops)?,
            1 => matches_the_shadow::<1, 16>(range, ops)?,
            2 => matches_the_shadow::<5, 16>(range, ops)?,
            3 => matches_the_shadow::<4, 1024>(range, ops)?,
            _ => matches_the_shadow::<12, 32>(range, ops)?,
        }
    }
}
