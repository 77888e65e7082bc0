//! What all read and somebody replaces now and then: `Replicated` beside a lock around an `Arc`, and beside `arc-swap`.

use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;
use stratalloc_strategies::replicated::{Machine, Reader, Replicated};

use super::{Case, Counting};
use crate::sample::{Sample, timed, timed_threads};
use crate::shapes::together;

/// A small routing table; all its words are the version's number.
type Table = [u64; 32];
/// A reader of a mixed run publishes once in so many operations.
const SELDOM: u64 = 1000;

/// A value with versions.
trait Versions: Sync {
    /// What a thread reads with.
    type Reader<'v>
    where
        Self: 'v;
    fn new(value: Table) -> Self;
    fn reader(&self) -> Self::Reader<'_>;
    /// A word of the present version.
    fn read(reader: &Self::Reader<'_>, place: usize) -> u64;
    fn publish(&self, value: Table);
}

impl Versions for Replicated<Table> {
    type Reader<'v> = Reader<'v, Table, Machine, 16>;

    fn reader(&self) -> Self::Reader<'_> {
        self.reader()
    }

    fn new(value: Table) -> Self {
        Replicated::new(Machine, value).expect("there is memory")
    }

    #[inline(always)]
    fn read(reader: &Self::Reader<'_>, place: usize) -> u64 {
        reader.read()[place]
    }

    #[inline(always)]
    fn publish(&self, value: Table) {
        self.publish(value);
    }
}

impl Versions for RwLock<Arc<Table>> {
    type Reader<'v> = &'v Self;

    fn reader(&self) -> &Self {
        self
    }

    fn new(value: Table) -> Self {
        RwLock::new(Arc::new(value))
    }

    /// The lock is held for the clone only, so that a slow reader is in nobody's way.
    #[inline(always)]
    fn read(reader: &&Self, place: usize) -> u64 {
        let present = Arc::clone(&RwLock::read(reader).expect("nobody panics"));
        present[place]
    }

    #[inline(always)]
    fn publish(&self, value: Table) {
        let value = Arc::new(value);
        // The old one is dropped after the lock.
        let old = core::mem::replace(&mut *self.write().expect("nobody panics"), value);
        drop(old);
    }
}

impl Versions for ArcSwap<Table> {
    type Reader<'v> = &'v Self;

    fn reader(&self) -> &Self {
        self
    }

    fn new(value: Table) -> Self {
        ArcSwap::from_pointee(value)
    }

    #[inline(always)]
    fn read(reader: &&Self, place: usize) -> u64 {
        reader.load()[place]
    }

    #[inline(always)]
    fn publish(&self, value: Table) {
        self.store(Arc::new(value));
    }
}

fn reads<V: Versions>(versions: &V, operations: u64) -> u64 {
    let reader = versions.reader();
    (0..operations).fold(0, |sum: u64, index| sum.wrapping_add(V::read(&reader, index as usize % 32)))
}

/// Each publishes a version of its own content; the sum at the end is that of the last.
fn publications<V: Versions>(versions: &V, operations: u64) -> u64 {
    (0..operations).for_each(|index| versions.publish([index; 32]));
    V::read(&versions.reader(), 0)
}

/// What a single thread does.
fn alone<V: Versions>(work: fn(&V, u64) -> u64) -> impl Fn(u64) -> Sample {
    move |operations| {
        let versions = V::new([7; 32]);
        work(&versions, operations / 10);
        timed(operations, || work(&versions, operations))
    }
}

/// Threads read; each publishes once in [`SELDOM`] operations, if there is any writing. What is read depends on the threads' order, so all versions are equal.
fn beside<V: Versions>(threads: usize, writing: bool) -> impl Fn(u64) -> Sample {
    move |operations| {
        let versions = V::new([7; 32]);
        let work = |operations: u64| {
            together(threads, |_| {
                let reader = versions.reader();
                (0..operations / threads as u64).fold(0, |sum: u64, index| {
                    if writing && index % SELDOM == 0 {
                        versions.publish([7; 32]);
                    }
                    sum.wrapping_add(V::read(&reader, index as usize % 32))
                })
            })
        };
        work(operations / 10);
        timed_threads(operations, || work(operations))
    }
}

/// The three in one shape.
macro_rules! three {
    ($name:literal, $models:literal, $operations:literal, $run:ident($($argument:expr),*)) => {
        Case::new($name, $models, $operations)
            .ours("Replicated", $run::<Replicated<Table>>($($argument),*))
            .peer("RwLock<Arc<T>>", $run::<RwLock<Arc<Table>>>($($argument),*))
            .peer("arc-swap", $run::<ArcSwap<Table>>($($argument),*))
    };
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        three!(
            "replicated-read",
            "a word of a table of 256 bytes that others may replace",
            2_000_000,
            alone(reads)
        ),
        three!("replicated-publish", "the table replaced, without readers", 500_000, alone(publications)),
        three!("replicated-read-4", "the same word read by four threads", 2_000_000, beside(4, false))
            .counting(Counting::No),
        three!(
            "replicated-mixed-4",
            "four threads read, and each replaces the table once in a thousand operations",
            2_000_000,
            beside(4, true)
        )
        .counting(Counting::No),
    ]
}
