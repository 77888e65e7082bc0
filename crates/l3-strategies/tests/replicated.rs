//! Replicated values: generated schedules against a shadow, threads, memory and where it lies. Runs with one node here and with two and four in
//! emulated machines (`tests/numa/machines.sh`).
//!
//! Not covered: all interleavings (`src/models/replica.rs`), timing.
#![cfg(all(any(target_os = "linux", windows), target_has_atomic = "64"))]

extern crate alloc;

#[path = "shadows/replicated.rs"]
mod shadow;

use alloc::sync::Arc;
use core::alloc::Layout;
use core::cell::Cell;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::panic::catch_unwind;

use proptest::prelude::*;
use stratalloc_platform::numa;
use stratalloc_resource::conformance;
use stratalloc_resource::{Alignment, ThreadSafety};
use stratalloc_resource::{AllocError, FromGlobal, MemoryBlock, MemoryResource, ResourceId, ResourceInfo};
use stratalloc_strategies::replicated::{Busy, Machine, OnePlace, Places, Replicated};

use shadow::{Account, Counted, HERE, Op, Pretended, run};

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..20_usize).prop_map(|place| Op::Read { place }),
        3 => any::<usize>().prop_map(|guard| Op::Release { guard }),
        3 => Just(Op::Publish),
        1 => Just(Op::Reclaim),
    ];
    proptest::collection::vec(op, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(150), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_schedule_matches_the_shadow(places in 0..7_usize, ops in ops()) {
        run::<16>(places, &ops)?;
        run::<3>(places, &ops)?;
        run::<1>(places, &ops)?;
    }
}

#[test]
fn memory_that_runs_out_midway_goes_back() {
    for most in 0..4 {
        let (account, count) = (Account::of(most), Arc::new(AtomicUsize::new(0)));
        let made: Result<Replicated<_, _, 8>, _> =
            Replicated::new(Pretended(4, &account), Counted::new(0, &count));
        assert_eq!(made.err(), Some(AllocError::CapacityExhausted));
        assert_eq!((account.live.into_inner(), count.load(Ordering::Relaxed)), (0, 0));
    }
}

/// A resource of its own at each call, as safe code may write it; it notices when it goes before a block of it.
struct Passing {
    live: AtomicUsize,
    number: usize,
}

// SAFETY: as for `Account`.
unsafe impl MemoryResource for Passing {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.live.fetch_add(1, Ordering::Relaxed);
        FromGlobal::new(&std::alloc::System).allocate(layout)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        assert_ne!(self.live.fetch_sub(1, Ordering::Relaxed), 0, "a block of another one");
        // SAFETY: this function's contract.
        unsafe { FromGlobal::new(&std::alloc::System).deallocate(block, align) };
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Self>(self.number)
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("passing", ThreadSafety::Shared)
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        assert_eq!(self.live.load(Ordering::Relaxed), 0, "dropped before its blocks");
    }
}

#[test]
fn a_memory_lives_as_long_as_its_copy() {
    struct Generous;
    impl Places for Generous {
        type Memory = Passing;

        fn count(&self) -> usize {
            3
        }

        fn here(&self) -> usize {
            HERE.get()
        }

        fn memory(&self, _: usize) -> Passing {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            Passing { live: AtomicUsize::new(0), number: NUMBER.fetch_add(1, Ordering::Relaxed) }
        }
    }
    let table: Replicated<u64, _, 4> = Replicated::new(Generous, 7).unwrap();
    table.publish_with(|place, memory| {
        assert_eq!(memory.live.load(Ordering::Relaxed), 1, "the memory of copy {place}");
        8
    });
    for place in 0..3 {
        HERE.set(place);
        assert_eq!(*table.read(), 8);
    }
    // On the thread that drops it.
    std::thread::spawn(|| drop(table)).join().unwrap();
}

#[test]
fn places_are_counted_once() {
    struct Growing(Cell<usize>);
    impl Places for Growing {
        type Memory = FromGlobal<'static, std::alloc::System>;

        fn count(&self) -> usize {
            self.0.set(self.0.get() + 1);
            self.0.get()
        }

        fn here(&self) -> usize {
            HERE.get()
        }

        fn memory(&self, _: usize) -> Self::Memory {
            FromGlobal::new(&std::alloc::System)
        }
    }
    let table: Replicated<u64, _, 8> = Replicated::new(Growing(Cell::new(1)), 7).unwrap();
    assert_eq!((table.copies(), table.places().0.get()), (2, 2));
}

/// In the first clone and in the second, when one node has its next version already.
#[test]
fn a_panic_in_clone_changes_nothing_and_leaves_the_way_free() {
    let (account, left) = (Account::of(usize::MAX), Cell::new(usize::MAX));
    struct Fragile<'a>(u64, &'a Cell<usize>);
    impl Clone for Fragile<'_> {
        fn clone(&self) -> Self {
            self.1.set(self.1.get().checked_sub(1).expect("asked to"));
            Self(self.0, self.1)
        }
    }
    let table: Replicated<_, _, 8> = Replicated::new(Pretended(3, &account), Fragile(0, &left)).unwrap();
    for clones in 0..2 {
        left.set(clones);
        assert!(catch_unwind(AssertUnwindSafe(|| table.publish(Fragile(1, &left)))).is_err());
        for place in 0..3 {
            HERE.set(place);
            assert_eq!((table.read().0, table.read().version()), (0, 0), "{clones} clones, place {place}");
        }
    }
    left.set(2);
    assert_eq!(table.publish(Fragile(2, &left)), 1);
    assert_eq!(table.read().0, 2);
}

