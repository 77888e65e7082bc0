//! The same command under two allocators: medians, spread and ratios.
//!
//! The runs alternate, so that what the machine does meanwhile (its caches, its other users) meets both alike. Every figure
//! is from `wait4`, for both sides in the same way.

use crate::child::{Finished, Usage};
use crate::units;

/// A figure that can be compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// Its name in the JSON summary.
    pub(crate) key: &'static str,
    /// Its name for people.
    pub(crate) label: &'static str,
    /// How it is read from one run, in its base unit (seconds, bytes, a count).
    pub(crate) of: fn(&Usage) -> f64,
    /// How a value is shown.
    pub(crate) show: fn(f64) -> String,
}

/// Everything that is compared, in the order in which it is shown. Less is better in each.
pub(crate) const FIGURES: [Figure; 7] = [
    Figure { key: "wall_s", label: "wall time", of: |usage| usage.wall.as_secs_f64(), show: show_time },
    Figure { key: "user_s", label: "user time", of: |usage| usage.user.as_secs_f64(), show: show_time },
    Figure { key: "system_s", label: "system time", of: |usage| usage.system.as_secs_f64(), show: show_time },
    Figure {
        key: "peak_rss_bytes",
        label: "peak RSS",
        of: |usage| units::approximate(usage.peak_rss_kib.saturating_mul(1024)),
        show: |value| units::bytes(whole(value)),
    },
    Figure {
        key: "minor_faults",
        label: "minor faults",
        of: |usage| units::approximate(usage.minor_faults),
        show: |value| units::count(whole(value)),
    },
    Figure {
        key: "major_faults",
        label: "major faults",
        of: |usage| units::approximate(usage.major_faults),
        show: |value| units::count(whole(value)),
    },
    Figure {
        key: "context_switches",
        label: "context switches",
        of: |usage| units::approximate(usage.switches),
        show: |value| units::count(whole(value)),
    },
];

fn show_time(seconds: f64) -> String {
    units::time(core::time::Duration::from_secs_f64(seconds))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are not negative, and far below 2^53"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// The values of one figure over several runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// The middle value.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) least: f64,
    /// The largest.
    pub(crate) most: f64,
}

impl Sample {
    /// The sample of a figure; `None` without runs.
    pub(crate) fn of(figure: &Figure, runs: &[Finished]) -> Option<Sample> {
        let mut values: Vec<f64> = runs.iter().map(|run| (figure.of)(&run.usage)).collect();
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let upper = values[values.len() / 2];
        let lower = values[(values.len() - 1) / 2];
        Some(Sample { median: f64::midpoint(lower, upper), least, most })
    }

    /// Half the distance from least to most, in percent of the median.
    pub(crate) fn spread(&self) -> Option<f64> {
        units::ratio((self.most - self.least) * 50.0, self.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::End;

    fn runs(minor_faults: &[u64]) -> Vec<Finished> {
        let usage = |&minor_faults| Usage { minor_faults, ..Usage::default() };
        let run = |usage| Finished { process: 1, end: End::Exited(0), usage, interrupted: false };
        minor_faults.iter().map(usage).map(run).collect()
    }

    #[test]
    fn median_is_the_middle_or_the_mean_of_two() {
        let sample = |values: &[u64]| Sample::of(&FIGURES[4], &runs(values));
        assert_eq!(sample(&[]), None);
        assert_eq!(sample(&[9, 1, 5]), Some(Sample { median: 5.0, least: 1.0, most: 9.0 }));
        assert_eq!(sample(&[4, 2]).unwrap().median, 3.0);
        assert_eq!(sample(&[90, 110, 100]).unwrap().spread(), Some(10.0));
    }
}
