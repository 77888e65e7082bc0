//! Pages of a node: the kit, where the pages really are, refusals with a message. Runs with one node here and with two and four in emulated
//! machines (`tests/numa/machines.sh`), where the kernel is asked for the node of each page.
//!
//! Not covered: a node that runs full; nodes with gaps between their numbers.
#![cfg(all(any(target_os = "linux", windows), not(miri)))]

extern crate alloc;

mod model;

use core::alloc::Layout;

use proptest::prelude::*;
use stratalloc_platform::numa::{self, NumaError, Policy};
use stratalloc_platform::page;
use stratalloc_resource::conformance::{self, Config};
use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource, OwnedBlock};
use stratalloc_strategies::frame::{Frame, Speed};
use stratalloc_strategies::node_pages::{NodePages, Placement};
use stratalloc_strategies::pool::{Pool, PoolConfig};
#[cfg(not(windows))]
use stratalloc_strategies::replicated::{Machine, Replicated};
use stratalloc_strategies::system::System;
use stratalloc_strategies::tlsf::GrowingTlsf;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 1).unwrap()
}

/// As many operations where the machine is emulated, which takes a hundred times as long.
fn operations(count: usize) -> usize {
    if std::env::var_os("NUMA_NODES").is_some() { count / 10 } else { count }
}

fn every_policy() -> Vec<NodePages> {
    let mut all = vec![NodePages::interleaved().unwrap(), NodePages::new(Policy::Default).unwrap()];
    for node in 0..numa::nodes() {
        all.extend([NodePages::on(node).unwrap(), NodePages::only_on(node).unwrap()]);
    }
    all
}

/// Whether the kernel tells where pages are. It must where there are several nodes.
fn tells() -> bool {
    let mut on_stack = 7_u8;
    let told = (0..ATTEMPTS).any(|_| {
        // SAFETY: a live variable. Written to each time, for the reason at `placement_of_touched`.
        unsafe { (&raw mut on_stack).write_volatile(7) };
        numa::page_node(core::ptr::NonNull::from(&on_stack)).is_ok()
    });
    assert!(told || numa::nodes() == 1);
    told
}

/// So often is a page touched again that the kernel has marked.
const ATTEMPTS: usize = 10;

/// Where the pages of a block are that was written to.
///
/// The kernel's balancing marks pages without a binding, to learn who touches them next, and does not say where a marked page lies until
/// somebody has. Bound pages are not marked, so their first answer counts.
fn placement_of_touched(pages: NodePages, block: MemoryBlock) -> Placement {
    let mut found = pages.placement(block);
    for _ in 0..ATTEMPTS {
        if pages != NodePages::AS_THEY_COME || found.unknown == 0 || !tells() {
            break;
        }
        for offset in (0..block.len()).step_by(page::size()) {
            // SAFETY: inside the block.
            let byte = unsafe { block.as_ptr().add(offset) };
            // SAFETY: live, ours, written to before.
            unsafe { byte.read_volatile() };
        }
        found = pages.placement(block);
    }
    found
}

fn touch(block: MemoryBlock) {
    // SAFETY: live, ours.
    unsafe { block.as_ptr().write_bytes(7, block.len()) };
}

/// In the emulated machines the script says how many nodes there are.
#[test]
fn the_machine_has_the_nodes_that_it_should_have() {
    if let Ok(nodes) = std::env::var("NUMA_NODES") {
        assert_eq!(nodes, numa::nodes().to_string());
        assert!(tells());
    }
}

#[test]
fn conforms() {
    let mut all = every_policy();
    if std::env::var_os("NUMA_NODES").is_some() {
        // All of them take minutes there.
        all = vec![NodePages::interleaved().unwrap(), NodePages::only_on(numa::nodes() - 1).unwrap()];
    }
    for pages in all {
        let config = Config { operations: operations(300), ..Config::default() };
        conformance::resource(&pages, &config).unwrap_or_else(|failure| panic!("{pages:?}: {failure}"));
    }
}

#[test]
fn equal_are_those_with_one_policy() {
    let config = Config { operations: operations(20), ..Config::default() };
    let all = every_policy();
    for (index, one) in all.iter().enumerate() {
        assert!(!conformance::pair(one, &System, &config).unwrap());
        for (other_index, other) in all.iter().enumerate() {
            // With one node, node 0 and all nodes are different policies still.
            assert_eq!(
                conformance::pair(one, other, &config).unwrap(),
                index == other_index,
                "{one:?} {other:?}"
            );
        }
    }
}

