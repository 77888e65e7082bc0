//! Which signals of this thread wait: work that no handler interrupts.

use crate::sys::{self, nr};

/// The kernel's set of signals: one bit each, on every architecture.
pub(crate) type Set = u64;

/// Every bit; the kernel leaves out `SIGKILL` and `SIGSTOP`, which cannot be held back.
const EVERY: Set = Set::MAX;

/// Runs `work` with every signal of this thread held back until it is done. What came meanwhile is delivered then.
///
/// By the kernel's call, which unlike libc's leaves out no signal that libc keeps for itself. May be called before
/// `main`, in a signal handler, after `fork`. A fault in `work` ends the process: its signal cannot wait.
pub fn held_back<T>(work: impl FnOnce() -> T) -> T {
    let before = replace(EVERY);
    let result = work();
    replace(before);
    result
}

/// The set of one signal.
pub(crate) const fn bit(signal: usize) -> Set {
    1 << (signal - 1)
}

/// Holds back what is in `back` from now on, and then no longer what is in `through`.
pub(crate) fn change(back: Set, through: Set) {
    const BLOCK: usize = 0;
    const UNBLOCK: usize = 1;
    ask(BLOCK, back);
    ask(UNBLOCK, through);
}

/// Makes `mask` the calling thread's, and returns the one before.
fn replace(mask: Set) -> Set {
    const SET_MASK: usize = 2;
    ask(SET_MASK, mask)
}

/// Changes the calling thread's mask, and returns the one before. The kernel has no reason to refuse.
#[inline(never)] // several times in each user: small is better than near
fn ask(how: usize, mask: Set) -> Set {
    let mut before: Set = 0;
    let mask = (&raw const mask).expose_provenance();
    let args = [how, mask, (&raw mut before).expose_provenance(), size_of::<Set>(), 0, 0];
    // SAFETY: rt_sigprocmask reads 8 bytes from `mask` and writes 8 to `before`.
    let _ = unsafe { sys::call(nr::RT_SIGPROCMASK, args) };
    before
}

#[cfg(test)]
mod tests {
    //! Not covered: that a signal sent meanwhile really waits; the summaries' tests (`tests/capi/ends.c`) send some.
    use super::*;

    #[test]
    #[cfg_attr(any(miri, windows), ignore = "no signals")]
    fn every_signal_waits_while_the_work_runs_and_none_after() {
        const KILL_AND_STOP: Set = 1 << 8 | 1 << 18;
        const EMULATOR_S: Set = 0b11 << 62; // qemu keeps two for itself
        let before = replace(0);
        // Asks by putting in what is there.
        let inside = held_back(|| replace(EVERY));
        assert_eq!(inside | KILL_AND_STOP | EMULATOR_S, EVERY);
        assert_eq!(replace(before), 0, "the mask from before is back");
    }

    #[test]
    #[cfg_attr(any(miri, windows), ignore = "no signals")]
    fn single_signals_are_held_back_and_let_through() {
        let before = replace(bit(1));
        change(bit(10) | bit(12), bit(1) | bit(12));
        assert_eq!(replace(before), bit(10));
    }

    #[test]
    fn the_work_is_done_and_its_result_returned() {
        assert_eq!(held_back(|| 7), 7);
    }
}
