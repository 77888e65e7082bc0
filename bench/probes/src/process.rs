//! What the kernel says about this process and this thread.

use std::fs::read_to_string;

/// Bytes of a page as `statm` counts them.
const PAGE: u64 = 4096;

/// Resident bytes of the process now; 0 where they cannot be read.
pub(crate) fn resident_bytes() -> u64 {
    let text = read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE
}

/// How often this thread has lost its processor to another so far; 0 where it cannot be read.
pub(crate) fn preemptions() -> u64 {
    let text = read_to_string("/proc/thread-self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    line.and_then(|rest| rest.trim().parse().ok()).unwrap_or(0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn touched_memory_becomes_resident() {
        let before = resident_bytes();
        let touched = std::hint::black_box(vec![1_u8; 32 << 20]);
        let after = resident_bytes();
        // Half of it: other tests free their memory meanwhile.
        assert!(before > 0 && after >= before + (16 << 20), "{before} then {after}");
        drop(touched);
    }
}
