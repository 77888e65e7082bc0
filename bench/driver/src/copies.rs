//! The runners as they are measured: each a fresh copy, written in one go.
//!
//! The kernel maps the pages around a fault in a program's file if they lie in its cache, in pieces as large as they came there. A file that a
//! linker wrote page by page shows up to 200 KiB less resident memory than the same bytes written at once: a tenth of a small program, and
//! nothing that its allocator does. So all are written alike, anew for each cell of each round, and the medians are over several such states.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::allocators::Row;

/// Copies of runners; they are deleted with this value.
pub(crate) struct Copies(TempDir);

impl Copies {
    /// Copies the programs of all `rows` from the folder `runners`, on the same file system.
    pub(crate) fn of(rows: &[Row], runners: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("measured-").tempdir_in(runners)?;
        let copies = Self(folder);
        for row in rows {
            let (from, to) = (row.program(runners), copies.program(row));
            if !to.exists() {
                fs::write(&to, fs::read(&from)?)?;
                fs::set_permissions(&to, fs::metadata(&from)?.permissions())?;
            }
        }
        Ok(copies)
    }

    /// The copy of a row's program.
    pub(crate) fn program(&self, row: &Row) -> PathBuf {
        row.program(self.0.path())
    }
}
