//! The public conformance kit on the process heap and on independent heaps.
//!
//! Not covered here: exhaustion (the heaps state no capacity; `fault_injection` refuses memory instead).
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]

use stratalloc_heap::{Heap, ProcessHeap};
use stratalloc_resource::Alignment;
use stratalloc_resource::conformance::{self, Config, Failure, Property, Report};

/// The kit's own defaults stop at 64 KiB; these reach runs, medium blocks and alignments that only the system serves.
fn configs() -> [Config; 4] {
    let scale = if cfg!(miri) { 20 } else { 1 };
    let config = Config { operations: 2_000 / scale, ..Config::default() };
    let align = Alignment::constant::<64>();
    [
        config,
        // Slabs alone, with many blocks live: refills, partial slabs and remote batches.
        Config { seed: 7, operations: 4_000 / scale, live: 600 / scale, max_size: 2_048, ..config },
        // Runs and medium blocks.
        Config {
            seed: 11,
            operations: 100 / scale,
            live: 6,
            max_size: 1_200_000,
            max_align: align,
            ..config
        },
        // Alignments beyond the region's.
        Config {
            seed: 13,
            operations: 100 / scale,
            live: 6,
            max_size: 40_000,
            max_align: Alignment::constant::<{ 1 << 21 }>(),
            ..config
        },
    ]
}

fn passed(outcome: Result<Report, Failure>) -> Report {
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn the_process_heap_keeps_the_contract() {
    for config in configs() {
        let report = passed(conformance::resource(&ProcessHeap, &config));
        for property in [Property::ThreadsParallel, Property::ThreadsRemote, Property::HugeRequest] {
            assert!(report.checked().any(|checked| checked == property), "{report}");
        }
        passed(conformance::ownership(&ProcessHeap, &config));
    }
}

#[test]
fn an_independent_heap_keeps_the_contract_and_is_empty_afterwards() {
    for config in configs() {
        let heap = Heap::new().expect("a heap");
        passed(conformance::resource(&heap, &config));
        passed(conformance::ownership(&heap, &config));
    }
}

#[test]
fn equality_follows_the_heap() {
    let config = Config { operations: 500, ..Config::default() };
    let (first, second) = (Heap::new().expect("a heap"), Heap::new().expect("a heap"));
    assert!(passed_pair(conformance::pair(&ProcessHeap, &{ ProcessHeap }, &config)));
    assert!(passed_pair(conformance::pair(&first, &&first, &config)));
    assert!(!passed_pair(conformance::pair(&first, &second, &config)));
    assert!(!passed_pair(conformance::pair(&first, &ProcessHeap, &config)));
}

fn passed_pair(outcome: Result<bool, Failure>) -> bool {
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}
