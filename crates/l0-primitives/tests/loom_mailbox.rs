//! All interleavings of small cases of [`Mailbox`]; see `loom_stacks.rs` for the method.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use stratalloc_primitives::lockfree::{Mailbox, link};
use stratalloc_primitives::primitive::atomic::{AtomicU32, Ordering};
use stratalloc_primitives::primitive::cell::UnsafeCell;

struct Record {
    link: AtomicU32,
    /// 1 while somebody may push the record: the "notified" flag, inverted (MAIL-OWN).
    free: AtomicU32,
    payload: UnsafeCell<u32>,
}

struct World {
    mailbox: Mailbox,
    records: [Record; 2],
}

// SAFETY: payloads are touched by the record's owner only, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl World {
    fn new() -> Arc<Self> {
        let record = || Record {
            link: AtomicU32::new(link::END),
            free: AtomicU32::new(1),
            payload: UnsafeCell::new(0),
        };
        Arc::new(Self { mailbox: Mailbox::new(), records: [record(), record()] })
    }

    fn touch(&self, index: u32) {
        // SAFETY: the calling thread owns the record; loom reports it if that is wrong.
        self.records[index as usize].payload.with_mut(|payload| unsafe { *payload += 1 });
    }

    /// Pushes `index` if nobody has it in the mailbox. Returns (pushed, the mailbox was empty).
    fn push(&self, index: u32) -> (u32, u32) {
        let record = &self.records[index as usize];
        if record.free.swap(0, Ordering::Acquire) == 0 {
            return (0, 0);
        }
        self.touch(index);
        let first = self.mailbox.push(index, |next| record.link.store(next, Ordering::Relaxed));
        (1, u32::from(first))
    }

    /// Takes all. Returns (elements, the mailbox was not empty).
    fn take(&self) -> (u32, u32) {
        let first = self.mailbox.take_all();
        let mut taken = 0;
        for index in link::walk(first, |index| self.records[index as usize].link.load(Ordering::Relaxed)) {
            self.touch(index);
            taken += 1;
            self.records[index as usize].free.store(1, Ordering::Release);
        }
        (taken, u32::from(first != link::END))
    }
}

fn add(a: (u32, u32), b: (u32, u32)) -> (u32, u32) {
    (a.0 + b.0, a.1 + b.1)
}

/// Two producers of different records, one consumer. Every push arrives once, and each batch that is taken was
/// announced by exactly one "was empty".
#[test]
fn loom_mailbox_two_producers() {
    loom::model(|| {
        let world = World::new();
        let producers = [0, 1].map(|index| {
            let world = world.clone();
            thread::spawn(move || world.push(index))
        });
        let mut taken = world.take();
        let pushed = producers.into_iter().map(|producer| producer.join().unwrap()).reduce(add).unwrap();
        taken = add(taken, world.take());
        assert_eq!(pushed.0, 2);
        assert_eq!(taken, pushed);
    });
}

/// A producer pushes a record, then another, then the first again while the consumer takes: the head can return to an equal
/// value between a producer's load and its exchange.
#[test]
fn loom_mailbox_same_record_again() {
    loom::model(|| {
        let world = World::new();
        let producer = {
            let world = world.clone();
            thread::spawn(move || add(add(world.push(0), world.push(1)), world.push(0)))
        };
        let other = {
            let world = world.clone();
            thread::spawn(move || world.push(1))
        };
        let mut taken = world.take();
        let pushed = add(producer.join().unwrap(), other.join().unwrap());
        taken = add(taken, world.take());
        assert_eq!(taken, pushed);
    });
}
