//! Sampling: what observers hear is true, complete, and unbiased.
//!
//! The probabilities themselves are tested beside `sampled/draw.rs`.
#![cfg(not(loom))]

extern crate alloc;

use alloc::collections::BTreeMap;
use core::alloc::Layout;
use core::cell::RefCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::alloc::System as Global;

use proptest::prelude::*;
use stratalloc_modifiers::{Sample, SampleObserver, Sampled};
use stratalloc_resource::conformance;
use stratalloc_resource::{Alignment, FromGlobal, MemoryResource, OwnedBlock, Validate};
use stratalloc_strategies::tlsf::Tlsf;

#[path = "../../l3-strategies/tests/model/mod.rs"]
mod model;

/// What is live as far as the observer was told.
#[derive(Debug, Default)]
struct Heard {
    live: RefCell<BTreeMap<usize, Sample>>,
    blocks: RefCell<f64>,
    bytes: RefCell<f64>,
}

impl SampleObserver for Heard {
    fn allocated(&self, sample: &Sample) {
        assert!(self.live.borrow_mut().insert(sample.address, *sample).is_none(), "twice: {sample:?}");
        *self.blocks.borrow_mut() += sample.blocks;
        *self.bytes.borrow_mut() += sample.bytes();
    }

    fn released(&self, sample: &Sample) {
        assert_eq!(self.live.borrow_mut().remove(&sample.address), Some(*sample));
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

/// What estimates miss: none of the table's slots was free.
fn skipped<R, O, const SLOTS: usize>(sampled: &Sampled<R, O, SLOTS>) -> usize {
    sampled.counts().skipped
}

#[test]
fn sums_over_samples_estimate_requests_and_bytes_of_every_size() {
    const REQUESTS: usize = if cfg!(miri) { 500 } else { 100_000 };
    for (size, interval) in [(16, 1024), (100, 1024), (1024, 1024), (5000, 1024), (50_000, 4096)] {
        let heard = Heard::default();
        let sampled: Sampled<_, _> = Sampled::new(FromGlobal::new(&Global), &heard, interval);
        for _ in 0..REQUESTS {
            drop(OwnedBlock::new(&sampled, layout(size)).unwrap());
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let (requests, bytes, rate) =
            (REQUESTS as f64, REQUESTS as f64 * size as f64, (size as f64 / interval as f64));
        // The relative deviation of the estimate is √((1 − p) / (n p)); five of them, and the seed is fixed.
        let p = -(-rate).exp_m1();
        let tolerance = 5.0 * ((1.0 - p) / (requests * p)).sqrt() + 1e-9;
        let (blocks_found, bytes_found) = (*heard.blocks.borrow(), *heard.bytes.borrow());
        assert!((blocks_found / requests - 1.0).abs() < tolerance, "{size}: {blocks_found} of {requests}");
        assert!((bytes_found / bytes - 1.0).abs() < tolerance, "{size}: {bytes_found} of {bytes}");
        assert_eq!((skipped(&sampled), heard.live.borrow().len()), (0, 0));
    }
}

#[test]
fn a_full_table_is_counted_and_heals() {
    let heard = Heard::default();
    let sampled: Sampled<_, _, 16> = Sampled::new(FromGlobal::new(&Global), &heard, 0);
    let blocks: Vec<_> = (0..100).map(|_| OwnedBlock::new(&sampled, layout(32)).unwrap()).collect();
    let counts = sampled.counts();
    assert_eq!(counts.taken + counts.skipped, 100);
    assert!(counts.taken <= 16 && counts.taken >= 8, "{counts:?}");
    assert_eq!(heard.live.borrow().len(), counts.taken);
    drop(blocks);
    assert_eq!((sampled.counts().live(), heard.live.borrow().len()), (0, 0));
    let again = OwnedBlock::new(&sampled, layout(32)).unwrap();
    assert_eq!(sampled.counts().live(), 1);
    drop(again);
}

#[test]
fn a_resized_block_is_a_new_one_and_a_refused_one_the_old() {
    let mut bytes = vec![MaybeUninit::uninit(); 4096];
    let heard = Heard::default();
    let sampled: Sampled<Tlsf<'_>, _, 64> = Sampled::new(Tlsf::over(&mut bytes).unwrap(), &heard, 0);
    let block = sampled.allocate(layout(100)).unwrap();
    let align = Alignment::constant::<8>();
    // SAFETY: live, with this alignment; likewise below.
    assert!(unsafe { sampled.reallocate(block, 100_000, align) }.is_err());
    assert_eq!(heard.live.borrow()[&block.address()].size, 100);
    // SAFETY: as above.
    let block = unsafe { sampled.reallocate(block, 200, align) }.unwrap();
    assert_eq!(heard.live.borrow()[&block.address()].size, 200);
    assert_eq!((sampled.counts().taken, sampled.counts().released), (2, 1));
    sampled.validate().unwrap();
    // SAFETY: as above, and not used any more.
    unsafe { sampled.deallocate(block, align) };
    sampled.validate().unwrap();
}

/// Counters only: threads share it.
#[derive(Default)]
struct Tally {
    allocated: AtomicUsize,
    released: AtomicUsize,
    bytes: AtomicUsize,
}

impl SampleObserver for Tally {
    fn allocated(&self, sample: &Sample) {
        self.allocated.fetch_add(1, Relaxed);
        self.bytes.fetch_add(sample.size, Relaxed);
    }

    fn released(&self, sample: &Sample) {
        self.released.fetch_add(1, Relaxed);
        self.bytes.fetch_sub(sample.size, Relaxed);
    }
}

#[test]
fn threads_that_release_each_others_blocks_reconcile() {
    const ROUNDS: usize = if cfg!(miri) { 100 } else { 30_000 };
    let tally = Tally::default();
    let sampled: Sampled<_, _, 128> = Sampled::new(FromGlobal::new(&Global), &tally, 500);
    std::thread::scope(|scope| {
        let sampled = &sampled;
        for thread in 0..2 {
            let (give, take) = std::sync::mpsc::sync_channel(64);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let block = OwnedBlock::new(sampled, layout(1 + (round * 37 + thread) % 900)).unwrap();
                    give.send(block).unwrap();
                }
            });
            scope.spawn(move || take.into_iter().for_each(drop));
        }
    });
    let counts = sampled.counts();
    let (allocated, released) = (tally.allocated.load(Relaxed), tally.released.load(Relaxed));
    assert_eq!((counts.taken, counts.released, counts.live()), (allocated, released, 0));
    assert!(allocated > ROUNDS / 10, "{counts:?}");
    assert_eq!(tally.bytes.load(Relaxed), 0, "each release named the size of its request");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: conformance::cases(60),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_observer_knows_exactly_the_live_samples(
        len in 200_usize..60_000, interval in prop_oneof![Just(0_usize), 1_usize..5000], seed: u64, ops in model::ops(),
    ) {
        let mut bytes = Box::new_uninit_slice(len).into_vec();
        let heard = Heard::default();
        let sampled: Sampled<Tlsf<'_>, _, 64> =
            Sampled::with_seed(Tlsf::over(&mut bytes).unwrap(), &heard, interval, seed);
        model::run(&sampled, ops, |_| {}, |shadow| {
            let live = heard.live.borrow();
            for (address, sample) in live.iter() {
                let known = shadow.live.get(address).map(|live| (live.size, live.align));
                prop_assert_eq!(known, Some((sample.size, sample.align)));
            }
            prop_assert_eq!(live.len(), sampled.counts().live());
            if interval == 0 && sampled.counts().skipped == 0 {
                prop_assert_eq!(live.len(), shadow.live.len());
            }
            model::sound(&sampled, shadow)
        })?;
        prop_assert_eq!(sampled.inner().usage().used, 0);
    }
}
