//! What a further run of the program reads: the same file again, or nothing.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Stdio;

use crate::failure::Failure;

/// Opening this opens the file anew, with a position of its own.
const OWN_INPUT: &str = "/proc/self/fd/0";

/// Standard input as it was at our start.
pub(crate) struct Input {
    /// Where the file stood; `None` when it is not a file.
    position: Option<u64>,
    is_empty: bool,
}

impl Input {
    /// Called before the first run, which moves the position that it shares with us.
    pub(crate) fn find() -> Input {
        let is_file = fs::metadata(OWN_INPUT).is_ok_and(|data| data.is_file());
        let is_empty = fs::canonicalize(OWN_INPUT).is_ok_and(|path| path == Path::new("/dev/null"));
        let shared = io::stdin().as_fd().try_clone_to_owned().map(File::from);
        let position = shared.ok().filter(|_| is_file).and_then(|mut file| file.stream_position().ok());
        Input { position, is_empty }
    }

    /// Whether further runs cannot read what the first one does.
    pub(crate) fn is_lost(&self) -> bool {
        self.position.is_none() && !self.is_empty
    }

    /// What a further run gets.
    pub(crate) fn again(&self) -> Result<Stdio, Failure> {
        let Some(position) = self.position else { return Ok(Stdio::null()) };
        let failure = |error| Failure::own("cannot read standard input again", error);
        let mut file = File::open(OWN_INPUT).map_err(failure)?;
        file.seek(SeekFrom::Start(position)).map_err(failure)?;
        Ok(file.into())
    }
}
