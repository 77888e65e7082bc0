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

mod gate;
mod limit;
mod outcome;
mod signals;

use core::time::Duration;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::curve::Sampler;
use crate::usage::Usage;
use gate::Gate;
use limit::Limit;
use outcome::start_failure;

pub use outcome::{End, Finished, LaunchError};
pub use signals::{end_by, signal_name};

/// What is done while the program runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    /// Look at its resident size from time to time.
    pub curve: bool,
    /// Kill it when it takes longer.
    pub limit: Option<Duration>,
}

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
    let mut limit = Limit::after(start, watch.limit);
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
