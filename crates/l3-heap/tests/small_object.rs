//! The small domain as a resource: the kit over generated limits, refusals, threads, misuse in child processes.
//!
//! Not covered: the slabs beneath (`properties`, `threads`), double releases (nothing looks for them), compositions (the façade's tests).
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]

mod support;

use core::alloc::Layout;
use std::process::Command;
use std::sync::mpsc;

use proptest::prelude::*;
use stratalloc_heap::{Heap, ProcessHeap, SmallObject, validate};
use stratalloc_resource::conformance::{self, Config, Property};
use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource, Owns};
use support::{Random, alone, low_byte, rounds};

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a layout")
}

fn small(max_size: usize) -> SmallObject {
    SmallObject::new().expect("a heap").with_max_size(max_size)
}

#[test]
fn both_kinds_keep_the_contract_with_threads() {
    let _alone = alone();
    let config = Config { operations: rounds(2_000), ..Config::default() };
    for max_size in [256, 1_000, SmallObject::<Heap>::MAX_SIZE] {
        let own = small(max_size);
        let process = SmallObject::process().with_max_size(max_size);
        for resource in [&own as &(dyn MemoryResource + Sync), &process] {
            let report =
                conformance::resource(resource, &config).unwrap_or_else(|failure| panic!("{failure}"));
            for property in [Property::ThreadsParallel, Property::ThreadsRemote, Property::HugeRequest] {
                assert!(report.checked().any(|checked| checked == property), "{report}");
            }
        }
        conformance::ownership(&own, &config).unwrap_or_else(|failure| panic!("{failure}"));
        conformance::ownership(&process, &config).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(16), failure_persistence: None, ..ProptestConfig::default()
    })]

    /// The kit's operations against its map of what is live, the heap's equations in between.
    #[test]
    fn any_limit_keeps_the_contract(
        (max_size, align, seed) in (0..40_000_usize, 0..16_u32, any::<u64>()),
        (live, largest, process) in (1..200_usize, 1..40_000_usize, any::<bool>()),
    ) {
        let _alone = alone();
        let max_align = Alignment::new(1 << align).expect("a power of two");
        let config = Config { operations: 60, seed, live, max_size: largest, max_align, ..Config::default() };
        let outcome = if process {
            conformance::validated(&SmallObject::process().with_max_size(max_size), &config)
        } else {
            conformance::validated(&small(max_size), &config)
        };
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }

    /// Exactly what `info` states is served, everything else has its error, and no block is longer than the largest class.
    #[test]
    fn any_request_is_served_or_has_its_error(
        max_size in 0..40_000_usize,
        requests in proptest::collection::vec((0..66_000_usize, 0..18_u32), 1..40),
    ) {
        let _alone = alone();
        let small = small(max_size);
        let limit = small.max_size();
        prop_assert_eq!(limit, max_size.clamp(1, 32 << 10));
        prop_assert_eq!(small.info().max_size, Some(limit));
        let largest = small.info().size_classes.iter().last().expect("classes");
        prop_assert!(largest >= limit && largest <= (2 * limit).max(16) + (4 << 10));
        for (size, align) in requests {
            let expected = if size > limit {
                Some(AllocError::Unsupported)
            } else {
                (1 << align > limit).then_some(AllocError::BadAlignment)
            };
            match small.allocate(layout(size, 1 << align)) {
                Ok(block) => {
                    prop_assert_eq!(expected, None);
                    prop_assert!((size..=largest).contains(&block.len()));
                    prop_assert!(block.address().trailing_zeros() >= align && small.owns(block.as_ptr()));
                }
                Err(error) => prop_assert_eq!(Some(error), expected),
            }
        }
    }
}

#[test]
fn what_is_too_large_is_refused_and_the_block_stays() {
    let _alone = alone();
    let small = small(100);
    assert_eq!(small.allocate(layout(101, 1)), Err(AllocError::Unsupported));
    assert_eq!(small.allocate(layout(1, 128)), Err(AllocError::BadAlignment));
    assert_eq!(small.allocate_zeroed(layout(101, 1)), Err(AllocError::Unsupported));
    assert_eq!(small.allocate(layout(0, 1)).map(MemoryBlock::len), Ok(16));
    let block = small.allocate(layout(100, 64)).expect("memory");
    // SAFETY: live, 100 bytes and more.
    unsafe { block.as_ptr().write_bytes(7, 100) };
    for (size, error) in [(101, AllocError::Unsupported), (usize::MAX, AllocError::SizeOverflow)] {
        // SAFETY: live, with its alignment.
        assert_eq!(unsafe { small.reallocate(block, size, Alignment::constant::<64>()) }, Err(error));
    }
    // SAFETY: still live and written.
    assert!((0..100).all(|at| unsafe { block.as_ptr().wrapping_add(at).read() } == 7));
}