#[test]
fn each_page_lies_where_the_policy_says_also_after_growth() {
    let told = tells();
    for pages in every_policy() {
        let mut block = OwnedBlock::new(pages, layout(100 * page::size())).unwrap();
        let whole = |block: &OwnedBlock<NodePages>| {
            MemoryBlock::new(core::ptr::NonNull::new(block.as_ptr()).unwrap(), block.len())
        };
        assert_eq!(pages.placement(whole(&block)).unknown, 100, "nobody has touched it");
        for count in [100, 333, 1000, 20] {
            block.try_resize(count * page::size()).unwrap();
            touch(whole(&block));
            let placement = placement_of_touched(pages, whole(&block));
            let expected = if told { (count, 0, 0) } else { (0, 0, count) };
            let found = (placement.bound, placement.elsewhere, placement.unknown);
            assert_eq!(found, expected, "{pages:?}");
        }
    }
}

#[test]
fn a_page_on_a_node_that_the_policy_does_not_name_is_elsewhere() {
    for node in 0..numa::nodes() {
        let block = OwnedBlock::new(NodePages::on(node).unwrap(), layout(5 * page::size())).unwrap();
        let whole = MemoryBlock::new(core::ptr::NonNull::new(block.as_ptr()).unwrap(), block.len());
        touch(whole);
        for other in (0..numa::nodes()).filter(|_| tells()) {
            for pages in [NodePages::on(other).unwrap(), NodePages::only_on(other).unwrap()] {
                let found = pages.placement(whole);
                let expected = if other == node { (5, 0, 0) } else { (0, 5, 0) };
                assert_eq!((found.bound, found.elsewhere, found.unknown), expected, "{node} {pages:?}");
            }
        }
        if tells() {
            assert_eq!(NodePages::interleaved().unwrap().placement(whole).bound, 5);
        }
    }
}

/// A thousand blocks of 64 MiB one after the other; the tests beside this one have not nearly as much at a time.
#[test]
#[cfg(all(target_pointer_width = "64", not(windows)))] // no /proc there
fn what_is_released_is_unmapped() {
    let mapped = || {
        let counts = std::fs::read_to_string("/proc/self/statm").unwrap();
        counts.split(' ').next().unwrap().parse::<usize>().unwrap() * page::size()
    };
    let (pages, size, before) = (NodePages::on(0).unwrap(), 64 << 20, mapped());
    for _ in 0..1000 {
        let block = pages.allocate(layout(size)).unwrap();
        // SAFETY: live.
        let block = unsafe { pages.reallocate(block, size + page::size(), Alignment::ONE) }.unwrap();
        // SAFETY: live, with this alignment; not used any more.
        unsafe { pages.deallocate(block, Alignment::ONE) };
    }
    assert!(mapped() < before + 100 * size, "{before} bytes before, {} now", mapped());
}

/// Each has another one in its way, so it has to move, and the kernel moves to any page.
#[test]
fn alignments_above_a_page_survive_growth() {
    let (pages, size) = (NodePages::on(0).unwrap(), 1 << 16);
    let align = Alignment::from_layout(Layout::from_size_align(size, size).unwrap());
    let blocks: Vec<_> =
        (0..20).map(|_| pages.allocate(Layout::from_size_align(size, size).unwrap()).unwrap()).collect();
    for block in blocks {
        // SAFETY: live, with this alignment.
        let grown = unsafe { pages.reallocate(block, 5 * size + 1, align) }.unwrap();
        assert!(grown.is_aligned(align) && grown.len() > 5 * size);
        // SAFETY: as above; not used any more.
        unsafe { pages.deallocate(grown, align) };
    }
}

#[test]
fn frames_pools_and_heaps_are_bound_by_their_upstream() {
    let told = tells();
    for node in 0..numa::nodes() {
        let pages = NodePages::on(node).unwrap();
        let near = |address: *const u8| {
            // SAFETY: a live object's first byte.
            let found = pages.placement_of(unsafe { &*address });
            assert_eq!(found, told.then_some(node));
        };
        let frame: Frame<'_, _, _> = Frame::<Speed, _>::growing(pages);
        for number in 0..2_000_u64 {
            near(core::ptr::from_ref(frame.alloc([number; 20])).cast());
        }
        let pool = Pool::growing(PoolConfig::of::<[u64; 30]>(), pages).unwrap();
        let heap: GrowingTlsf<_, 24, 32> = GrowingTlsf::new(pages, 65_536).unwrap();
        for _ in 0..1_000 {
            for block in [pool.take().unwrap(), heap.allocate(layout(300)).unwrap()] {
                touch(block);
                near(block.as_ptr());
            }
        }
    }
}

