//! Huge pages: what the kernel is set to do by itself, and the explicit ones that somebody has set aside.

use crate::text;

/// When the kernel backs memory with transparent huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Wherever they fit, unless advised otherwise.
    Always,
    /// Where [`vm::advise_huge`](crate::vm::advise_huge) has asked.
    Madvise,
    /// Nowhere, or the kernel cannot.
    Never,
}

/// The mode of the system, read anew at each call (three system calls).
#[must_use]
pub fn mode() -> Mode {
    let mut buffer = [0; 64];
    let text = text::read_file(c"/sys/kernel/mm/transparent_hugepage/enabled", &mut buffer);
    text.map_or(Mode::Never, parse_mode)
}

/// The chosen word is the one in brackets: `always [madvise] never`.
fn parse_mode(text: &[u8]) -> Mode {
    match text.split(|&byte| byte == b'[').nth(1) {
        Some(chosen) if chosen.starts_with(b"always]") => Mode::Always,
        Some(chosen) if chosen.starts_with(b"madvise]") => Mode::Madvise,
        _ => Mode::Never,
    }
}

/// Huge pages that were set aside (`vm.nr_hugepages`) of the default size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Explicit {
    /// Pages in the pool.
    pub total: u64,
    /// Pages that nobody uses.
    pub free: u64,
    /// Bytes of one; zero where the kernel has none.
    pub size: u64,
}

/// The pool of explicit huge pages, all zero where there is none.
#[must_use]
pub fn explicit() -> Explicit {
    let field = |key| memory_field(key).unwrap_or(0);
    Explicit {
        total: field(b"HugePages_Total:"),
        free: field(b"HugePages_Free:"),
        size: field(b"Hugepagesize:") << 10,
    }
}

/// A line of `/proc/meminfo`.
pub(crate) fn memory_field(key: &[u8]) -> Option<u64> {
    // About 1.5 KiB today; the lines asked for come last, so leave room for new ones.
    let mut buffer = [0; 4096];
    text::field(text::read_file(c"/proc/meminfo", &mut buffer)?, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_is_the_word_in_brackets() {
        assert_eq!(parse_mode(b"[always] madvise never\n"), Mode::Always);
        assert_eq!(parse_mode(b"always [madvise] never\n"), Mode::Madvise);
        assert_eq!(parse_mode(b"always madvise [never]\n"), Mode::Never);
        assert_eq!(parse_mode(b""), Mode::Never);
    }

    #[test]
    fn no_more_huge_pages_are_free_than_there_are() {
        let pool = explicit();
        assert!(pool.free <= pool.total);
        #[cfg(not(miri))]
        assert!(memory_field(b"MemTotal:").is_some_and(|kib| kib > 0));
    }
}
