//! How a program ended, or why it did not start.

use core::fmt;
use std::io;
use std::path::Path;

use libc::c_int;

use super::signals::signal_name;
use crate::curve::Curve;
use crate::usage::Usage;

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

/// Why `program` could not be started, from what the system said.
pub(super) fn start_failure(program: &Path, error: &io::Error) -> LaunchError {
    let text = format!("'{}' cannot be started: {error}", program.display());
    match error.raw_os_error() {
        Some(libc::ENOENT) => LaunchError::NotFound(text),
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ECANCELED) => {
            LaunchError::System(text)
        }
        _ => LaunchError::NotRunnable(text),
    }
}
