//! Loom: the lock and the journal, with a process that dies, in every interleaving of small cases, on the real code.
//!
//! A process that dies is a thread whose stores have no effect from some point on; its death is told by a store and a load that synchronise, as
//! the kernel's answer does. Whoever holds the lock writes a payload cell, so a missing happens-before is a reported race.
//!
//! Not modelled: the blocks; they are words that change under the lock, and `crash_tests` cuts each change off at each store.

extern crate alloc;

use alloc::vec::Vec;
use core::ptr::NonNull;

use loom::sync::Arc;
use loom::thread;
use stratalloc_primitives::primitive::atomic::{AtomicBool, AtomicU64, Ordering};
use stratalloc_primitives::primitive::cell::UnsafeCell;

use super::fuse::Fuse;
use super::journal::Change;
use super::layout::{AT_BLOCKS, AT_JOURNAL_COUNT, AT_TAKEOVERS};
use super::lock::{self, Processes};
use super::words::Words;

/// Two words that every operation makes differ by nothing.
const LEFT: u64 = AT_BLOCKS;
const RIGHT: u64 = AT_BLOCKS + 1;

/// Words that the models touch: the first ones, the journal's first entries, and the two above.
struct World {
    words: Vec<AtomicU64>,
    payload: UnsafeCell<u64>,
    dead: AtomicBool,
}

// SAFETY: the payload is touched by the lock's holder only, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

const VICTIM: u64 = 1;

impl Processes for World {
    fn is_alive(&self, mark: u64) -> bool {
        mark != VICTIM || !self.dead.load(Ordering::Acquire)
    }

    fn wait(&self, _attempts: u32) {
        thread::yield_now();
    }
}

impl World {
    fn new() -> Arc<Self> {
        let words = (0..RIGHT + 1).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { words, payload: UnsafeCell::new(0), dead: AtomicBool::new(false) })
    }

    fn words(&self) -> Words<'_> {
        // SAFETY: the vector's words, accessed as atomics only.
        unsafe { Words::new(NonNull::from(self.words.as_slice()).cast(), self.words.len() as u64) }
    }

    /// One operation of a process: both words one higher.
    fn step(&self, words: &Words<'_>, mark: u64, lives: impl FnOnce() -> bool) {
        let lock = lock::acquire(words, mark, self);
        if lives() {
            assert_eq!(words.get(AT_JOURNAL_COUNT), 0, "LOCK-REST");
            assert_eq!(words.get(LEFT), words.get(RIGHT), "whole operations only");
            // SAFETY: the lock is held; loom reports it if that is wrong.
            self.payload.with_mut(|payload| unsafe { *payload += 1 });
        }
        let mut change = Change::new(words);
        change.add(LEFT, 1);
        change.add(RIGHT, 1);
        change.commit();
        drop(lock);
    }

    /// The same by the process that dies after so many stores.
    fn die(&self, stores: u64) {
        let fuse = Fuse::new(stores);
        self.step(&self.words().with_fuse(&fuse), VICTIM, || !fuse.is_burnt());
        self.dead.store(true, Ordering::Release);
    }

    fn live(&self, mark: u64) {
        self.step(&self.words(), mark, || true);
    }
}

fn check(preemptions: Option<usize>, body: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.max_branches = 20_000;
    model.check(body);
}

/// Two threads of living processes take turns.
///
/// Weakened and seen failing: the lock's exchange relaxed, the store that gives it back relaxed: "Concurrent write accesses to `UnsafeCell`".
#[test]
fn loom_one_at_a_time_sees_what_the_other_did() {
    check(None, || {
        let world = World::new();
        let threads = [2, 3].map(|mark| {
            let world = world.clone();
            thread::spawn(move || world.live(mark))
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((world.words().get(LEFT), world.words().get(RIGHT)), (2, 2));
    });
}

/// The stores of one operation: lock, two changes of four stores each, commit, unlock.
const STORES: core::ops::RangeInclusive<u64> = 1..=11;

/// What is left after a process died with so many stores done, and `living` others did an operation each.
fn check_end(world: &World, stores: u64, living: u64) {
    let words = world.words();
    // The tenth store commits, the eleventh gives the lock back.
    let done = living + u64::from(stores >= 10);
    assert_eq!((words.get(LEFT), words.get(RIGHT)), (done, done), "{stores}");
    assert_eq!(words.get(AT_TAKEOVERS), u64::from(stores < 11), "{stores}");
}

/// A process dies after each number of stores, while another one waits for the lock or has it.
///
/// Weakened and seen failing: no undo: "LOCK-REST"; exchange or store relaxed: as above.
#[test]
fn loom_a_process_dies_while_another_works() {
    for stores in STORES {
        check(Some(3), move || {
            let world = World::new();
            let victim = world.clone();
            let victim = thread::spawn(move || victim.die(stores));
            let other = world.clone();
            let other = thread::spawn(move || other.live(2));
            victim.join().unwrap();
            other.join().unwrap();
            // Should the other have been first.
            world.live(3);
            check_end(&world, stores, 2);
        });
    }
}

/// Two processes find the lock of a dead one: exactly one takes over, and the other finds its work done.
///
/// Weakened and seen failing: no undo: "LOCK-REST"; exchange or store relaxed: as above.
#[test]
fn loom_a_dead_holder_s_lock_is_taken_over_once() {
    for stores in STORES {
        check(Some(3), move || {
            let world = World::new();
            let victim = world.clone();
            thread::spawn(move || victim.die(stores)).join().unwrap();
            let others = [2, 3].map(|mark| {
                let world = world.clone();
                thread::spawn(move || world.live(mark))
            });
            others.into_iter().for_each(|thread| thread.join().unwrap());
            check_end(&world, stores, 2);
        });
    }
}
