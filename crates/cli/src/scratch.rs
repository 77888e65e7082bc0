//! The private folder of one run: summaries of the processes, and the library when no cache will take it.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// How many names are tried; a taken one means a dead process with our number.
const ATTEMPTS: u32 = 100;

/// A folder that only this user may enter, removed with everything in it when dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder, in `TMPDIR` or `/tmp`.
    pub(crate) fn new() -> Result<Scratch, Failure> {
        let base = env::temp_dir();
        // The program may change its folder: the path must not depend on it.
        let base = fs::canonicalize(&base).map_err(|error| {
            Failure::own(format_args!("folder for temporary files {}", base.display()), error)
        })?;
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            let path = base.join(format!("stratalloc-{}-{attempt}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Scratch(path)),
                Err(error) => last = Some(error),
            }
        }
        let error = last.map_or_else(String::new, |error| error.to_string());
        Err(Failure::own(format_args!("cannot make a folder in {}", base.display()), error))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left-overs in a temporary folder are no reason to fail a run that went well.
        let _ = fs::remove_dir_all(&self.0);
    }
}
