//! Processors.

use crate::sys::{self, nr};
use crate::text;

/// Processors that are switched on in this machine; at least 1.
#[must_use]
pub fn online() -> u32 {
    let mut buffer = [0; 512];
    let text = text::read_file(c"/sys/devices/system/cpu/online", &mut buffer);
    text.and_then(text::list).map_or_else(available, |(count, _)| count)
}

/// Processors that this thread may run on (`sched_getaffinity`); at least 1. Up to 8192 are counted.
#[must_use]
pub fn available() -> u32 {
    let mut mask = [0_usize; 8192 / usize::BITS as usize];
    let size = size_of_val(&mask);
    let args = [0, size, mask.as_mut_ptr().expose_provenance(), 0, 0, 0];
    // SAFETY: sched_getaffinity writes at most `size` bytes into `mask`; 0 means the calling thread.
    match unsafe { sys::call(nr::SCHED_GETAFFINITY, args) } {
        Ok(_) => mask.iter().map(|word| word.count_ones()).sum::<u32>().max(1),
        Err(_) => 1,
    }
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
