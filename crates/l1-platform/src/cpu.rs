//! Processors.

#[cfg(windows)]
use crate::kernel32;
#[cfg(not(windows))]
use crate::sys::{self, nr};
#[cfg(not(windows))]
use crate::text;

/// Processors that are switched on in this machine; at least 1.
#[must_use]
pub fn online() -> u32 {
    ask_online().unwrap_or_else(available)
}

/// Processors that this thread may run on (`sched_getaffinity`); at least 1. Up to 8192 are counted. On Windows those of the process, and
/// all of them if it runs in several groups of 64.
#[must_use]
pub fn available() -> u32 {
    ask_available().unwrap_or(1).max(1)
}

#[cfg(not(windows))]
fn ask_online() -> Option<u32> {
    let mut buffer = [0; 512];
    let text = text::read_file(c"/sys/devices/system/cpu/online", &mut buffer);
    text.and_then(text::list).map(|(count, _)| count)
}

#[cfg(not(windows))]
fn ask_available() -> Option<u32> {
    let mut mask = [0_usize; 8192 / usize::BITS as usize];
    let size = size_of_val(&mask);
    let args = [0, size, mask.as_mut_ptr().expose_provenance(), 0, 0, 0];
    // SAFETY: sched_getaffinity writes at most `size` bytes into `mask`; 0 means the calling thread.
    unsafe { sys::call(nr::SCHED_GETAFFINITY, args) }.ok()?;
    Some(mask.iter().map(|word| word.count_ones()).sum())
}

#[cfg(windows)]
fn ask_online() -> Option<u32> {
    const ALL_GROUPS: u16 = 0xffff;
    Some(kernel32::GetActiveProcessorCount(ALL_GROUPS)).filter(|&count| count > 0)
}

#[cfg(windows)]
fn ask_available() -> Option<u32> {
    let (mut own, mut machine) = (0_usize, 0);
    let process = kernel32::GetCurrentProcess();
    // SAFETY: writes two masks.
    let answer = unsafe { kernel32::GetProcessAffinityMask(process, &raw mut own, &raw mut machine) };
    // Both are 0 for a process in several groups.
    if answer != 0 && own != 0 { Some(own.count_ones()) } else { ask_online() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_runs_on_some_of_the_online_processors() {
        assert!((1..=online()).contains(&available()));
        #[cfg(not(miri))]
        {
            extern crate std;
            // std also looks at cgroup quotas, so it may say less.
            let parallelism = std::thread::available_parallelism().unwrap().get();
            assert!(u32::try_from(parallelism).unwrap() <= available());
        }
    }
}
