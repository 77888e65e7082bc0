//! Time that passes, never set back. Both read the kernel's shared page: through libc's `clock_gettime`, on Windows through
//! `QueryPerformanceCounter` and `GetTickCount64`. No system call.

#[cfg(not(windows))]
#[path = "clock/linux.rs"]
mod port;
#[cfg(windows)]
#[path = "clock/windows.rs"]
mod port;

/// Milliseconds since some moment before the process began, in steps of one timer tick (1–10 ms, on Windows up to 16 ms); about 5 ns.
#[inline]
#[must_use]
pub fn coarse_millis() -> u64 {
    port::coarse_millis()
}

/// Nanoseconds since some moment before the process began; about 25 ns.
#[inline]
#[must_use]
pub fn monotonic_nanos() -> u64 {
    port::monotonic_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run_forward_from_the_same_start() {
        let first = monotonic_nanos();
        let coarse = coarse_millis();
        let second = monotonic_nanos();
        assert!(0 < first && first <= second);
        assert!(coarse > 0 && coarse <= coarse_millis());
        // The coarse clock shows the last tick: at most now, and not before the first reading by more than a tick,
        // which no kernel makes longer than 10 ms. (Miri's clocks start apart, and so may those of Windows.)
        if !cfg!(any(miri, windows)) {
            assert!(coarse <= second / 1_000_000);
            assert!(coarse + 20 >= first / 1_000_000);
        }
    }
}
