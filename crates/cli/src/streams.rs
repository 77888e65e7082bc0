//! What programs wrote, in files: whether it is the same, and its last line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// So much of the end is looked at.
const END: u64 = 4096;
/// So many characters of a line are shown.
const SHOWN: usize = 200;

/// The first byte in which two files differ, counted from 0; `None` when they are the same.
pub(crate) fn first_difference(one: &Path, other: &Path) -> io::Result<Option<u64>> {
    let (mut one, mut other) = (BufReader::new(File::open(one)?), BufReader::new(File::open(other)?));
    let mut position = 0;
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let both = left.len().min(right.len());
        let same = left.iter().zip(right).take_while(|(a, b)| a == b).count();
        position += same as u64;
        if same < both || left.is_empty() != right.is_empty() {
            return Ok(Some(position));
        }
        if both == 0 {
            return Ok(None);
        }
        one.consume(both);
        other.consume(both);
    }
}

/// The last line that is not empty, without what a terminal would obey.
pub(crate) fn last_line(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(line.chars().filter(|c| !c.is_control()).take(SHOWN).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::fs;

    #[test]
    fn the_first_difference_is_found_beyond_a_buffer_too() {
        let scratch = Scratch::new().unwrap();
        let [one, other] = ["one", "other"].map(|name| scratch.path().join(name));
        let difference = |a: &[u8], b: &[u8]| {
            fs::write(&one, a).unwrap();
            fs::write(&other, b).unwrap();
            first_difference(&one, &other).unwrap()
        };
        let large = vec![7; 100_000];
        let mut changed = large.clone();
        changed[99_999] = 8;
        assert_eq!(difference(&large, &large), None);
        assert_eq!(difference(&large, &changed), Some(99_999));
        assert_eq!(difference(&large, &large[..70_000]), Some(70_000));
        assert_eq!(difference(b"", b"x"), Some(0));
        assert_eq!(difference(b"", b""), None);
    }

    #[test]
    fn the_last_line_is_harmless() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().join("errors");
        fs::write(&path, "first\n \x1b[31mred\n\n").unwrap();
        assert_eq!(last_line(&path).as_deref(), Some("[31mred"));
        fs::write(&path, "\n\n").unwrap();
        assert_eq!(last_line(&path), None);
    }
}
