//! Each workload allocates as often as it says, gives everything back, and repeats itself exactly.
//!
//! Worth running with optimisation (`cargo test --release`): that is where a compiler could remove an allocation.

use bench_workloads::{Task, WORKLOADS};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Counts, and passes on.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

fn change(bytes: i64) {
    LIVE_BYTES.fetch_add(bytes, Relaxed);
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every call is passed to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        change(signed(layout.size()));
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        change(-signed(layout.size()));
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        change(signed(size) - signed(layout.size()));
        // SAFETY: the caller's contract is the same.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// One test, so that no other thread allocates meanwhile.
#[test]
fn every_workload_allocates_what_it_counts_and_returns_it() {
    // Large enough that the bookkeeping of a workload (tables, threads) is small beside its work.
    const SCALE: u64 = 50;
    for workload in WORKLOADS {
        for &threads in workload.threads {
            let run = || (workload.run)(Task::new(threads, SCALE));
            let first = run();
            let (allocations, live) = (ALLOCATIONS.load(Relaxed), LIVE_BYTES.load(Relaxed));
            let second = run();
            let counted = ALLOCATIONS.load(Relaxed) - allocations;
            let left = LIVE_BYTES.load(Relaxed) - live;
            let name = format!("{} on {threads} threads", workload.name);
            assert_eq!(first, second, "{name}: two runs differ");
            assert_ne!(first.checksum, 0, "{name}: no checksum");
            println!("{name:32} says {:9} counted {counted:9} left {left}", second.operations);
            assert!(counted >= second.operations, "{name}: says {} made {counted}", second.operations);
            // Containers and `format!` reallocate more often than a workload counts; beyond twice, the count is wrong.
            let allowed = second.operations * 2 + 2000;
            assert!(counted <= allowed, "{name}: says {} made {counted}", second.operations);
            assert!(left.abs() < 4096, "{name}: {left} bytes were not given back");
        }
    }
}
