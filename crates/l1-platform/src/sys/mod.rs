//! The system below: raw system calls on Linux, functions of `kernel32.dll` on Windows.
//!
//! Windows has none of Linux' calls: its [`call`] refuses every one with [`OsError::UNSUPPORTED`], as under Miri, so that code above that
//! has no counterpart there gives its answer for "the kernel does not say". What has one asks `kernel32` instead.

use crate::error::OsError;

#[cfg(not(windows))]
#[path = "linux.rs"]
mod port;
#[cfg(windows)]
#[path = "windows.rs"]
mod port;

pub(crate) use port::*;

/// An open file, as the system counts them: a descriptor; on Windows a handle, of which 32 bits count, or 0 to 2 for the
/// process's own input, output and errors.
pub(crate) type Fd = i32;

/// `EINTR`: a signal arrived first; ask again. (Windows interrupts no write, and gives the number to none.)
const EINTR: i32 = 4;

/// Writes all of `bytes`, whatever pieces the kernel takes. Interrupted calls are repeated.
pub(crate) fn write_all(fd: Fd, bytes: &[u8]) -> Result<(), OsError> {
    in_pieces(bytes, |rest| write(fd, rest))
}

/// Passes `bytes` to `write` until it has taken all of them.
fn in_pieces(
    mut bytes: &[u8],
    mut write: impl FnMut(&[u8]) -> Result<usize, OsError>,
) -> Result<(), OsError> {
    while !bytes.is_empty() {
        match write(bytes) {
            // A zero answer to a non-empty write would repeat for ever.
            Ok(0) => return Err(OsError::INVALID),
            Ok(taken) => bytes = bytes.get(taken..).unwrap_or(&[]),
            Err(error) if error.code() == EINTR => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn writing_goes_on_after_short_and_interrupted_calls() {
        let mut written = Vec::new();
        let mut calls = 0;
        let outcome = in_pieces(b"abcdefg", |rest| {
            calls += 1;
            if calls % 2 == 0 {
                return Err(OsError::from_kernel(4));
            }
            let taken = rest.len().min(3);
            written.extend_from_slice(&rest[..taken]);
            Ok(taken)
        });
        assert_eq!((outcome, written.as_slice(), calls), (Ok(()), &b"abcdefg"[..], 5));
    }

    #[test]
    fn writing_ends_at_a_refusal_and_where_nothing_is_taken() {
        assert_eq!(in_pieces(b"x", |_| Ok(0)), Err(OsError::INVALID));
        assert_eq!(in_pieces(b"x", |_| Err(OsError::OUT_OF_MEMORY)), Err(OsError::OUT_OF_MEMORY));
        assert_eq!(in_pieces(b"", |_| Ok(0)), Ok(()));
    }
}