#[test]
fn a_node_that_is_not_there_has_a_message() {
    let nodes = numa::nodes();
    for refused in [NodePages::on(nodes), NodePages::only_on(nodes)] {
        let error = refused.unwrap_err();
        assert_eq!(error, NumaError::NoSuchNode { node: nodes, nodes });
        let said = error.to_string();
        let has = if nodes == 1 { "one memory node, 0" } else { "the memory nodes 0 to" };
        assert!(said.contains(has) && said.ends_with(&format!("there is no node {nodes}")), "{said}");
    }
    assert_eq!(NodePages::new(Policy::Interleave(0)), Err(NumaError::NoNodes));
}

/// Installs what containers do: from now on the calling thread is told `EPERM` by `mbind`. `false` where the system has no such filters.
#[cfg(not(windows))]
fn refuse_to_bind() -> bool {
    const MBIND: u16 = if cfg!(target_arch = "x86_64") {
        237
    } else if cfg!(target_arch = "aarch64") {
        235
    } else {
        274
    };
    const EPERM: i32 = 1;
    const NO_NEW_PRIVILEGES: i32 = 38;
    const SECCOMP: i32 = 22;
    /// What to do, how far to go on if so and if not, a number.
    #[repr(C)]
    struct Step(u16, u8, u8, u32);
    #[repr(C)]
    struct Filter(u16, *const [Step; 4]);
    unsafe extern "C" {
        fn prctl(option: i32, a: usize, b: usize, c: usize, d: usize) -> i32;
        fn syscall(number: core::ffi::c_long, ...) -> core::ffi::c_long;
    }
    // Load the call's number; is it `mbind`?; the error; allowed.
    let error = Step(0x06, 0, 0, 0x5_0000 + EPERM.cast_unsigned());
    let steps = [Step(0x20, 0, 0, 0), Step(0x15, 0, 1, MBIND.into()), error, Step(0x06, 0, 0, 0x7FFF_0000)];
    let filter = Filter(4, &raw const steps);
    // SAFETY: promises that this thread gains no privileges.
    let promised = unsafe { prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) };
    // SAFETY: the kernel reads the four steps; they refuse one call, for this thread.
    let installed = unsafe { prctl(SECCOMP, 2, (&raw const filter).expose_provenance(), 0, 0) };
    if (promised, installed) != (0, 0) {
        return false;
    }
    // SAFETY: a range of no pages.
    let refused = unsafe {
        syscall(core::ffi::c_long::from(MBIND), 0_usize, 0_usize, 0_usize, 0_usize, 0_usize, 0_usize)
    };
    assert_eq!((refused, std::io::Error::last_os_error().raw_os_error()), (-1, Some(EPERM)));
    true
}

/// Docker's filter, for instance. (Windows has no such filters.) With one node nobody asks; with several all that is not bound works still, also what lies by node if it can.
#[cfg(not(windows))]
#[test]
fn where_nothing_may_be_bound_pages_come_all_the_same() {
    let thread = std::thread::spawn(|| {
        if !refuse_to_bind() {
            return assert!(std::env::var_os("NUMA_NODES").is_none(), "no filters in the emulated machine");
        }
        let expected = if numa::nodes() == 1 { Ok(()) } else { Err(NumaError::NoNuma) };
        assert_eq!(NodePages::on(0).map(drop), expected);
        assert_eq!(NodePages::new(Policy::Default), Ok(NodePages::AS_THEY_COME));
        let block = NodePages::AS_THEY_COME.allocate(layout(10_000)).unwrap();
        touch(block);
        // SAFETY: live.
        unsafe { NodePages::AS_THEY_COME.deallocate(block, Alignment::ONE) };
        assert_eq!(*Replicated::<u64>::new(Machine, 7).unwrap().read(), 7);
    });
    thread.join().unwrap();
}

#[test]
fn what_no_address_space_holds_is_refused() {
    let pages = NodePages::on(0).unwrap();
    let most = isize::MAX.unsigned_abs();
    assert_eq!(pages.allocate(layout(most)), Err(AllocError::SizeOverflow));
    let block = pages.allocate(layout(1)).unwrap();
    // SAFETY: live; refused, so it stays so.
    let refused = unsafe { pages.reallocate(block, usize::MAX, Alignment::ONE) };
    assert_eq!(refused, Err(AllocError::SizeOverflow));
    // SAFETY: live.
    unsafe { pages.deallocate(block, Alignment::ONE) };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: conformance::cases(30), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matches_the_shadow(policy in any::<proptest::sample::Index>(), ops in model::ops()) {
        let all = every_policy();
        let pages = all[policy.index(all.len())];
        let told = tells();
        model::run(&pages, ops, |_| (), |shadow| {
            for live in shadow.live.values() {
                let placement = placement_of_touched(pages, live.block);
                prop_assert_eq!(placement.elsewhere, 0);
                prop_assert!(!told || placement.unknown == 0, "written to, so it lies somewhere");
            }
            Ok(())
        })?;
    }
}
