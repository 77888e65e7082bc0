//! [`ProcessLock`]: a lock that is only ever tried, and that a fork cannot leave locked.
//!
//! For work that any thread may do and none must wait for (purging, adopting a dead heap): whoever gets the
//! lock does it, the others go on.
//!
//! ```text
//!   word   0            free
//!          own id       held by a thread of this process: try_acquire gives up
//!          other id     held in another process, of which this one is a copy: stolen
//! ```
//!
//! # Invariants
//!
//! * **LOCK-ID** All callers in one address space pass the same non-zero `process_id`; a copy of the address
//!   space made by `fork` passes another one. (Caller. Not simply `getpid`: a `vfork` child shares the memory
//!   and must not look like another process.)
//! * **LOCK-ONE** At most one guard of a given id exists: it is made by the CAS from a word without that id,
//!   and the word keeps the id until that guard drops or a process with another id steals it.
//! * **LOCK-WHOLE** The data under the lock makes sense after every single step of its writer, for a thief
//!   may find it there: the thread that held the lock did not come along into the child. Or the thief, who can
//!   ask ([`Guard::was_stolen`]), leaves that data alone. (Caller.)
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `try_acquire` load, failed CAS | relaxed | – | a guess |
//! | `try_acquire` CAS | **acquire** | the guard's release | what the last holder wrote |
//! | guard's drop, CAS | **release** | `try_acquire` CAS | what this holder wrote |
//!
//! A steal needs no order of its own: the child's memory is the parent's as of the fork.
//!
//! # Limits
//!
//! * A fork inside a signal handler that interrupted the *holder* leaves the holder alive in the child. When
//!   it goes on there, a second thread of the child may have stolen the lock and both are inside; LOCK-WHOLE
//!   keeps that from doing harm only if the data's steps are atomic. Its guard then finds a foreign id and
//!   leaves the word alone.
//! * A process that gets the very id of a dead ancestor from whom it inherited a held word, through a
//!   generation that never tried the lock, never gets it: the work under the lock is not done there. Nothing
//!   blocks.

use crate::const_unless_loom;
use crate::primitive::atomic::{AtomicU32, Ordering};

/// A try-only lock; see the [module](self).
#[derive(Debug)]
pub struct ProcessLock {
    word: AtomicU32,
}

/// The word of a free lock; no process has this id.
const FREE: u32 = 0;

impl ProcessLock {
    const_unless_loom! {
        /// A free lock. All bits are zero.
        #[must_use]
        pub fn new() -> Self {
            Self { word: AtomicU32::new(FREE) }
        }
    }

    /// Takes the lock if it is free or was inherited over a fork; never waits. `process_id` is not 0
    /// (LOCK-ID).
    #[inline]
    pub fn try_acquire(&self, process_id: u32) -> Option<Guard<'_>> {
        debug_assert!(process_id != FREE);
        let word = self.word.load(Ordering::Relaxed);
        if word == process_id {
            return None;
        }
        // A lost race means that another thread holds it now (or just did): no second try.
        match self.word.compare_exchange(word, process_id, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Some(Guard { lock: self, process_id, stolen: word != FREE }),
            Err(_) => None,
        }
    }

    /// Whether a thread of process `process_id` held the lock a moment ago.
    #[inline]
    #[must_use]
    pub fn is_held(&self, process_id: u32) -> bool {
        self.word.load(Ordering::Relaxed) == process_id
    }
}

impl Default for ProcessLock {
    fn default() -> Self {
        Self::new()
    }
}

/// The lock, held. Dropping it releases.
#[derive(Debug)]
#[must_use = "the lock is released when the guard drops"]
pub struct Guard<'lock> {
    lock: &'lock ProcessLock,
    process_id: u32,
    stolen: bool,
}

impl Guard<'_> {
    /// The last holder never gave the lock back: it is a thread of the process from which this one was forked, and
    /// may have been anywhere in its work.
    #[must_use]
    pub fn was_stolen(&self) -> bool {
        self.stolen
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Not a plain store: if a thief's id stands there (see Limits), the lock is the thief's.
        let _ = self.lock.word.compare_exchange(self.process_id, FREE, Ordering::Release, Ordering::Relaxed);
    }
}

// Not covered here: the orderings (tests/loom_process_lock.rs) and a real fork (the heap's tests).
#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn excludes_within_a_process_until_the_guard_drops() {
        static LOCK: ProcessLock = ProcessLock::new();
        let guard = LOCK.try_acquire(7).unwrap();
        assert!(LOCK.is_held(7));
        assert!(LOCK.try_acquire(7).is_none());
        drop(guard);
        assert!(!LOCK.is_held(7));
        assert!(LOCK.try_acquire(7).is_some());
    }

    #[test]
    fn the_child_of_a_fork_steals_the_lock_and_then_holds_it() {
        let lock = ProcessLock::new();
        let parents = lock.try_acquire(7).unwrap();
        assert!(!parents.was_stolen());
        let childs = lock.try_acquire(8).expect("inherited words are stolen");
        assert!(childs.was_stolen());
        assert!(lock.try_acquire(8).is_none());
        // The parent's guard, should it live on in the child, must not release the thief's lock.
        drop(parents);
        assert!(lock.is_held(8));
        drop(childs);
        assert!(!lock.try_acquire(8).unwrap().was_stolen());
    }

    #[test]
    fn one_of_many_threads_holds_it_at_a_time() {
        const ROUNDS: u32 = if cfg!(miri) { 50 } else { 50_000 };
        let lock = ProcessLock::new();
        let (inside, entered) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        if let Some(_guard) = lock.try_acquire(7) {
                            assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                            entered.fetch_add(1, Ordering::Relaxed);
                            inside.fetch_sub(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert!(entered.into_inner() > 0);
        assert!(!lock.is_held(7));
    }
}
