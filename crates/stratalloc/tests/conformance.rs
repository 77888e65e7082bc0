//! The public conformance kit on the global allocator, and a program that runs on it.
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "a test, with std")]

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use stratalloc::resource::Alignment;
use stratalloc::resource::conformance::{self, Config, Property};
use stratalloc::{Statistics, Stratalloc, statistics, validate};

/// The test, the kit and the harness live on it too.
#[global_allocator]
static ALLOCATOR: Stratalloc = Stratalloc;

/// A check of the whole heap wants everybody else to rest: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn the_global_allocator_keeps_the_contract() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let scale = if cfg!(miri) { 20 } else { 1 };
    let base = Config { operations: 2_000 / scale, ..Config::default() };
    let align = Alignment::constant::<64>();
    for config in [
        base,
        Config { seed: 5, live: 500 / scale, max_size: 1_100, max_align: align, ..base },
        Config { seed: 9, operations: 100 / scale, live: 6, max_size: 1_200_000, max_align: align, ..base },
    ] {
        let report =
            conformance::global_alloc(&ALLOCATOR, &config).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(report.checked().any(|property| property == Property::ThreadsRemote), "{report}");
    }
    assert_eq!(validate(), Ok(()));
}

#[test]
fn a_program_runs_on_it() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut before = Statistics::default();
    statistics(&mut before);
    let threads: Vec<_> = (0..4_usize)
        .map(|seed| {
            std::thread::spawn(move || {
                let mut words: HashMap<String, Vec<usize>> = HashMap::new();
                for number in 0..2_000 {
                    words.entry(format!("word {}", number * (seed + 1) % 97)).or_default().push(number);
                }
                words
            })
        })
        .collect();
    let total: usize = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("ends"))
        .map(|(word, numbers)| {
            assert!(word.starts_with("word "));
            numbers.len()
        })
        .sum();
    assert_eq!(total, 8_000);
    let mut now = Statistics::default();
    statistics(&mut now);
    assert!(now.small.peak_bytes > 0 && now.thread_heaps >= before.thread_heaps);
}
