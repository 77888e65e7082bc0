//! Huge pages: what the kernel is set to do by itself, and the explicit ones that somebody has set aside.

use core::ffi::CStr;

use crate::text;

mod mapped;

pub use mapped::{Mapped, mapped};

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

/// The pool of explicit huge pages of `size` bytes; `None` where the kernel has no such pages.
#[must_use]
pub fn explicit_of(size: usize) -> Option<Explicit> {
    let count = |name| text::number_file(pool_path(size, name, &mut [0; PATH])?);
    Some(Explicit {
        total: count(b"/nr_hugepages")?,
        // Free ones may be promised to mappings that have not touched them yet.
        free: count(b"/free_hugepages")?.saturating_sub(count(b"/resv_hugepages").unwrap_or(0)),
        size: size as u64,
    })
}

/// Room for the longest path below.
const PATH: usize = 96;

/// `/sys/kernel/mm/hugepages/hugepages-2048kB/NAME`.
fn pool_path<'a>(size: usize, name: &[u8], buffer: &'a mut [u8; PATH]) -> Option<&'a CStr> {
    let mut digits = [0; 20];
    let (mut kib, mut first) = (size >> 10, digits.len());
    while kib > 0 {
        first -= 1;
        digits[first] = b'0' + u8::try_from(kib % 10).ok()?;
        kib /= 10;
    }
    let mut end = 0;
    for part in [b"/sys/kernel/mm/hugepages/hugepages-".as_slice(), digits.get(first..)?, b"kB", name, b"\0"]
    {
        buffer.get_mut(end..end + part.len())?.copy_from_slice(part);
        end += part.len();
    }
    CStr::from_bytes_with_nul(buffer.get(..end)?).ok()
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
    fn the_pool_of_each_size_has_its_folder() {
        let mut buffer = [0; PATH];
        let path = pool_path(1 << 30, b"/free_hugepages", &mut buffer);
        assert_eq!(path, Some(c"/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages"));
        assert_eq!(explicit_of(3 << 20), None);
        let usual = explicit();
        if let Some(pool) = usize::try_from(usual.size).ok().and_then(explicit_of) {
            assert_eq!((pool.total, pool.size), (usual.total, usual.size));
        }
    }

    #[test]
    fn no_more_huge_pages_are_free_than_there_are() {
        let pool = explicit();
        assert!(pool.free <= pool.total);
        #[cfg(not(any(miri, windows)))]
        assert!(memory_field(b"MemTotal:").is_some_and(|kib| kib > 0));
    }
}
