//! Making something once, by whoever comes first, without a lock that a fork could leave held.
//!
//! ```text
//!   UNBORN ── CAS ──► BEING_BORN ── made ──► READY
//!      ▲                  │
//!      └───── failed ─────┘    a child forked in between makes it anew
//! ```
//!
//! - **B1** Whoever turned the state to BEING_BORN, or took that over, is the only one that makes; it leaves READY or UNBORN.
//! - **B2** A thread that finds BEING_BORN waits: for a few system calls of another thread. The bound of that wait is for
//!   signal handlers that interrupted the maker, and for children of a fork, where the maker does not exist. Only the latter may
//!   take over; a child of `vfork`, which has another process id too, shares the memory with the maker, who goes on
//!   meanwhile and is done long before the wait ends.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | READY: store | Release | load | what was made |
//! | state: load, CAS | Acquire | store | same; after UNBORN, what a failed attempt left |

use stratalloc_platform::{process, thread};
use stratalloc_primitives::primitive::atomic::{AtomicU8, AtomicU32, Ordering};

const UNBORN: u8 = 0;
const BEING_BORN: u8 = 1;
const READY: u8 = 2;

/// The state of something that is made once; valid when all bytes are zero.
pub(crate) struct Birth {
    state: AtomicU8,
    /// Process of the maker.
    maker: AtomicU32,
}

impl Birth {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { state: AtomicU8::new(UNBORN), maker: AtomicU32::new(0) }
    }

    /// True once it is made.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.state.load(Ordering::Acquire) == READY
    }

    /// Makes it with `make` unless it is made; true if it is then. A thread that finds another at it looks `patience` times.
    #[cold]
    pub(crate) fn ensure(&self, patience: u32, make: impl FnOnce() -> bool) -> bool {
        for _ in 0..patience {
            match self.state.compare_exchange(UNBORN, BEING_BORN, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => {
                    self.maker.store(process::id(), Ordering::Relaxed);
                    return self.finish(make());
                }
                Err(READY) => return true,
                Err(_) => thread::yield_now(),
            }
        }
        let (maker, me) = (self.maker.load(Ordering::Relaxed), process::id());
        if maker != 0
            && maker != me
            && self.maker.compare_exchange(maker, me, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            return self.finish(make());
        }
        self.is_done()
    }

    fn finish(&self, made: bool) -> bool {
        self.state.store(if made { READY } else { UNBORN }, Ordering::Release);
        made
    }
}

// Not covered: the ordering (the same pattern as a spin lock's), a fork in the window itself.
#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use super::*;

    /// As a child finds it that was forked while a thread of process `maker` was at work.
    fn interrupted(maker: u32) -> Birth {
        let birth = Birth::new();
        birth.state.store(BEING_BORN, Ordering::Relaxed);
        birth.maker.store(maker, Ordering::Relaxed);
        birth
    }

    #[test]
    fn it_is_made_once_and_again_after_a_failure() {
        let birth = Birth::new();
        assert!(!birth.is_done());
        assert!(!birth.ensure(10, || false));
        assert!(!birth.is_done());
        assert!(birth.ensure(10, || true));
        assert!(birth.is_done());
        assert!(birth.ensure(10, || unreachable!("it is made")));
    }

    #[test]
    fn a_child_makes_anew_what_its_parent_had_begun() {
        let birth = interrupted(process::id() + 1);
        assert!(birth.ensure(10, || true));
        assert!(birth.is_done());
    }

    #[test]
    fn a_handler_that_interrupted_the_maker_gives_up() {
        let birth = interrupted(process::id());
        assert!(!birth.ensure(10, || unreachable!("the maker is at it")));
    }

    #[test]
    fn one_of_many_threads_makes_it() {
        let (birth, made) = (Birth::new(), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    assert!(birth.ensure(1_000_000, || made.fetch_add(1, Ordering::Relaxed) == 0));
                });
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
