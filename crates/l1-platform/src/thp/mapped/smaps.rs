//! `/proc/self/smaps`, read line by line without a buffer for the whole.

use core::ops::Range;

use super::Mapped;
use crate::{sys, text};

pub(super) fn mapped(range: Range<usize>) -> Option<Mapped> {
    let fd = text::open(c"/proc/self/smaps")?;
    let mut sum = Sum { range, inside: false, mapped: Mapped::default() };
    let mut lines = Lines::default();
    let mut buffer = [0; 1024];
    let outcome = loop {
        match sys::read(fd, &mut buffer) {
            Ok(0) => break Some(sum.mapped),
            Ok(length) => lines.feed(buffer.get(..length).unwrap_or(&[]), |line| sum.line(line)),
            Err(_) => break None,
        }
    };
    sys::close(fd);
    outcome
}

/// Bytes cut into lines, of which the first [`KEPT`] bytes are kept: headers begin with addresses, fields are short.
struct Lines {
    line: [u8; KEPT],
    length: usize,
}

const KEPT: usize = 80;

impl Default for Lines {
    fn default() -> Self {
        Self { line: [0; KEPT], length: 0 }
    }
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], mut take: impl FnMut(&[u8])) {
        for &byte in bytes {
            if byte == b'\n' {
                take(self.line.get(..self.length).unwrap_or(&[]));
                self.length = 0;
            } else if let Some(place) = self.line.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
        }
    }
}

/// The sum over the mappings that overlap with a range.
struct Sum {
    range: Range<usize>,
    inside: bool,
    mapped: Mapped,
}

impl Sum {
    fn line(&mut self, line: &[u8]) {
        if let Some(addresses) = addresses(line) {
            self.inside = addresses.start < self.range.end && self.range.start < addresses.end;
        } else if self.inside {
            let bytes = |key| text::field(line, key).unwrap_or(0) << 10;
            let transparent = bytes(b"AnonHugePages:") + bytes(b"ShmemPmdMapped:");
            let explicit = bytes(b"Private_Hugetlb:") + bytes(b"Shared_Hugetlb:");
            self.mapped.transparent += transparent;
            self.mapped.explicit += explicit;
            // `Rss` knows nothing of explicit huge pages.
            self.mapped.resident += bytes(b"Rss:") + explicit;
        }
    }
}

/// `7f0000000000-7f0000200000 rw-p …`, the first line about a mapping.
fn addresses(line: &[u8]) -> Option<Range<usize>> {
    let (start, rest) = hexadecimal(line)?;
    let (end, rest) = hexadecimal(rest.strip_prefix(b"-")?)?;
    rest.starts_with(b" ").then_some(start..end)
}

/// The hexadecimal number at the start, and what follows.
fn hexadecimal(text: &[u8]) -> Option<(usize, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    let number = usize::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"1000-3000 rw-p 00000000 00:00 0 /a/path/that/is/longer/than/what/is/kept/of/a/line/because/nobody/needs/it\n\
        Rss:   8 kB\nAnonHugePages:  4 kB\n3000-5000 rw-p 0 00:00 0\nRss: 4 kB\nPrivate_Hugetlb:  2048 kB\n\
        5000-6000 r--p 0 00:00 0\nRss: 4 kB\n";

    fn sum(range: Range<usize>, step: usize) -> Mapped {
        let mut sum = Sum { range, inside: false, mapped: Mapped::default() };
        let mut lines = Lines::default();
        TEXT.chunks(step).for_each(|bytes| lines.feed(bytes, |line| sum.line(line)));
        sum.mapped
    }

    #[test]
    fn mappings_that_overlap_are_summed_however_the_text_comes() {
        for step in [1, 7, 1000] {
            let first = Mapped { resident: 8 << 10, transparent: 4 << 10, explicit: 0 };
            assert_eq!(sum(0x2fff..0x3000, step), first);
            let both = Mapped { resident: (12 << 10) + (2 << 20), transparent: 4 << 10, explicit: 2 << 20 };
            assert_eq!(sum(0x2fff..0x3001, step), both);
            assert_eq!(sum(0x2fff..0x3001, step).huge(), (4 << 10) + (2 << 20));
            assert_eq!(sum(0x6000..0x7000, step), Mapped::default());
        }
    }
}
