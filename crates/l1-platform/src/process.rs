//! The process: who it is, what it has used, and its end.

use crate::sys;

mod mark;
#[cfg(not(windows))]
#[path = "process/linux.rs"]
mod port;
#[cfg(windows)]
#[path = "process/windows.rs"]
mod port;

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
///
/// On Windows the start of the file's name, without its extension.
pub fn comm(name: &mut [u8; 16]) -> usize {
    port::comm(name)
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
///
/// On Windows all faults count as minor ones.
#[must_use]
pub fn usage() -> Usage {
    port::usage()
}

/// Bytes of physical memory that the process occupies now (`/proc/self/statm`); 0 if the kernel does not say. The
/// kernel counts per processor and adds up late: some 100 KiB of error per busy processor.
///
/// On Windows the working set, exactly.
#[must_use]
pub fn resident_bytes() -> u64 {
    port::resident_bytes()
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
    #[cfg(windows)]
    fn name_is_the_start_of_the_executable_s_without_its_extension() {
        let mut name = [0; 16];
        let length = comm(&mut name);
        let whole = std::env::current_exe().unwrap();
        let stem = whole.file_stem().unwrap().as_encoded_bytes();
        assert_eq!(&name[..length], &stem[..stem.len().min(15)]);
        assert!(length > 0 && name[15] == 0);
    }

    #[test]
    #[cfg(not(windows))]
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
        // wine counts none.
        assert!(after.minor_faults > before.minor_faults || cfg!(windows));
        assert!(after.user_us + after.system_us >= before.user_us + before.system_us);
        assert!(resident_bytes() >= 4 << 20);
        assert_eq!(touched[touched.len() / 2], 1);
    }
}
