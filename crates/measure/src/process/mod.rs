//! Starts one program and waits for its end, invisibly: what happens to us happens to it, and the other way round.
//!
//! ```text
//!   shell ──signals──▶ this process ──passed on, unless the terminal sent them to both──▶ program
//!   shell ◀──stopped──               ◀──stopped (only where a terminal controls jobs)────    ▲
//!                                    ───────looks at its resident size, when asked to────────┘
//! ```
//! - The program stays in our process group: the terminal's ctrl-C and ctrl-Z reach both of us, and reading from the
//!   terminal works.
//! - Our own signals are blocked and taken off the queue one by one, so none is lost between two calls. A signal that
//!   the kernel sent on behalf of the terminal is not passed on: the program has got it already.
//! - The program starts with the signal mask and dispositions with which *we* were started.
//!
//! **Peak memory.** `ru_maxrss` of a child starts from what it had in memory before `exec`. After `vfork` that is all of
//! ours; after `fork` it is only the pages that the kernel had to copy: our anonymous ones. So `fork` is used, that size is
//! noted as the *floor* of the run, and a peak above its floor is the program's own. A process that measures stays
//! small; `bench/launch` goes further and has no floor at all.

mod signals;

use core::fmt;
use core::time::Duration;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use libc::{c_int, pid_t};

use crate::curve::{Curve, Sampler};
use crate::usage::Usage;
use signals::{ChildSetup, ChildState, Received, SignalSet};

pub use signals::{end_by, signal_name};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this exit status.
    Exited(c_int),
    /// By this signal.
    Signalled(c_int),
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            End::Exited(status) => write!(out, "status {status}"),
            End::Signalled(signal) => out.write_str(&signal_name(signal)),
        }
    }
}

/// What is done while the program runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    /// Look at its resident size from time to time.
    pub curve: bool,
    /// Kill it when it takes longer.
    pub limit: Option<Duration>,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its process number.
    pub process: u32,
    /// How it ended.
    pub end: End,
    /// What it used.
    pub usage: Usage,
    /// Below this, in KiB, the peak of the resident size would be ours and not the program's.
    pub floor_kib: u64,
    /// Its resident size over time, if that was asked for.
    pub curve: Option<Curve>,
    /// It was killed because it took too long.
    pub timed_out: bool,
    /// Somebody asked this process itself to end: no further run should start.
    pub interrupted: bool,
}

impl Finished {
    /// Whether the peak is the program's own for certain. Between `fork` and `exec` the child also touches pages of our
    /// files, half a MiB or so, that the floor does not know; and the kernel's counts lag behind by some pages per
    /// processor.
    #[must_use]
    pub fn peak_is_its_own(&self) -> bool {
        const TOUCHED_KIB: u64 = 1024;
        self.usage.peak_rss_kib > self.floor_kib + TOUCHED_KIB
    }
}

/// Why a program could not be started or waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchError {
    /// There is no such program.
    NotFound(String),
    /// The program is there and cannot be run.
    NotRunnable(String),
    /// The system has no room for another process, or lost it.
    System(String),
}

impl fmt::Display for LaunchError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (LaunchError::NotFound(text) | LaunchError::NotRunnable(text) | LaunchError::System(text)) = self;
        out.write_str(text)
    }
}

impl core::error::Error for LaunchError {}

/// Held by whoever runs a program: signals are the process's, and two waiting for `SIGCHLD` would take it from each other.
/// (And two programs at a time would measure each other.)
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Starts `command` and waits for its end. Threads that call it at the same time wait for each other.
pub fn run(mut command: Command, watch: Watch) -> Result<Finished, LaunchError> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let gate = Gate::close();
    signals::prepare_child(&mut command, gate.original);
    let floor_kib = anonymous_kib();
    let start = Instant::now();
    let program = command.get_program().to_owned();
    // The handle is dropped at once: waiting is our business, for `Child::wait` knows nothing of resources.
    let process = command.spawn().map_err(|error| start_failure(Path::new(&program), &error))?.id();
    // What is set up for the next run must not hold pipes or files of this one.
    drop(command);
    let page = signals::page_size();
    let mut sampler = if watch.curve { Sampler::new(process, start, page) } else { None };
    let mut limit = Limit { at: watch.limit.map(|limit| start + limit), reached: false };
    let (end, usage) = gate
        .watch(process.cast_signed(), sampler.as_mut(), &mut limit)
        .map_err(|error| LaunchError::System(format!("cannot wait for process {process}: {error}")))?;
    let usage = Usage { wall: start.elapsed(), ..usage };
    Ok(Finished {
        process,
        end,
        usage,
        floor_kib,
        curve: sampler.map(Sampler::finish),
        timed_out: limit.reached,
        interrupted: gate.interrupted(),
    })
}

/// The anonymous memory of this process: what `fork` copies.
fn anonymous_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let field = |index| text.split(' ').nth(index).and_then(|pages| pages.parse::<u64>().ok());
    let pages = field(1).zip(field(2)).map_or(0, |(resident, shared)| resident.saturating_sub(shared));
    pages * signals::page_size() / 1024
}

fn start_failure(program: &Path, error: &io::Error) -> LaunchError {
    let text = format!("'{}' cannot be started: {error}", program.display());
    match error.raw_os_error() {
        Some(libc::ENOENT) => LaunchError::NotFound(text),
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ECANCELED) => {
            LaunchError::System(text)
        }
        _ => LaunchError::NotRunnable(text),
    }
}

/// When a run takes too long.
struct Limit {
    at: Option<Instant>,
    reached: bool,
}

impl Limit {
    fn patience(&self) -> Option<Duration> {
        self.at.filter(|_| !self.reached).map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Kills the child when it is time.
    fn enforce(&mut self, child: pid_t) {
        if self.patience() == Some(Duration::ZERO) {
            self.reached = true;
            signals::send(child, libc::SIGKILL);
        }
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
    /// How long a child that has ended may go unnoticed when its signal went astray.
    const LOOK_AGAIN: Duration = Duration::from_millis(200);

    fn close() -> Gate {
        let held = SignalSet::of(signals::forwardable().chain([libc::SIGCHLD]));
        // Were SIGCHLD ignored, the kernel would reap the child and nobody could learn how it ended.
        let sigchld = signals::set_disposition(libc::SIGCHLD, libc::SIG_DFL);
        let mask = held.apply(libc::SIG_BLOCK);
        Gate {
            held,
            original: ChildSetup { mask, sigchld, sigpipe: signals::original_sigpipe() },
            job_control: std::fs::File::open("/dev/tty").is_ok(),
            asked_to_end: core::cell::Cell::new(false),
        }
    }

    /// Passes signals on until the child has ended, and looks at it meanwhile.
    fn watch(
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
