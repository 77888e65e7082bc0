//! The performance counter, whose rate never changes, and the count of ticks.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::kernel32;

/// Counts per second; zero until asked. Relaxed: every thread would find the same number.
static RATE: AtomicU64 = AtomicU64::new(0);

#[inline]
pub(super) fn coarse_millis() -> u64 {
    kernel32::GetTickCount64()
}

pub(super) fn monotonic_nanos() -> u64 {
    const BILLION: u64 = 1_000_000_000;
    let (mut count, rate) = (0, rate());
    // SAFETY: writes the count. It does not fail since Windows XP.
    let _ = unsafe { kernel32::QueryPerformanceCounter(&raw mut count) };
    // In two parts: count times a billion would overflow after half an hour.
    (count / rate) * BILLION + (count % rate) * BILLION / rate
}

fn rate() -> u64 {
    match RATE.load(Ordering::Relaxed) {
        0 => {
            let mut rate = 0;
            // SAFETY: writes the rate. It does not fail since Windows XP.
            let _ = unsafe { kernel32::QueryPerformanceFrequency(&raw mut rate) };
            RATE.store(rate.max(1), Ordering::Relaxed);
            rate.max(1)
        }
        rate => rate,
    }
}
