//! What happens to us happens to the program: signals are held back, taken one by one and passed on, until it has ended.

use core::cell::Cell;
use core::time::Duration;
use std::fs::File;
use std::io;

use libc::{c_int, pid_t};

use super::limit::Limit;
use super::outcome::End;
use super::signals::{self, ChildSetup, ChildState, Received, SignalSet};
use crate::curve::Sampler;
use crate::usage::Usage;

/// Signals are held back while it lives; its drop restores what was.
pub(super) struct Gate {
    held: SignalSet,
    /// What the program is to start with.
    pub(super) original: ChildSetup,
    job_control: bool,
    asked_to_end: Cell<bool>,
}

impl Gate {
    /// How long a child that has ended may go unnoticed when its signal went astray.
    const LOOK_AGAIN: Duration = Duration::from_millis(200);

    pub(super) fn close() -> Gate {
        let held = SignalSet::of(signals::forwardable().chain([libc::SIGCHLD]));
        // Were SIGCHLD ignored, the kernel would reap the child and nobody could learn how it ended.
        let sigchld = signals::set_disposition(libc::SIGCHLD, libc::SIG_DFL);
        let mask = held.apply(libc::SIG_BLOCK);
        Gate {
            held,
            original: ChildSetup { mask, sigchld, sigpipe: signals::original_sigpipe() },
            job_control: File::open("/dev/tty").is_ok(),
            asked_to_end: Cell::new(false),
        }
    }

    /// Passes signals on until the child has ended, and looks at it meanwhile.
    pub(super) fn watch(
        &self,
        child: pid_t,
        mut sampler: Option<&mut Sampler>,
        limit: &mut Limit,
    ) -> io::Result<(End, Usage)> {
        loop {
            if let Some(sampler) = &mut sampler {
                sampler.look();
            }
            limit.enforce(child);
            match signals::child_state(child)? {
                ChildState::Exited(status, usage) => return Ok((End::Exited(status), accounted(&usage))),
                ChildState::Signalled(signal, usage) => {
                    return Ok((End::Signalled(signal), accounted(&usage)));
                }
                ChildState::Stopped => self.stop_along(child),
                // A SIGCHLD that arrives between the question and the wait is pending, so the wait returns at once. But another
                // thread of this process, which does not hold signals back, may have been given it.
                ChildState::Same => {
                    let next_look = sampler.as_ref().map(|sampler| sampler.patience());
                    let patience =
                        next_look.into_iter().chain(limit.patience()).fold(Self::LOOK_AGAIN, Duration::min);
                    if let Some(signal) = self.held.take(Some(patience)) {
                        self.pass_on(signal, child);
                    }
                }
            }
        }
    }

    fn pass_on(&self, received: Received, child: pid_t) {
        if received.signal == libc::SIGCHLD {
            return;
        }
        self.note(received);
        // What the child itself sends to its group or its parent is not sent back to it.
        if !is_from_terminal(received) && received.sender != child {
            received.pass_on(child);
        }
    }

    fn note(&self, received: Received) {
        const ENDING: [c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];
        if ENDING.contains(&received.signal) {
            self.asked_to_end.set(true);
        }
    }

    /// The child is stopped. Where a shell controls jobs it must see us stopped, or it would wait for a job that cannot
    /// go on. Without a terminal nobody would continue us, so we just wait for the child to be continued.
    fn stop_along(&self, child: pid_t) {
        if !self.job_control {
            return;
        }
        signals::stop_self();
        // Continued. The same SIGCONT, if it was for the whole job, is still queued: once is enough.
        SignalSet::of([libc::SIGCONT]).take(Some(Duration::ZERO));
        signals::send(child, libc::SIGCONT);
    }

    /// Takes what came too late for the child, so that it does not end us before the summary is written.
    pub(super) fn interrupted(&self) -> bool {
        while let Some(received) = self.held.take(Some(Duration::ZERO)) {
            self.note(received);
        }
        self.asked_to_end.get()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.original.mask.apply(libc::SIG_SETMASK);
        signals::set_disposition(libc::SIGCHLD, self.original.sigchld);
    }
}

/// Whether the kernel sent the signal for the terminal, and thus to every process of the foreground group.
fn is_from_terminal(received: Received) -> bool {
    const OF_TERMINALS: [c_int; 8] = [
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGHUP,
        libc::SIGCONT,
        libc::SIGWINCH,
    ];
    received.from_kernel && OF_TERMINALS.contains(&received.signal)
}

fn accounted(usage: &libc::rusage) -> Usage {
    let count = |value: libc::c_long| u64::try_from(value).unwrap_or(0);
    let time = |value: libc::timeval| {
        let micros = u32::try_from(value.tv_usec).unwrap_or(0);
        Duration::new(u64::try_from(value.tv_sec).unwrap_or(0), micros * 1000)
    };
    Usage {
        wall: Duration::ZERO,
        user: time(usage.ru_utime),
        system: time(usage.ru_stime),
        peak_rss_kib: count(usage.ru_maxrss),
        minor_faults: count(usage.ru_minflt),
        major_faults: count(usage.ru_majflt),
        switches: count(usage.ru_nvcsw) + count(usage.ru_nivcsw),
    }
}

#[cfg(test)]
mod tests {
    //! Covers the one decision; everything else is in `tests/process.rs`, and
    //! with a real terminal in the tests of the command.
    use super::*;

    #[test]
    fn only_what_a_terminal_sends_is_held_back() {
        let is_held_back =
            |signal, from_kernel| is_from_terminal(Received { signal, from_kernel, sender: 0, value: None });
        assert!(is_held_back(libc::SIGINT, true));
        assert!(!is_held_back(libc::SIGINT, false), "somebody sent it to us alone");
        assert!(!is_held_back(libc::SIGALRM, true), "a timer of ours, which the program does not have");
    }
}
