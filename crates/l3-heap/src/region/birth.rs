//! Making something once, by whoever comes first, without a lock that a fork could leave held.
//!
//! ```text
//!   UNBORN ── CAS ──► BEING_BORN ── made ──► READY
//!      ▲                  │
//!      └───── failed ─────┘    a child forked in between makes it anew
//! ```
//!
//! - **B1** Whoever turned the state to BEING_BORN, or took that over, is the only one that makes; it leaves READY or UNBORN.
//! - **B2** BEING_BORN names the maker, process and thread. A handler that interrupted the maker finds itself and gives up at
//!   once. A thread of the same process waits: for some system calls of another thread, which take long where that
//!   thread does not run, or on a slow system (wine: 160 ms); the bound is for those that somebody has stopped.
//! - **B3** A child of a fork, where the maker does not exist, finds another process and takes over. A child of `vfork`, which
//!   has another process id too, shares the memory with the maker, who goes on meanwhile: it takes over after a while only,
//!   when the maker is done.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | READY: store | Release | load | what was made |
//! | UNBORN: store | Release | CAS | what a failed attempt left |
//! | state: load, CAS | Acquire | stores | both |

use stratalloc_platform::{process, thread};
use stratalloc_primitives::primitive::atomic::{AtomicU64, Ordering};

const UNBORN: u64 = 0;
/// As if made by thread 1 of process 0, which there is not.
const READY: u64 = 1;

/// How often a thread looks whether a few system calls of another are done, where it can do something else then (here: take over from another
/// process): 1000 times without a rest, 100 times after a millisecond.
pub(super) const PATIENCE: u32 = 1_100;
/// How often it looks before it gives up on a thread of its own process: some ten seconds.
const LIMIT: u32 = 11_000;

/// The state of something that is made once; valid when all bytes are zero.
pub(crate) struct Birth {
    /// `UNBORN`, `READY`, or the maker: its process in the upper half, its thread in the lower one.
    state: AtomicU64,
}

impl Birth {
    pub(crate) const fn new() -> Self {
        Self { state: AtomicU64::new(UNBORN) }
    }

    /// True once it is made.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.state.load(Ordering::Acquire) == READY
    }

    /// Makes it with `make` unless it is made; true if it is then. Waits for another thread that is at it.
    #[cold]
    pub(crate) fn ensure(&self, make: impl FnOnce() -> bool) -> bool {
        let me = u64::from(process::id()) << 32 | u64::from(thread::id());
        let mut look = 0;
        loop {
            let state = self.state.load(Ordering::Acquire);
            let is_other_process = state >> 32 != me >> 32;
            match state {
                READY => return true,
                UNBORN => {}
                maker if maker == me => return false,
                _ if is_other_process && look >= PATIENCE => {}
                _ if look >= LIMIT => return false,
                _ => {
                    thread::wait(look);
                    look += 1;
                    continue;
                }
            }
            if self.state.compare_exchange(state, me, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                let made = make();
                self.state.store(if made { READY } else { UNBORN }, Ordering::Release);
                return made;
            }
        }
    }
}

// Not covered: the ordering (the same pattern as a spin lock's), a fork in the window itself.
#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use super::*;
    use stratalloc_primitives::primitive::atomic::AtomicU32;

    /// As another finds it while this thread of this process is at work, or was when the process was forked.
    fn interrupted(process: u32, thread: u32) -> Birth {
        Birth { state: AtomicU64::new(u64::from(process) << 32 | u64::from(thread)) }
    }

    #[test]
    fn it_is_made_once_and_again_after_a_failure() {
        let birth = Birth::new();
        assert!(!birth.is_done());
        assert!(!birth.ensure(|| false));
        assert!(!birth.is_done());
        assert!(birth.ensure(|| true));
        assert!(birth.is_done());
        assert!(birth.ensure(|| unreachable!("it is made")));
    }

    #[test]
    fn a_child_makes_anew_what_its_parent_had_begun() {
        let birth = interrupted(process::id() + 1, thread::id());
        assert!(birth.ensure(|| true));
        assert!(birth.is_done());
    }

    #[test]
    fn a_handler_that_interrupted_the_maker_gives_up() {
        let birth = interrupted(process::id(), thread::id());
        assert!(!birth.ensure(|| unreachable!("the maker is at it")));
    }

    #[test]
    fn one_of_many_threads_makes_it_and_all_wait_for_it() {
        let (birth, made) = (Birth::new(), AtomicU32::new(0));
        // A maker whose system calls are slow: wine's took longer than the others had patience once.
        let make = || {
            (0..300).for_each(|_| thread::wait(u32::MAX));
            made.fetch_add(1, Ordering::Relaxed) == 0
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(birth.ensure(make)));
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
