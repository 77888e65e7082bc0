//! Samples of one operation, and the line that tells about them.

use crate::timer::Timer;
use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest time that can be recorded, in ticks: minutes. Longer ones count as this.
const LONGEST: u64 = 1 << 40;

/// Quantiles are right to this many digits.
const DIGITS: u8 = 3;

/// A histogram of ticks that never allocates after it was made.
#[derive(Debug)]
pub(crate) struct Distribution {
    histogram: Histogram<u64>,
    /// Kept apart: the histogram rounds.
    least: u64,
    most: u64,
}

impl Distribution {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("the bounds are right");
        Self { histogram, least: u64::MAX, most: 0 }
    }

    /// Adds one sample.
    #[inline]
    pub(crate) fn record(&mut self, ticks: u64) {
        self.histogram.saturating_record(ticks);
        self.least = self.least.min(ticks);
        self.most = self.most.max(ticks);
    }

    /// The ticks that this part of the samples does not exceed; never more than the largest sample, as rounding might.
    pub(crate) fn quantile(&self, quantile: f64) -> u64 {
        if quantile == 0.0 { self.least } else { self.histogram.value_at_quantile(quantile).min(self.most) }
    }

    /// What the samples say, in nanoseconds.
    pub(crate) fn summary(&self, timer: &Timer) -> Summary {
        let nanoseconds = |ticks: f64| (timer.nanoseconds(ticks) * 10.0).round() / 10.0;
        let quantile = |quantile| nanoseconds(self.quantile(quantile) as f64);
        Summary {
            count: self.histogram.len(),
            min: nanoseconds(self.least as f64),
            mean: nanoseconds(self.histogram.mean()),
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: nanoseconds(self.most as f64),
        }
    }
}

/// A distribution in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_known_distribution_in_nanoseconds() {
        let timer = Timer { cost: 0, least_cost: 0, p99_cost: 0, rate: 2.0 };
        let mut distribution = Distribution::new();
        // 1 to 1000 ticks are half a nanosecond to 500.
        (1..=1000).for_each(|ticks| distribution.record(ticks));
        let summary = distribution.summary(&timer);
        let expected =
            Summary { count: 1000, min: 0.5, mean: 250.3, p50: 250.0, p99: 495.0, p999: 499.5, max: 500.0 };
        assert_eq!(summary, expected);
    }
}
