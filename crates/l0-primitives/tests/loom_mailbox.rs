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

type Body = fn(&World) -> (u32, u32);

/// Runs producers and a consumer; whatever the consumer missed is taken at the end. Every push arrives once,
/// and each batch that is taken was announced by exactly one "was empty".
fn run<const N: usize>(producers: [Body; N], consumer: Body) {
    let world = World::new();
    let spawn = |body: Body| {
        let world = world.clone();
        thread::spawn(move || body(&world))
    };
    let producers = producers.map(spawn);
    let consumer = spawn(consumer);
    let pushed = producers.into_iter().map(|producer| producer.join().unwrap()).reduce(add).unwrap();
    let taken = add(consumer.join().unwrap(), world.take());
    assert_eq!(taken, pushed, "(elements, batches)");
}

/// Checks `body` with at most `preemptions` involuntary thread switches (`None`: in all orders there are).
fn check(preemptions: Option<usize>, body: fn()) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(body);
}

/// Weakened and seen failing: `push` exchange relaxed, `take_all` swap relaxed: "Concurrent write accesses to
/// `UnsafeCell`"; `take_all` as a load and a store: "assertion `left == right` failed: (elements, batches)".
#[test]
fn loom_mailbox_two_producers() {
    check(None, || run([|world| world.push(0), |world| world.push(1)], World::take));
}

/// The consumer hands a record back and it is pushed again: the head can return to an equal value between a
/// producer's load and its exchange. Notices the same weakenings.
#[test]
fn loom_mailbox_same_record_again() {
    // Unbounded it takes four minutes (and passes).
    check(Some(3), || {
        run([|world| add(world.push(0), world.push(0)), |world| world.push(1)], |world| {
            add(world.take(), world.take())
        });
    });
}
