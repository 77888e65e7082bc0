//! Partitions: the kit, isolation, pages that go back, guards, misuse. Refusals of the kernel are in `partition_faults.rs`.
//!
//! Not covered: that the kernel gives a range whose addresses were kept to nobody; it does not by its own contract.
#![cfg(any(target_os = "linux", windows))]

extern crate alloc;

use alloc::collections::BTreeSet;
use core::alloc::Layout;

use proptest::prelude::*;
use stratalloc_platform::{page, vm};
use stratalloc_resource::conformance::{self, Config, Failure, Report};
use stratalloc_resource::{Alignment, AllocError, Collect, MemoryResource, Owns, Validate};
use stratalloc_strategies::partition::{Partition, PartitionConfig, PartitionRange};
use stratalloc_strategies::slab::SlabConfig;

#[cfg(not(miri))]
mod child;
mod model;

fn passed(outcome: Result<Report, Failure>) -> Report {
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

fn config() -> Config {
    Config { operations: if cfg!(miri) { 40 } else { 1_000 }, ..Config::default() }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn ranges_conform() {
    let range = PartitionRange::new(PartitionConfig::new(4 << 20).with_guards(1)).unwrap();
    passed(conformance::validated(&range, &config()));
    passed(conformance::ownership(&range, &config()));
    assert_eq!(range.committed(), 0);
}

#[test]
fn partitions_for_any_size_conform() {
    let partition = Partition::general(PartitionConfig::new(8 << 20)).unwrap();
    passed(conformance::local_resource(&partition, &config()));
    passed(conformance::ownership(&partition, &config()));
    let partition = Partition::general(PartitionConfig::new(1 << 20).with_guards(3)).unwrap();
    passed(conformance::validated(&partition, &Config { operations: 200, ..config() }));
}

#[test]
fn partitions_for_one_size_conform() {
    let blocks = SlabConfig::new(96, Alignment::constant::<32>());
    let partition = Partition::of_blocks(PartitionConfig::new(1 << 20), blocks).unwrap();
    passed(conformance::local_resource(&partition, &config()));
    passed(conformance::ownership(&partition, &config()));
    partition.validate().unwrap();
}

#[test]
fn what_one_freed_no_other_gets() {
    let config = PartitionConfig::new(1 << 20).with_guards(1);
    let (one, other) = (Partition::general(config).unwrap(), Partition::general(config).unwrap());
    let mut freed = BTreeSet::new();
    for size in (1..5000).step_by(37) {
        let block = one.allocate(layout(size, 1)).unwrap();
        freed.extend(block.address()..block.end_address());
        // SAFETY: live.
        unsafe { one.deallocate(block, Alignment::ONE) };
    }
    one.collect();
    while let Ok(block) = other.allocate(layout(999, 1)) {
        assert!(freed.range(block.address()..block.end_address()).next().is_none());
        assert!(other.owns(block.as_ptr()) && !one.owns(block.as_ptr()));
    }
}

#[test]
fn pages_go_back_and_addresses_stay() {
    let partition = Partition::general(PartitionConfig::new(4 << 20)).unwrap();
    let start = partition.allocate(layout(8, 1)).unwrap();
    let large = partition.allocate(layout(1 << 20, 4096)).unwrap();
    // SAFETY: live.
    unsafe { large.as_ptr().write_bytes(1, large.len()) };
    let resident = || {
        // SAFETY: reserved by the partition; only asked about.
        unsafe { vm::resident(large.as_non_null(), 1 << 20) }
    };
    assert_eq!(resident(), Ok(1 << 20));
    let address = large.address();
    // SAFETY: live.
    unsafe { partition.deallocate(large, Alignment::constant::<4096>()) };
    assert!(partition.collect() >= 1 << 20);
    assert_eq!(partition.inner().upstream().committed(), 64 << 10);
    assert!(cfg!(miri) || resident() == Ok(0), "still mapped, nothing behind it");
    let again = partition.allocate(layout(1 << 20, 4096)).unwrap();
    assert_eq!(again.address(), address, "the addresses are still the partition's");
    let _ = start;
}

#[test]
fn a_released_page_reads_as_zero_again() {
    let range = PartitionRange::new(PartitionConfig::new(1 << 20)).unwrap();
    let block = range.allocate(layout(10_000, 1)).unwrap();
    // SAFETY: live.
    unsafe { block.as_ptr().write_bytes(9, block.len()) };
    // SAFETY: live; a length between request and block.
    unsafe { range.deallocate(block.truncated(10_000).unwrap(), Alignment::ONE) };
    let again = range.allocate_zeroed(layout(10_000, 1)).unwrap();
    assert_eq!(again.address(), block.address());
    // SAFETY: live, and the kernel or the resource wrote it.
    let bytes = unsafe { core::slice::from_raw_parts(again.as_ptr(), again.len()) };
    assert!(bytes.iter().all(|&byte| byte == 0));
}

#[test]
#[cfg_attr(miri, ignore = "Miri's pages are blocks of the system allocator")]
fn kept_addresses_stay_reserved_and_others_go() {
    let size = 1 << 20;
    for keep in [false, true] {
        let config = PartitionConfig::new(size);
        let config = if keep { config.keeping_addresses() } else { config };
        let range = PartitionRange::new(config).unwrap();
        let pages = range.pages();
        let block = range.allocate(layout(size, 1)).unwrap();
        // SAFETY: live.
        unsafe { block.as_ptr().write_bytes(1, size) };
        drop(range);
        // SAFETY: nothing is touched: `map_at` refuses what is mapped.
        let mapped = unsafe { vm::map_at(pages.address(), size) };
        if keep {
            assert!(mapped.is_err_and(|error| error.is_occupied()));
            // SAFETY: only asked about.
            assert_eq!(unsafe { vm::resident(pages.as_non_null(), size) }, Ok(0));
        } else if let Ok(start) = mapped {
            // SAFETY: mapped just now.
            unsafe { vm::release(start, size) }.unwrap();
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let range = PartitionRange::new(PartitionConfig::new(1 << 16)).unwrap();
    assert_eq!(range.allocate(layout((1 << 16) + 1, 1)), Err(AllocError::CapacityExhausted));
    let whole = range.allocate(layout(1 << 16, 1)).unwrap();
    assert_eq!(range.allocate(layout(0, 1)), Err(AllocError::CapacityExhausted));
    // SAFETY: live.
    unsafe { range.deallocate(whole, Alignment::ONE) };
    assert_eq!(range.allocate(layout(0, 1)).unwrap().len(), page::size());
    for bytes in [usize::MAX, isize::MAX.unsigned_abs()] {
        assert!(PartitionRange::new(PartitionConfig::new(bytes)).is_err());
        let guards = PartitionConfig::new(1).with_guards(bytes);
        assert_eq!(PartitionRange::new(guards).err(), Some(AllocError::SizeOverflow));
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri's pages are blocks of the system allocator")]
fn guards_are_reserved_on_both_sides_and_cannot_be_read() {
    let size = page::size();
    let range = PartitionRange::new(PartitionConfig::new(size).with_guards(2)).unwrap();
    let block = range.allocate(layout(size, 1)).unwrap();
    for offset in [-2, -1, 1, 2] {
        let guard = block.as_ptr().wrapping_offset(offset * size.cast_signed());
        // SAFETY: only asked about.
        let mapped = unsafe { vm::resident(core::ptr::NonNull::new(guard).unwrap(), size) };
        assert_eq!(mapped, Ok(0), "reserved: {offset}");
        assert_eq!(stratalloc_platform::probe::word_at(guard.addr()), None, "no access: {offset}");
    }
}

#[cfg(not(miri))]
mod deadly {
    use super::*;

    /// Where a write goes that leaves a partition of one page: `offset` from its first byte.
    fn writes(test: &str, offset: isize) {
        let said = child::last_words(&format!("deadly::{test}"), || {
            let range = PartitionRange::new(PartitionConfig::new(1).with_guards(1)).unwrap();
            let block = range.allocate(layout(1, 1)).unwrap();
            println!("about to leave");
            // SAFETY: not given: the mistake.
            unsafe { block.as_ptr().wrapping_offset(offset).write_volatile(1) };
            println!("left");
        });
        assert!(said.contains("about to leave") && !said.contains("left\n"), "{said}");
    }

    #[test]
    fn behind_the_end() {
        writes("behind_the_end", page::size().cast_signed());
    }

    #[test]
    fn before_the_start() {
        writes("before_the_start", -1);
    }

    #[test]
    fn after_the_release() {
        let said = child::last_words("deadly::after_the_release", || {
            let range = PartitionRange::new(PartitionConfig::new(1)).unwrap();
            let block = range.allocate(layout(1, 1)).unwrap();
            // SAFETY: live.
            unsafe { range.deallocate(block, Alignment::ONE) };
            println!("about to write");
            // SAFETY: not given: the mistake.
            unsafe { block.as_ptr().write_volatile(1) };
            println!("written");
        });
        assert!(said.contains("about to write") && !said.contains("written\n"), "{said}");
    }

    #[cfg(any(debug_assertions, feature = "checked"))]
    fn reported(test: &str, what: &str, mistake: fn(&PartitionRange)) {
        let said = child::last_words(&format!("deadly::{test}"), || {
            mistake(&PartitionRange::new(PartitionConfig::new(1 << 20)).unwrap());
        });
        assert!(said.contains("partition: the block at") && said.contains(what), "{said}");
    }

    #[cfg(any(debug_assertions, feature = "checked"))]
    fn give(range: &PartitionRange, block: stratalloc_resource::MemoryBlock) {
        // SAFETY: not given: the mistake.
        unsafe { range.deallocate(block, Alignment::ONE) };
    }

    #[test]
    #[cfg(any(debug_assertions, feature = "checked"))]
    fn double_release() {
        reported("double_release", "is released, but not live", |range| {
            let block = range.allocate(layout(9000, 1)).unwrap();
            (0..2).for_each(|_| give(range, block));
        });
    }

    #[test]
    #[cfg(any(debug_assertions, feature = "checked"))]
    fn foreign_block() {
        reported("foreign_block", "is released here, but came from elsewhere", |range| {
            let other = PartitionRange::new(PartitionConfig::new(1)).unwrap();
            give(range, other.allocate(layout(1, 1)).unwrap());
        });
    }

    #[test]
    #[cfg(any(debug_assertions, feature = "checked"))]
    fn interior_pointer() {
        reported("interior_pointer", "is released, but no block starts there", |range| {
            let (_, inside) = range.allocate(layout(9000, 1)).unwrap().split_at(64).unwrap();
            give(range, inside);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(40), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_range_matches_the_shadow(bytes in 1_usize..1_000_000, guards in 0_usize..3, ops in model::ops()) {
        let range = PartitionRange::new(PartitionConfig::new(bytes).with_guards(guards)).unwrap();
        model::run(&range, ops, |_| (), |shadow| {
            let live: usize = shadow.live.values().map(|live| live.block.len()).sum();
            prop_assert_eq!(live, range.committed());
            model::sound(&range, shadow)
        })?;
        prop_assert_eq!(range.committed(), 0);
    }

    #[test]
    fn any_partition_matches_the_shadow(bytes in 1_usize..2_000_000, guards in 0_usize..3, ops in model::ops()) {
        // One page is too small for TLSF's tables of a chunk, and says so.
        let config = PartitionConfig::new(bytes).with_guards(guards);
        let partition = Partition::general(config).unwrap();
        let other = Partition::of_blocks(config.keeping_addresses(), SlabConfig::new(64, Alignment::ONE));
        let mut blocks = Vec::new();
        model::run(&partition, ops, |number| {
            partition.collect();
            if let Ok(other) = &other && number % 3 == 0 {
                blocks.extend(other.inner().take());
            }
        }, |shadow| {
            let addresses = partition.addresses();
            prop_assert!(shadow.live.values().all(|live| addresses.contains(&live.block.address())));
            model::sound(&partition, shadow)
        })?;
        if let Ok(other) = &other {
            other.validate().map_err(|violation| TestCaseError::fail(violation.to_string()))?;
            prop_assert!(blocks.iter().all(|block| !partition.owns(block.as_ptr()) && other.owns(block.as_ptr())));
        }
    }
}
