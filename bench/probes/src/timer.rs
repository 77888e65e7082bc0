//! The processor's clock.
//!
//! ```text
//!   begin:  lfence  rdtsc  lfence        everything before is done; nothing of the timed part has begun
//!   … the timed part …
//!   end:    rdtscp  lfence               the timed part is done (stores may still be on their way to the cache)
//! ```
//!
//! The fences keep the processor from overlapping the timed part with what is around it: the figure is the latency of the
//! operation, larger than its share in a loop. Reading the clock costs more than an allocation does; that cost is measured by
//! timing nothing at all, and its median is subtracted from every sample.
//!
//! On other architectures `Instant` is the clock, one tick a nanosecond.

use crate::distribution::Distribution;
use std::time::{Duration, Instant};

/// Samples of timing nothing.
const EMPTY: usize = 200_000;

/// How long the clock is compared with the system's.
const CALIBRATION: Duration = Duration::from_millis(60);

/// What is known about the clock.
#[derive(Debug)]
pub struct Timer {
    /// Ticks that timing nothing takes: the median.
    pub cost: u64,
    /// The least of them.
    pub least_cost: u64,
    /// The 99th percentile of them.
    pub p99_cost: u64,
    /// Ticks in a nanosecond.
    pub rate: f64,
}

impl Timer {
    /// Compares the clock with the system's, and times nothing many times.
    pub fn calibrated() -> Self {
        let mut empty = Distribution::new();
        for _ in 0..EMPTY {
            let start = begin();
            empty.record(end() - start);
        }
        let [cost, least_cost, p99_cost] = [0.5, 0.0, 0.99].map(|quantile| empty.quantile(quantile));
        Self { cost, least_cost, p99_cost, rate: rate() }
    }

    /// Ticks of one timed part, without those of the clock.
    #[inline(always)]
    pub fn ticks(&self, start: u64, end: u64) -> u64 {
        (end - start).saturating_sub(self.cost)
    }

    /// Nanoseconds.
    pub fn nanoseconds(&self, ticks: f64) -> f64 {
        ticks / self.rate
    }
}

/// Ticks in a nanosecond, over a while of spinning.
fn rate() -> f64 {
    let (first, start) = both_clocks();
    while start.elapsed() < CALIBRATION {
        std::hint::spin_loop();
    }
    let (last, stop) = both_clocks();
    (last - first) as f64 / (stop - start).as_nanos() as f64
}

/// Both clocks at the same moment: of several readings the one during which the least time went by.
fn both_clocks() -> (u64, Instant) {
    let readings = (0..32).map(|_| {
        let before = begin();
        let now = Instant::now();
        let after = end();
        (after - before, before + (after - before) / 2, now)
    });
    let (_, ticks, now) = readings.min_by_key(|reading| reading.0).expect("there are readings");
    (ticks, now)
}

/// The clock before the timed part.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn begin() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: reads the clock. Nothing says that memory is untouched, so the compiler moves no access across.
    unsafe {
        core::arch::asm!("lfence", "rdtsc", "lfence", out("rax") low, out("rdx") high, options(nostack));
    }
    high << 32 | low
}

/// The clock after the timed part.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn end() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: as in `begin`; the processor's number is written to rcx.
    unsafe {
        core::arch::asm!("rdtscp", "lfence", out("rax") low, out("rdx") high, out("rcx") _, options(nostack));
    }
    high << 32 | low
}

/// The clock before the timed part.
#[cfg(not(target_arch = "x86_64"))]
pub fn begin() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// The clock after the timed part.
#[cfg(not(target_arch = "x86_64"))]
pub fn end() -> u64 {
    begin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_and_its_cost_is_known() {
        let timer = Timer::calibrated();
        assert!(timer.least_cost <= timer.cost && timer.cost <= timer.p99_cost);
        assert!(timer.rate > 0.01, "{} ticks in a nanosecond", timer.rate);
        // A timed part that takes at least 2 ms by the other clock: half of it tells a wrong unit from a busy machine.
        let start = begin();
        let clock = Instant::now();
        while clock.elapsed() < Duration::from_millis(2) {}
        let ticks = timer.ticks(start, end());
        assert!(timer.nanoseconds(ticks as f64) > 1_000_000.0, "2 ms measured as {ticks} ticks");
    }

    #[test]
    fn nothing_is_never_less_than_nothing() {
        let timer = Timer { cost: 50, least_cost: 40, p99_cost: 60, rate: 2.0 };
        assert_eq!(timer.ticks(100, 145), 0);
        assert_eq!(timer.ticks(100, 170), 20);
    }
}
