//! All interleavings of small cases of [`SpinLock`]: a payload that the lock protects is touched by one thread at a time, and each sees
//! what the one before wrote.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use stratalloc_modifiers::{RawLock, SpinLock};
use stratalloc_primitives::primitive::cell::UnsafeCell;

struct World {
    lock: SpinLock,
    payload: UnsafeCell<u32>,
}

// SAFETY: the payload is touched under the lock only, which is what the model checks.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

fn visit(world: &World) {
    world.lock.acquire();
    // SAFETY: we hold the lock; loom reports it if another thread is here, or if its write may not have arrived.
    world.payload.with_mut(|payload| unsafe { *payload += 1 });
    // SAFETY: acquired above.
    unsafe { world.lock.release() };
}

#[test]
fn two_threads_take_turns() {
    loom::model(|| {
        let world = Arc::new(World { lock: SpinLock::new(), payload: UnsafeCell::new(0) });
        let threads = [(); 1].map(|()| {
            let world = world.clone();
            thread::spawn(move || visit(&world))
        });
        visit(&world);
        for thread in threads {
            thread.join().unwrap();
        }
        // SAFETY: all threads have ended.
        assert_eq!(world.payload.with(|payload| unsafe { *payload }), 2);
    });
}
