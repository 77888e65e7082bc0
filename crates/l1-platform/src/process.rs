//! The process: who it is, what it has used, and its end.

use core::ffi::c_long;

use crate::sys::{self, nr};
use crate::{page, text};

mod mark;

pub use mark::Mark;

/// The process id, asked from the kernel each time: right in the child of a `fork`, too.
#[must_use]
pub fn id() -> u32 {
    sys::process_id()
}

/// Ends the process and all of its threads at once: no handler, destructor or library hears of it, no stream is flushed.
///
/// The kernel's call and not a function of libc, whose `_exit` may have been replaced by the caller itself. May be called
/// before `main`, in a signal handler, after `fork`.
#[inline]
pub fn exit_at_once(status: i32) -> ! {
    sys::exit_group(status)
}

/// Writes the program's short name (at most 15 bytes, without a NUL) and returns its length; 0 if it is unknown.
pub fn comm(name: &mut [u8; 16]) -> usize {
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

/// What the process has used so far, all threads together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Page faults answered without reading from a disk.
    pub minor_faults: u64,
    /// Page faults that read from a disk.
    pub major_faults: u64,
    /// The largest resident size so far, in KiB.
    pub max_rss_kib: u64,
    /// Processor time in the program, in microseconds.
    pub user_us: u64,
    /// Processor time in the kernel, in microseconds.
    pub system_us: u64,
}

/// `getrusage` of this process; all zero if the kernel does not say.
#[must_use]
pub fn usage() -> Usage {
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

/// Bytes of physical memory that the process occupies now (`/proc/self/statm`); 0 if the kernel does not say. The
/// kernel counts per processor and adds up late: some 100 KiB of error per busy processor.
#[must_use]
pub fn resident_bytes() -> u64 {
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
    extern crate std;
    use super::*;

    #[test]
    fn id_is_the_one_that_std_knows() {
        assert_eq!(id(), std::process::id());
    }

    #[test]
    #[cfg_attr(miri, ignore = "no /proc")]
    fn name_is_the_start_of_the_executable_s() {
        let mut name = [0; 16];
        let length = comm(&mut name);
        assert!((1..=15).contains(&length));
        // Under qemu the name is the emulator's; natively the test's own.
        let file = std::fs::read("/proc/self/comm").unwrap();
        assert_eq!(&name[..length], file.trim_ascii_end());
        assert_eq!(name[15], 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no kernel")]
    fn usage_counts_faults_and_memory() {
        let before = usage();
        let touched = std::vec![1_u8; 8 << 20];
        let after = usage();
        assert!(after.max_rss_kib >= 8 << 10, "{after:?}");
        assert!(after.minor_faults > before.minor_faults);
        assert!(after.user_us + after.system_us >= before.user_us + before.system_us);
        assert!(resident_bytes() >= 4 << 20);
        assert_eq!(touched[touched.len() / 2], 1);
    }

    #[test]
    fn resident_is_the_second_number() {
        assert_eq!(second_number(b"10 20 30\n"), Some(20));
        assert_eq!(second_number(b"10"), None);
        assert_eq!(second_number(b""), None);
    }
}
