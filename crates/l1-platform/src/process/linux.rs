//! `getrusage` and `/proc`.

use core::ffi::c_long;

use super::Usage;
use crate::sys::{self, nr};
use crate::{page, text};

pub(super) fn comm(name: &mut [u8; 16]) -> usize {
    let mut buffer = [0; 64];
    // The main thread's name, which is the program's: PR_GET_NAME would give the calling thread's.
    let Some(text) = text::read_file(c"/proc/self/comm", &mut buffer) else { return 0 };
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let length = text.len().min(15);
    for (to, from) in name.iter_mut().zip(text.iter().take(length)) {
        *to = *from;
    }
    length
}

pub(super) fn usage() -> Usage {
    /// `struct rusage`: two `timeval`s of two longs each, then fourteen longs.
    type Words = [c_long; 18];
    const RUSAGE_SELF: usize = 0;
    let mut words: Words = [0; 18];
    let args = [RUSAGE_SELF, words.as_mut_ptr().expose_provenance(), 0, 0, 0, 0];
    // SAFETY: getrusage writes one `struct rusage`, which has the size of `Words`.
    if unsafe { sys::call(nr::GETRUSAGE, args) }.is_err() {
        return Usage::default();
    }
    let [user_s, user_us, system_s, system_us, max_rss, _, _, _, minor, major, ..] =
        words.map(|word| u64::try_from(word).unwrap_or(0));
    Usage {
        minor_faults: minor,
        major_faults: major,
        max_rss_kib: max_rss,
        user_us: user_s * 1_000_000 + user_us,
        system_us: system_s * 1_000_000 + system_us,
    }
}

pub(super) fn resident_bytes() -> u64 {
    let mut buffer = [0; 128];
    let pages = text::read_file(c"/proc/self/statm", &mut buffer).and_then(second_number);
    pages.unwrap_or(0) * page::size() as u64
}

/// `total resident shared …`: the second.
fn second_number(text: &[u8]) -> Option<u64> {
    let (_, rest) = text::number(text)?;
    text::number(rest.trim_ascii_start()).map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_is_the_second_number() {
        assert_eq!(second_number(b"10 20 30\n"), Some(20));
        assert_eq!(second_number(b"10"), None);
        assert_eq!(second_number(b""), None);
    }
}