#[test]
fn each_is_a_heap_of_its_own_and_the_process_heap_is_one() {
    let _alone = alone();
    let (first, second) = (small(256), small(256));
    let config = Config { operations: 300, ..Config::default() };
    let equal = |a: &dyn MemoryResource, b: &dyn MemoryResource| conformance::pair(a, b, &config).unwrap();
    assert!(!equal(&first, &second) && !equal(&first, &ProcessHeap));
    assert!(equal(&first, &first.heap()) && equal(&SmallObject::process(), &ProcessHeap));
    let block = first.allocate(layout(8, 8)).expect("memory");
    assert!(first.owns(block.as_ptr()) && !second.owns(block.as_ptr()) && !ProcessHeap.owns(block.as_ptr()));
}

#[test]
fn heaps_run_out_with_an_error_and_come_back() {
    let _alone = alone();
    let mut all = Vec::new();
    let error = loop {
        match SmallObject::new() {
            Ok(one) => all.push(one),
            Err(error) => break error,
        }
    };
    assert_eq!(error, AllocError::CapacityExhausted);
    assert!(all.len() <= 1023);
    all.clear();
    assert!(SmallObject::new().is_ok());
}

/// A block with its mark, on its way to another thread.
struct Marked(MemoryBlock, u32);

impl Marked {
    fn new(resource: &impl MemoryResource, size: usize, mark: u32) -> Self {
        let block = resource.allocate(layout(size, 4)).expect("memory");
        for word in 0..block.len() / 4 {
            // SAFETY: live, ours, aligned to 4.
            unsafe { block.as_ptr().cast::<u32>().wrapping_add(word).write(mark) };
        }
        Self(block, mark)
    }

    fn release(self, resource: &impl MemoryResource) {
        for word in 0..self.0.len() / 4 {
            // SAFETY: live and written.
            let found = unsafe { self.0.as_ptr().cast::<u32>().wrapping_add(word).read() };
            assert_eq!(found, self.1, "somebody else wrote");
        }
        // SAFETY: live, with its alignment; not used any more.
        unsafe { resource.deallocate(self.0, Alignment::constant::<4>()) };
    }
}

/// Every thread makes blocks, passes some on, and releases its own and its neighbour's.
fn storm(resource: &(impl MemoryResource + Sync)) {
    const THREADS: usize = 4;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::sync_channel(64)).unzip();
    std::thread::scope(|scope| {
        for (thread, from) in receivers.into_iter().enumerate() {
            let to = senders[(thread + 1) % THREADS].clone();
            scope.spawn(move || {
                let (mut random, mut held) = (Random(thread as u64 + 1), Vec::new());
                for round in 0..rounds(40_000) {
                    let mark = 0xDEAD_BEEF ^ u32::from(low_byte(thread)) << 20 ^ u32::from(low_byte(round));
                    let block = Marked::new(resource, random.below(257), mark);
                    match random.below(3) {
                        0 => held.push(block),
                        1 => block.release(resource),
                        _ => {
                            if let Err(error) = to.try_send(block) {
                                let (mpsc::TrySendError::Full(back) | mpsc::TrySendError::Disconnected(back)) =
                                    error;
                                back.release(resource);
                            }
                        }
                    }
                    from.try_iter().for_each(|block| block.release(resource));
                    if held.len() > 500 {
                        held.drain(..).for_each(|block| block.release(resource));
                    }
                }
                drop(to);
                held.into_iter().for_each(|block| block.release(resource));
                from.try_iter().for_each(|block| block.release(resource));
            });
        }
        drop(senders);
    });
}

#[test]
fn blocks_cross_threads_and_keep_their_marks() {
    let _alone = alone();
    let own = small(256);
    storm(&own);
    assert_eq!(validate(), Ok(()));
    drop(own);
    storm(&SmallObject::process().with_max_size(256));
    assert_eq!(validate(), Ok(()));
}

const VARIABLE: &str = "STRATALLOC_MISUSE";

/// Runs `misuse` in a child process, which has to die of it; returns what it said.
fn last_words(test: &str, misuse: impl FnOnce()) -> String {
    if std::env::var(VARIABLE).as_deref() == Ok(test) {
        misuse();
        std::process::exit(0);
    }
    let mut child = Command::new(std::env::current_exe().expect("a path"));
    let output = child.args(["--exact", test, "--nocapture"]).env(VARIABLE, test).output().expect("a child");
    assert_eq!(output.status.code(), Some(134), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// In a fast build the block goes back to the heap that it came from.
#[test]
#[cfg(all(not(miri), any(debug_assertions, feature = "checked")))]
fn a_foreign_block_ends_a_checked_build() {
    const SAID: &str = "is released here, but came from elsewhere";
    let test = "a_foreign_block_ends_a_checked_build";
    let said = last_words(test, || {
        let block = small(256).allocate(layout(8, 8)).expect("memory");
        // SAFETY: none; that is the misuse. The block is another heap's.
        unsafe { small(256).deallocate(block, Alignment::constant::<8>()) };
    });
    assert!(said.contains("small-object: the block at 0x") && said.contains(SAID), "{said}");
}
