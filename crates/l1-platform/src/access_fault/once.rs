//! [`Once`]: something that is done once, if it can be done, also when several threads come for it, and after a `fork` in the middle.
//!
//! ```text
//!   0, not done ◄── failed ── process id of who does it ── succeeded ──► DONE
//! ```
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | look, claim (CAS) | **acquire** | the store of the outcome | what was done |
//! | outcome | **release** | the next look | as above |

use core::sync::atomic::{AtomicU32, Ordering};

const NOT_DONE: u32 = 0;
/// No process has this number: they are positive `i32`s.
const DONE: u32 = u32::MAX;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Once(AtomicU32);

impl Once {
    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(NOT_DONE))
    }

    /// Does `work`, unless that was done with success before. Who comes while another thread of the same process is at it calls `wait`
    /// until the outcome is there, and has a try of its own if that was a failure. What the parent of this process had begun
    /// nobody goes on with here: it is done again.
    ///
    /// `process` is the number of the present process. Not to be interrupted by somebody who calls it, too.
    pub(super) fn call<E>(
        &self,
        process: u32,
        work: impl FnOnce() -> Result<(), E>,
        wait: impl Fn(),
    ) -> Result<(), E> {
        let mut state = self.0.load(Ordering::Acquire);
        loop {
            match state {
                DONE => return Ok(()),
                busy if busy == process => {
                    wait();
                    state = self.0.load(Ordering::Acquire);
                }
                open => match self.0.compare_exchange(open, process, Ordering::Acquire, Ordering::Acquire) {
                    Ok(_) => break,
                    Err(now) => state = now,
                },
            }
        }
        let outcome = work();
        self.0.store(if outcome.is_ok() { DONE } else { NOT_DONE }, Ordering::Release);
        outcome
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    fn unexpected() {
        panic!("nobody is at it");
    }

    #[test]
    fn it_is_done_until_it_succeeds_and_then_no_more() {
        let once = Once::new();
        assert_eq!(once.call(7, || Err("first"), unexpected), Err("first"));
        assert_eq!(once.call(7, || Ok::<_, &str>(()), unexpected), Ok(()));
        assert_eq!(once.call(7, || Err("done before"), unexpected), Ok(()));
    }

    #[test]
    fn who_comes_meanwhile_waits_for_the_outcome_and_tries_again_after_a_failure() {
        let once = &Once::new();
        let (came, second_came) = mpsc::channel();
        let (began, first_began) = mpsc::channel();
        thread::scope(|scope| {
            let first = scope.spawn(move || {
                let work = || {
                    began.send(()).expect("somebody listens");
                    second_came.recv().expect("the second waits, or has returned");
                    Err("first")
                };
                once.call(7, work, unexpected)
            });
            let second = scope.spawn(move || {
                first_began.recv().expect("the first is at it");
                let wait = || {
                    let _ = came.send(());
                    thread::yield_now();
                };
                let outcome = once.call(7, || Err("second"), wait);
                let _ = came.send(());
                outcome
            });
            assert_eq!(first.join().expect("no panic"), Err("first"));
            assert_eq!(second.join().expect("no panic"), Err("second"), "not done, and not said to be");
        });
    }

    #[test]
    fn a_child_does_not_wait_for_what_its_parent_began() {
        let once = Once::new();
        let inside = || once.call(8, || Ok::<_, &str>(()), unexpected);
        assert_eq!(once.call(7, inside, unexpected), Ok(()));
    }
}
