//! Samples of one operation, and the line that tells about them.

use crate::timer::Timer;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest time that can be recorded, in ticks: minutes. Longer ones count as this.
const LONGEST: u64 = 1 << 40;

/// Quantiles are right to this many digits.
const DIGITS: u8 = 3;

/// A histogram of ticks that never allocates after it was made.
#[derive(Debug)]
pub struct Distribution {
    histogram: Histogram<u64>,
    /// Kept apart: the histogram rounds.
    least: u64,
    most: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self::new()
    }
}

impl Distribution {
    /// One without samples.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("the bounds are right");
        Self { histogram, least: u64::MAX, most: 0 }
    }

    /// Adds one sample.
    #[inline]
    pub fn record(&mut self, ticks: u64) {
        self.histogram.saturating_record(ticks);
        self.least = self.least.min(ticks);
        self.most = self.most.max(ticks);
    }

    /// The ticks that this part of the samples does not exceed; never more than the largest sample, as rounding might.
    pub fn quantile(&self, quantile: f64) -> u64 {
        if quantile == 0.0 { self.least } else { self.histogram.value_at_quantile(quantile).min(self.most) }
    }

    /// How many samples lie in each doubling of time: below 1 ns, from 1 to 2, from 2 to 4, …, up to the largest sample. Right
    /// to the histogram's digits at the borders.
    pub fn doublings(&self, timer: &Timer) -> Vec<u64> {
        let ticks = |nanoseconds: f64| (nanoseconds * timer.rate) as u64;
        let (mut counts, mut from, mut limit) = (Vec::new(), 0, 1.0);
        while from <= self.most {
            let to = ticks(limit).max(from + 1);
            counts.push(self.histogram.count_between(from, to - 1));
            (from, limit) = (to, limit * 2.0);
        }
        counts
    }

    /// What the samples say, in nanoseconds.
    pub fn summary(&self, timer: &Timer) -> Summary {
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many samples.
    pub count: u64,
    /// The least.
    pub min: f64,
    /// Their mean, preemptions included.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// What 99 of 100 do not exceed.
    pub p99: f64,
    /// What 999 of 1000 do not exceed.
    pub p999: f64,
    /// The largest: a preemption, unless the machine is idle.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_in_one_doubling() {
        let timer = Timer { cost: 0, least_cost: 0, p99_cost: 0, rate: 2.0 };
        let mut distribution = Distribution::new();
        // 0 to 15 ticks are 0 to 7.5 ns: two below 1 ns, two from 1 to 2, four from 2 to 4, eight from 4 to 8.
        (0..16).for_each(|ticks| distribution.record(ticks));
        assert_eq!(distribution.doublings(&timer), [2, 2, 4, 8]);
        distribution.record(1 << 20);
        assert_eq!(distribution.doublings(&timer).iter().sum::<u64>(), 17);
    }

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
