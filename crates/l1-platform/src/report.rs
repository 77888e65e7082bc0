//! Text to a file descriptor: messages, summaries. No allocation, no lock, no `errno`.
//!
//! On Windows a descriptor is a handle, of which 32 bits count, or 0 to 2 for the process's own; paths are in UTF-8 and shorter than 1024 units.

use core::ffi::CStr;
use core::fmt::{self, Write};

use crate::error::OsError;
use crate::sys::{self, Fd};

/// Bytes that are collected before they are written. A message of one line comes out in one piece, so that the lines of
/// several threads and processes do not mix; small enough for a signal stack.
const CAPACITY: usize = 512;

/// A writer to a file descriptor that it does not own. Collects and writes at the end of a line, when full, and when
/// dropped.
///
/// Errors are kept (see [`finish`](Self::finish)) and stop further writing: the writer of a warning has nobody to tell.
#[derive(Debug)]
pub struct Report {
    fd: Fd,
    used: usize,
    outcome: Result<(), OsError>,
    buffer: [u8; CAPACITY],
}

/// A report to standard error.
#[must_use]
pub fn stderr() -> Report {
    Report::new(2)
}

impl Report {
    /// A report to an open descriptor, which must stay open while the report lives.
    #[must_use]
    pub const fn new(fd: i32) -> Self {
        Self { fd, used: 0, outcome: Ok(()), buffer: [0; CAPACITY] }
    }

    /// Adds raw bytes, for text that need not be UTF-8 (names, paths).
    pub fn bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.buffer.get_mut(self.used..).unwrap_or(&mut []);
            let taken = room.len().min(bytes.len());
            for (to, from) in room.iter_mut().zip(bytes) {
                *to = *from;
            }
            let line_ends = bytes.iter().take(taken).any(|&byte| byte == b'\n');
            self.used += taken;
            bytes = bytes.get(taken..).unwrap_or(&[]);
            if line_ends || self.used == CAPACITY {
                self.flush();
            }
        }
    }

    /// Writes what was collected.
    pub fn flush(&mut self) {
        let collected = self.buffer.get(..self.used).unwrap_or(&[]);
        if self.outcome.is_ok() {
            self.outcome = sys::write_all(self.fd, collected);
        }
        self.used = 0;
    }

    /// Writes what was collected and tells whether everything so far arrived.
    ///
    /// # Errors
    ///
    /// The first refusal of the system.
    pub fn finish(mut self) -> Result<(), OsError> {
        self.flush();
        self.outcome
    }
}

impl Write for Report {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        self.outcome.map_err(|_| fmt::Error)
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.flush();
    }
}

/// An open file, closed when dropped; reads and writes without a buffer.
#[derive(Debug)]
pub struct File(Fd);

/// Creates or empties the file at `path`, which ends with a NUL byte, for writing (mode 0644, close-on-exec).
///
/// # Errors
///
/// [`OsError::INVALID`] if `path` does not end with its only NUL byte; else what the system says.
pub fn file_create(path: &[u8]) -> Result<File, OsError> {
    open(path, sys::CREATE)
}

/// Opens the file at `path`, which ends with a NUL byte, for writing at its end; creates it if it is not there.
///
/// # Errors
///
/// As for [`file_create`].
pub fn file_append(path: &[u8]) -> Result<File, OsError> {
    open(path, sys::APPEND)
}

/// Opens the file at `path`, which ends with a NUL byte, for reading.
///
/// # Errors
///
/// As for [`file_create`].
pub fn file_open(path: &[u8]) -> Result<File, OsError> {
    open(path, sys::READ)
}

fn open(path: &[u8], flags: usize) -> Result<File, OsError> {
    let path = CStr::from_bytes_with_nul(path).map_err(|_| OsError::INVALID)?;
    sys::open(path, flags).map(File)
}

impl File {
    /// A report that writes to this file. Finish it before the file is closed: afterwards its text is lost, or goes to
    /// whatever got the same descriptor.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::new(self.0)
    }

    /// The descriptor, which stays the file's.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.0
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// What the system says; some bytes may have been written.
    pub fn write(&self, bytes: &[u8]) -> Result<(), OsError> {
        sys::write_all(self.0, bytes)
    }

    /// Reads into `buffer`; zero at the end of the file.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, OsError> {
        sys::read(self.0, buffer)
    }

    /// Closes the file now.
    pub fn close(self) {}
}

