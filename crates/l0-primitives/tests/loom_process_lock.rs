//! All interleavings of small cases of [`ProcessLock`]; see `loom_stacks.rs` for the method.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use stratalloc_primitives::ProcessLock;
use stratalloc_primitives::primitive::cell::UnsafeCell;

const PARENT: u32 = 7;
const CHILD: u32 = 8;

struct World {
    lock: ProcessLock,
    payload: UnsafeCell<u32>,
}

// SAFETY: the payload is touched under the lock only, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl World {
    /// Adds one to the payload if the lock is to be had.
    fn visit(&self, process_id: u32) -> u32 {
        let Some(guard) = self.lock.try_acquire(process_id) else { return 0 };
        // SAFETY: we hold the lock; loom reports it if another thread is here.
        self.payload.with_mut(|payload| unsafe { *payload += 1 });
        drop(guard);
        1
    }
}

/// Two threads try twice and once; whoever gets in sees what the one before did.
fn visits(process_id: u32, inherited: bool) {
    let world = Arc::new(World { lock: ProcessLock::new(), payload: UnsafeCell::new(0) });
    if inherited {
        // The holder's thread exists in the parent only, so here nobody drops its guard.
        core::mem::forget(world.lock.try_acquire(PARENT));
    }
    let threads = [1, 2].map(|times| {
        let world = world.clone();
        thread::spawn(move || (0..times).map(|_| world.visit(process_id)).sum::<u32>())
    });
    let visits: u32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(visits >= 1, "a free or inherited lock was given to nobody");
    // SAFETY: all threads have ended.
    assert_eq!(world.payload.with(|payload| unsafe { *payload }), visits);
    assert_eq!(world.visit(process_id), 1, "the lock stayed taken");
}

/// Weakened and seen failing: acquiring exchange relaxed, releasing exchange relaxed, the word taken by a
/// store: "Concurrent write accesses to `UnsafeCell`".
#[test]
fn loom_process_lock_excludes() {
    loom::model(|| visits(PARENT, false));
}

/// Notices the same weakenings; the third one is the steal of the same word by two threads.
#[test]
fn loom_process_lock_is_stolen_by_one_thread() {
    loom::model(|| visits(CHILD, true));
}
