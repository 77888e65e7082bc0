//! System: the kit, misuse. Refusals of the kernel are in `system_faults.rs`.
#![cfg(any(target_os = "linux", windows))]

use core::alloc::Layout;

use proptest::prelude::*;
use stratalloc_resource::conformance::{self, Config, Failure, Report};
use stratalloc_resource::{Alignment, AllocError, Collect, MemoryResource};
use stratalloc_strategies::system::System;

#[cfg(all(any(debug_assertions, feature = "checked"), not(miri)))]
mod child;
mod model;

fn passed(outcome: Result<Report, Failure>) -> Report {
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

fn config() -> Config {
    Config { operations: if cfg!(miri) { 30 } else { 1_000 }, ..Config::default() }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn conforms() {
    passed(conformance::resource(&System, &config()));
    assert_eq!(System.collect(), 0, "nothing was parked");
}

#[test]
fn all_values_are_one() {
    assert!(conformance::pair(&System, &System, &Config { operations: 20, ..config() }).unwrap());
}

#[test]
fn alignments_above_a_page_survive_growth_and_shrinking() {
    let align = Alignment::constant::<{ 1 << 20 }>();
    let mut block = System.allocate(layout(5000, align.bytes())).unwrap();
    // Something right behind it, so that it has to move.
    let page = stratalloc_platform::page::size();
    let behind = block.end_address().next_multiple_of(stratalloc_platform::page::allocation_granularity());
    // SAFETY: a fresh page where there is none; it stays for the rest of the process.
    let behind = unsafe { stratalloc_platform::vm::map_at(behind, page) };
    assert!(behind.is_ok() || behind.is_err_and(|error| error.is_occupied()));
    for size in [100_000, 3 << 20, 4096, 1, 70_000] {
        // SAFETY: live, with its alignment.
        block = unsafe { System.reallocate(block, size, align) }.unwrap();
        assert!(block.len() >= size && block.is_aligned(align));
    }
    // SAFETY: live.
    unsafe { System.deallocate(block, align) };
}

#[test]
fn growth_moves_pages_and_keeps_bytes() {
    let block = System.allocate_zeroed(layout(1 << 20, 1)).unwrap();
    // SAFETY: live.
    unsafe { block.as_ptr().write_bytes(7, block.len()) };
    // SAFETY: live.
    let larger = unsafe { System.reallocate(block, 64 << 20, Alignment::ONE) }.unwrap();
    // SAFETY: live; the first megabyte was written.
    let bytes = unsafe { core::slice::from_raw_parts(larger.as_ptr(), 1 << 20) };
    assert!(bytes.iter().all(|&byte| byte == 7));
    // SAFETY: live.
    unsafe { System.deallocate(larger, Alignment::ONE) };
}

#[test]
fn what_no_address_space_holds_is_refused() {
    let most = isize::MAX.unsigned_abs();
    assert_eq!(System.allocate(layout(most, 1)), Err(AllocError::SizeOverflow));
    // With 32 bits there may be room for half an address space.
    #[cfg(target_pointer_width = "64")]
    for refused in [layout(most & !4095, 4096), layout(1, 1 << 62)] {
        assert_eq!(System.allocate(refused), Err(AllocError::OutOfMemory));
    }
    let block = System.allocate(layout(1, 1)).unwrap();
    // SAFETY: live; refused, so it stays so.
    let refused = unsafe { System.reallocate(block, usize::MAX, Alignment::ONE) };
    assert_eq!(refused, Err(AllocError::SizeOverflow));
    // SAFETY: live.
    unsafe { System.deallocate(block, Alignment::ONE) };
}

#[cfg(all(any(debug_assertions, feature = "checked"), not(miri)))]
mod reports {
    use super::*;

    #[test]
    fn double_release() {
        let said = child::last_words("reports::double_release", || {
            let block = System.allocate(layout(100_000, 1)).unwrap();
            println!("expected: system: the block at {:#x} is released, but not live", block.address());
            for _ in 0..2 {
                // SAFETY: the second is the mistake.
                unsafe { System.deallocate(block, Alignment::ONE) };
            }
        });
        expect(&said);
    }

    #[test]
    fn interior_pointer() {
        let said = child::last_words("reports::interior_pointer", || {
            let block = System.allocate(layout(100_000, 1)).unwrap();
            let (_, inside) = block.split_at(16).unwrap();
            println!("expected: system: the block at {:#x} is released, but no block", inside.address());
            // SAFETY: not given: the mistake.
            unsafe { System.deallocate(inside, Alignment::ONE) };
        });
        expect(&said);
    }

    fn expect(said: &str) {
        let expected = said.split("expected: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        assert!(said.matches(expected).count() == 2, "{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(40),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn matches_the_shadow(ops in model::ops()) {
        model::run(&System, ops, |_| { System.collect(); }, |shadow| {
            let page = stratalloc_platform::page::size();
            prop_assert!(shadow.live.values().all(|live| live.block.len() % page == 0));
            Ok(())
        })?;
    }
}
