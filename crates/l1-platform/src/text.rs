//! The small texts of `/proc` and `/sys`: read into the caller's buffer, cut into numbers. No allocation.

use core::ffi::CStr;

use crate::error::OsError;
use crate::sys::{self, Fd};

/// Opens a file of `/proc` or `/sys`; on Windows, where such a path would name whatever somebody has put there, there is none.
pub(crate) fn open(path: &CStr) -> Option<Fd> {
    if cfg!(windows) { None } else { sys::open(path, sys::READ).ok() }
}

/// The first bytes of a file, as many as fit; `None` if it cannot be read.
pub(crate) fn read_file<'a>(path: &CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let fd = open(path)?;
    let length = fill(buffer, |rest| sys::read(fd, rest));
    sys::close(fd);
    buffer.get(..length.ok()?)
}

/// Reads until the buffer is full or the file ends: files of `/proc` come in pieces. The bytes read.
fn fill(
    buffer: &mut [u8],
    mut read: impl FnMut(&mut [u8]) -> Result<usize, OsError>,
) -> Result<usize, OsError> {
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..)
        && !rest.is_empty()
    {
        match read(rest)? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

/// The decimal number at the start of `text` and what follows it. `None` without a digit or above `u64::MAX`.
pub(crate) fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    if digits.is_empty() {
        return None;
    }
    let add = |value: u64, &digit: &u8| value.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    Some((digits.iter().try_fold(0, add)?, rest))
}

/// The number of a file that holds one.
pub(crate) fn number_file(path: &CStr) -> Option<u64> {
    let mut buffer = [0; 32];
    number(read_file(path, &mut buffer)?.trim_ascii_start()).map(|(value, _)| value)
}

/// The number after `key` at the start of a line, as in `/proc/meminfo`: `MemTotal:       24576 kB`.
pub(crate) fn field(text: &[u8], key: &[u8]) -> Option<u64> {
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(key))?;
    number(line.trim_ascii_start()).map(|(value, _)| value)
}

/// How many numbers a list such as `0-3,8,10-11` names, and the highest of them. `None` for an empty or odd list.
#[cfg(any(test, not(windows)))]
pub(crate) fn list(text: &[u8]) -> Option<(u32, u32)> {
    let mut count = 0_u32;
    let mut highest = 0_u32;
    for range in text.trim_ascii().split(|&byte| byte == b',') {
        let (first, rest) = number(range)?;
        let last = match rest {
            [] => first,
            [b'-', rest @ ..] => number(rest)?.0,
            _ => return None,
        };
        let length = u32::try_from(last.checked_sub(first)?).ok()?.checked_add(1)?;
        count = count.checked_add(length)?;
        highest = highest.max(u32::try_from(last).ok()?);
    }
    Some((count, highest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_at_the_first_other_byte_and_never_overflow() {
        assert_eq!(number(b"123 kB"), Some((123, &b" kB"[..])));
        assert_eq!(number(b"18446744073709551615"), Some((u64::MAX, &b""[..])));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b""), None);
        assert_eq!(number(b"x1"), None);
    }

    #[test]
    fn lists_count_every_range() {
        assert_eq!(list(b"0\n"), Some((1, 0)));
        assert_eq!(list(b"0-3,8,10-11\n"), Some((7, 11)));
        assert_eq!(list(b"4,1"), Some((2, 4)));
        assert_eq!(list(b""), None);
        assert_eq!(list(b"3-1"), None);
        assert_eq!(list(b"0-99999999999"), None);
    }

    #[test]
    fn fields_are_found_at_line_starts_only() {
        let text = b"A:  1 kB\nXB: 2\nB: 3 kB\n";
        assert_eq!(field(text, b"A:"), Some(1));
        assert_eq!(field(text, b"B:"), Some(3));
        assert_eq!(field(text, b"C:"), None);
    }

    #[test]
    fn files_are_read_piece_by_piece_until_full_or_at_the_end() {
        let mut pieces = [&b"ab"[..], b"c", b""].into_iter();
        let mut read = |rest: &mut [u8]| {
            let piece = pieces.next().ok_or(OsError::INVALID)?;
            rest[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        };
        let mut buffer = [0; 8];
        assert_eq!(fill(&mut buffer, &mut read), Ok(3));
        assert_eq!(&buffer[..3], b"abc");
        assert_eq!(fill(&mut buffer, read), Err(OsError::INVALID));
        assert_eq!(fill(&mut buffer[..2], |rest| Ok(rest.len())), Ok(2));
    }
}
