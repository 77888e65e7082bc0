//! Why a program was not run. Which exit status that becomes is decided in `main.rs` only.

use core::fmt;
use std::io;

use stratalloc_measure::LaunchError;

/// A reason, with the text for the person who typed the command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no such program.
    NotFound(String),
    /// The program is there, and cannot be run, or not on this heap.
    NotRunnable(String),
    /// The command itself could not do its part.
    Own(String),
}

impl Failure {
    /// A failure of our own: what was being done, and the system's answer.
    pub(crate) fn own(doing: impl fmt::Display, error: impl fmt::Display) -> Failure {
        Failure::Own(format!("{doing}: {error}"))
    }

    /// Whether an answer was written; a reader that has gone (`| head`) has read enough.
    pub(crate) fn unless_answered(written: io::Result<()>, doing: &str) -> Result<(), Failure> {
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::own(doing, error)),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::NotFound(text) | Failure::NotRunnable(text) | Failure::Own(text)) = self;
        out.write_str(text)
    }
}

impl From<LaunchError> for Failure {
    fn from(error: LaunchError) -> Failure {
        match error {
            LaunchError::NotFound(text) => Failure::NotFound(text),
            LaunchError::NotRunnable(text) => Failure::NotRunnable(text),
            LaunchError::System(text) => Failure::Own(text),
        }
    }
}