impl Drop for File {
    fn drop(&mut self) {
        sys::close(self.0);
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    extern crate alloc;
    extern crate std;

    use super::*;
    use alloc::{format, string::String, vec::Vec};
    use std::path::PathBuf;

    /// A file of its own for each test, removed at its end.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("stratalloc-report-{}-{name}", std::process::id())))
        }

        fn path(&self) -> Vec<u8> {
            let mut path = self.0.as_os_str().as_encoded_bytes().to_vec();
            path.push(0);
            path
        }

        fn contents(&self) -> String {
            std::fs::read_to_string(&self.0).unwrap()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn formatted_text_arrives_whole_also_beyond_the_buffer() {
        let place = Place::new("long");
        let file = file_create(&place.path()).unwrap();
        let mut report = file.report();
        let long = "x".repeat(3 * CAPACITY + 5);
        write!(report, "a {} {long}", 17).unwrap();
        report.bytes(b"\nend");
        report.finish().unwrap();
        file.close();
        assert_eq!(place.contents(), format!("a 17 {long}\nend"));
    }

    #[test]
    fn a_line_is_written_at_its_end_and_the_rest_when_dropped() {
        let place = Place::new("line");
        let file = file_create(&place.path()).unwrap();
        let mut report = file.report();
        report.bytes(b"first");
        assert_eq!(place.contents(), "");
        report.bytes(b" line\n");
        assert_eq!(place.contents(), "first line\n");
        report.bytes(b"rest");
        drop(report);
        assert_eq!(place.contents(), "first line\nrest");
    }

    #[test]
    fn files_are_emptied_continued_and_read() {
        let place = Place::new("modes");
        file_create(&place.path()).unwrap().write(b"old contents").unwrap();
        file_create(&place.path()).unwrap().write(b"one").unwrap();
        file_append(&place.path()).unwrap().write(b" two").unwrap();
        let file = file_open(&place.path()).unwrap();
        let mut buffer = [0; 5];
        assert_eq!(file.read(&mut buffer), Ok(5));
        assert_eq!(&buffer, b"one t");
        assert_eq!(file.read(&mut buffer), Ok(2));
        assert_eq!(file.read(&mut buffer), Ok(0));
        assert!(file.write(b"x").is_err(), "opened for reading");
    }

    #[test]
    fn refusals_are_values() {
        // `ENOENT` and `EBADF`; `ERROR_FILE_NOT_FOUND` and `ERROR_INVALID_HANDLE`.
        let (no_file, bad) = if cfg!(windows) { (2, 6) } else { (2, 9) };
        assert_eq!(file_open(b"/no such file\0").map_err(OsError::code).err(), Some(no_file));
        assert_eq!(file_create(b"not terminated").err(), Some(OsError::INVALID));
        assert_eq!(file_create(b"two\0NULs\0").err(), Some(OsError::INVALID));
        let mut report = Report::new(-1);
        assert!(writeln!(report, "line").is_err());
        assert_eq!(report.finish().map_err(OsError::code), Err(bad));
    }

    /// Its counterpart is the test of removed files below.
    #[cfg(not(windows))]
    #[test]
    fn closed_files_leave_no_descriptor() {
        let place = Place::new("close");
        let file = file_create(&place.path()).unwrap();
        let fd = file.fd();
        assert!(std::fs::exists(format!("/proc/self/fd/{fd}")).unwrap());
        let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
        assert_eq!(target, place.0);
        drop(file);
        // Another test may have opened something with the same number.
        let now = std::fs::read_link(format!("/proc/self/fd/{fd}"));
        assert!(now.map_or(true, |now| now != place.0));
    }

    /// A file whose name is removed goes when nobody has it open: only then can there be a new one of this name.
    #[cfg(windows)]
    #[test]
    fn open_files_may_be_removed_and_closed_ones_are_gone() {
        let place = Place::new("close");
        let file = file_create(&place.path()).unwrap();
        std::fs::remove_file(&place.0).unwrap();
        assert_eq!(file.write(b"nobody reads this"), Ok(()));
        file.close();
        assert!(!place.0.exists());
        file_create(&place.path()).unwrap().write(b"new").unwrap();
        assert_eq!(place.contents(), "new");
    }
}
