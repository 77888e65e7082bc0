//! Starts one program and waits for its end, invisibly: what happens to us happens to it, and the other way round.
//!
//! ```text
//!   shell ──signals──▶ stratalloc ──passed on, unless the terminal sent them to both──▶ program
//!   shell ◀──stopped──             ◀──stopped (only where a terminal controls jobs)────
//! ```
//! - The program stays in our process group: the terminal's ctrl-C and ctrl-Z reach both of us, and reading from the
//!   terminal works.
//! - Our own signals are blocked and taken off the queue one by one, so none is lost between two calls. A signal that
//!   the kernel sent on behalf of the terminal is not passed on: the program has got it already.
//! - The program starts with the signal mask and dispositions with which *we* were started.
//!
//! **Peak memory.** `ru_maxrss` of a child starts from what it had in memory before `exec`. After `vfork` that is all of
//! ours; after `fork` it is only the pages that the kernel had to copy, which is less than any dynamic program needs. So
//! `fork` is used, and this process stays small.

use core::time::Duration;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use libc::{c_int, pid_t};

use crate::failure::Failure;
use crate::posix::{self, ChildSetup, ChildState, Received, SignalSet};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With this exit status.
    Exited(c_int),
    /// By this signal.
    Signalled(c_int),
}

/// What the kernel accounted to the program, and to the children that it waited for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// From just before the start to the end.
    pub(crate) wall: Duration,
    /// Time in user mode.
    pub(crate) user: Duration,
    /// Time in the kernel.
    pub(crate) system: Duration,
    /// The largest resident size of one process, in KiB.
    pub(crate) peak_rss_kib: u64,
    /// Page faults that needed no disk.
    pub(crate) minor_faults: u64,
    /// Page faults that did.
    pub(crate) major_faults: u64,
    /// Context switches, given up or taken away.
    pub(crate) switches: u64,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its process number.
    pub(crate) process: u32,
    /// How it ended.
    pub(crate) end: End,
    /// What it used.
    pub(crate) usage: Usage,
    /// Somebody asked the command itself to end: no further run should start.
    pub(crate) interrupted: bool,
}

/// Starts `command` and waits for its end.
pub(crate) fn run(mut command: Command) -> Result<Finished, Failure> {
    let gate = Gate::close();
    posix::prepare_child(&mut command, gate.original);
    let start = Instant::now();
    let program = command.get_program().to_owned();
    // The handle is dropped at once: waiting is our business, for `Child::wait` knows nothing of resources.
    let process = command.spawn().map_err(|error| start_failure(Path::new(&program), &error))?.id();
    let (end, usage) = gate
        .watch(process.cast_signed())
        .map_err(|error| Failure::own(format_args!("cannot wait for process {process}"), error))?;
    let usage = Usage { wall: start.elapsed(), ..usage };
    Ok(Finished { process, end, usage, interrupted: gate.interrupted() })
}

fn start_failure(program: &Path, error: &io::Error) -> Failure {
    let text = format!("'{}' cannot be started: {error}", program.display());
    match error.raw_os_error() {
        Some(libc::ENOENT) => Failure::NotFound(text),
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ECANCELED) => {
            Failure::Own(text)
        }
        _ => Failure::NotRunnable(text),
    }
}

/// Signals are held back while it lives; its drop restores what was.
struct Gate {
    held: SignalSet,
    original: ChildSetup,
    job_control: bool,
    asked_to_end: core::cell::Cell<bool>,
}

impl Gate {
    fn close() -> Gate {
        let held = SignalSet::of(posix::forwardable().chain([libc::SIGCHLD]));
        // Were SIGCHLD ignored, the kernel would reap the child and nobody could learn how it ended.
        let sigchld = posix::set_disposition(libc::SIGCHLD, libc::SIG_DFL);
        let mask = held.apply(libc::SIG_BLOCK);
        Gate {
            held,
            original: ChildSetup { mask, sigchld, sigpipe: posix::original_sigpipe() },
            job_control: std::fs::File::open("/dev/tty").is_ok(),
            asked_to_end: core::cell::Cell::new(false),
        }
    }

    /// Passes signals on until the child has ended.
    fn watch(&self, child: pid_t) -> io::Result<(End, Usage)> {
        loop {
            match posix::child_state(child)? {
                ChildState::Exited(status, usage) => return Ok((End::Exited(status), accounted(&usage))),
                ChildState::Signalled(signal, usage) => {
                    return Ok((End::Signalled(signal), accounted(&usage)));
                }
                ChildState::Stopped => self.stop_along(child),
                // A SIGCHLD that arrives between the question and the wait is pending, so the wait returns at once.
                ChildState::Same => {
                    if let Some(signal) = self.held.take(None) {
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
        posix::stop_self();
        // Continued. The same SIGCONT, if it was for the whole job, is still queued: once is enough.
        SignalSet::of([libc::SIGCONT]).take(Some(Duration::ZERO));
        posix::send(child, libc::SIGCONT);
    }

    /// Takes what came too late for the child, so that it does not end us before the summary is written.
    fn interrupted(&self) -> bool {
        while let Some(received) = self.held.take(Some(Duration::ZERO)) {
            self.note(received);
        }
        self.asked_to_end.get()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.original.mask.apply(libc::SIG_SETMASK);
        posix::set_disposition(libc::SIGCHLD, self.original.sigchld);
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
    //! Covers the one decision; everything else is in `tests/signals.rs`, with real processes and a real terminal.
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