#[test]
fn a_second_writer_is_told_of_the_first() {
    let account = Account::of(usize::MAX);
    let table: Replicated<u64, _, 4> = Replicated::new(Pretended(2, &account), 1).unwrap();
    let version = table.update(|old| {
        assert_eq!(table.try_publish(7).unwrap_err().reason(), Busy::Writer);
        assert_eq!(table.reclaim(), 0);
        old + 1
    });
    assert_eq!((version, *table.read()), (1, 2));
}

/// Readers on four pretended nodes, two writers that add to what they find: nothing torn, nothing lost, never back on one node.
#[test]
fn many_readers_and_two_writers() {
    // Each may wait for a reader that lost its processor inside a read, on a busy machine for several time slices.
    const UPDATES: u64 = if cfg!(miri) { 20 } else { 300 };
    const MARK: u64 = 0xDEAD_BEEF;
    let (account, done, reads) = (Account::of(usize::MAX), AtomicUsize::new(0), AtomicU64::new(0));
    let table: Replicated<[u64; 32], _, 4> = Replicated::new(Pretended(4, &account), [MARK; 32]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..UPDATES {
                    table.update(|old| old.map(|word| word + 1));
                }
                done.fetch_add(1, Ordering::Release);
            });
        }
        for place in 0..4 {
            let (table, done, reads) = (&table, &done, &reads);
            scope.spawn(move || {
                HERE.set(place);
                let (reader, mut last) = (table.reader(), 0);
                assert_eq!(reader.place(), place);
                while done.load(Ordering::Acquire) < 2 {
                    let guard = reader.read();
                    assert!(guard.iter().all(|&word| word == guard[0]), "torn: {guard:?}");
                    assert_eq!(guard[0], MARK + guard.version());
                    assert!(guard.version() >= last, "back from {last} to {}", guard.version());
                    last = guard.version();
                    reads.fetch_add(1, Ordering::Relaxed);
                }
                // Everything was published before `done`.
                assert_eq!(table.read().version(), 2 * UPDATES);
            });
        }
    });
    assert_eq!(table.read()[31], MARK + 2 * UPDATES, "an update was lost");
}

#[test]
fn without_nodes_one_place_is_enough() {
    let account = Account::of(1);
    let table: Replicated<String, _> = Replicated::new(OnePlace(&account), "a".into()).unwrap();
    assert_eq!(table.update(|old| old.clone() + "b"), 1);
    assert_eq!(
        (table.copies(), table.read().as_str(), format!("{:?}", table.read())),
        (1, "ab", "\"ab\"".into())
    );
    assert_eq!(format!("{table:?}"), "Replicated { copies: 1, version: 1, value: \"ab\", .. }");
}

/// On this machine and on the emulated ones: each node has its copy, in its own memory, and threads there read it.
#[test]
#[cfg(not(miri))]
fn each_node_of_the_machine_has_its_copy() {
    let nodes = numa::nodes();
    if let Ok(told) = std::env::var("NUMA_NODES") {
        assert_eq!(told, nodes.to_string());
    }
    let table: Replicated<[u64; 4000]> = Replicated::new(Machine, [1; 4000]).unwrap();
    assert_eq!(table.copies(), nodes as usize);
    for version in 0..3 {
        let mut met = alloc::collections::BTreeSet::new();
        // More threads than processors, each bound to one: every node is met.
        for processor in 0..stratalloc_platform::cpu::online() {
            let table = &table;
            let (node, place) = std::thread::scope(|scope| {
                let thread = scope.spawn(move || {
                    run_on(processor);
                    let node = numa::current_node();
                    let reader = table.reader();
                    let guard = reader.read();
                    assert_eq!(guard.version(), version);
                    // The first and the last page of the value.
                    for word in [&guard[0], &guard[3999]] {
                        match numa::page_node(core::ptr::NonNull::from(word).cast()) {
                            // Windows binds no memory that is there: copies lie where they come to lie.
                            Ok(_) if cfg!(windows) && nodes > 1 => {}
                            Ok(found) => assert_eq!(found, node, "the copy of node {node}"),
                            Err(error) => assert!(nodes == 1 && error.is_unsupported(), "{error}"),
                        }
                    }
                    (node, reader.place())
                });
                thread.join().unwrap()
            });
            assert_eq!(node as usize, place);
            met.insert(node);
        }
        assert_eq!(met.len(), nodes as usize, "{met:?}");
        table.update(|old| old.map(|word| word + 1));
    }
    assert_eq!(table.read()[17], 4);
}

/// Binds the calling thread to a processor, if it may run there.
#[cfg(not(any(miri, windows)))]
fn run_on(processor: u32) {
    unsafe extern "C" {
        fn sched_setaffinity(thread: i32, size: usize, mask: *const u64) -> i32;
    }
    let mut mask = [0_u64; 16];
    mask[(processor / 64) as usize] |= 1 << (processor % 64);
    // SAFETY: the mask is as large as stated; 0 is the calling thread.
    let _ = unsafe { sched_setaffinity(0, size_of_val(&mask), mask.as_ptr()) };
}

/// As above, up to the 64th processor.
#[cfg(windows)]
fn run_on(processor: u32) {
    unsafe extern "system" {
        safe fn GetCurrentThread() -> *mut core::ffi::c_void;
        fn SetThreadAffinityMask(thread: *mut core::ffi::c_void, mask: usize) -> usize;
    }
    // SAFETY: the calling thread; refused where it may not run there.
    let _ = unsafe { SetThreadAffinityMask(GetCurrentThread(), 1_usize.checked_shl(processor).unwrap_or(0)) };
}
