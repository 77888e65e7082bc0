//! Medians, the uncertainty of their ratios, and geometric means.
//!
//! **Intervals.** From six runs on, 95 % by the percentile bootstrap: both samples are drawn again, with replacement, and the
//! middle 95 % of the ratios of their medians is the interval. Below six runs no method reaches 95 % (of five values, all
//! lie on one side of the true median once in 16 times), and a bootstrap would pretend otherwise: the interval is then
//! everything that the runs allow, from least by most to most by least. One run has no interval.
//!
//! The draws are the same in each execution: a page made again from the same record shows the same numbers.

use serde::{Deserialize, Serialize};

/// From so many runs on a bootstrap is made.
pub const ENOUGH_RUNS: usize = 6;
const DRAWS: usize = 2000;
const SEED: u64 = 0x5eed_0f57_a7a1_10c5;

/// The values of one figure over several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The middle value.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Sample {
    /// The sample of these values; `None` without any.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Sample> {
        let mut values: Vec<f64> = values.into_iter().collect();
        let median = median(&mut values)?;
        Some(Sample { median, least: values[0], most: values[values.len() - 1] })
    }

    /// Half the distance from least to most, as a part of the median; `None` when the median is 0.
    #[must_use]
    pub fn spread(&self) -> Option<f64> {
        crate::units::ratio((self.most - self.least) / 2.0, self.median)
    }
}

/// Where a value lies, with 95 % confidence or at all (see the module's text).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// A ratio of two medians.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The ratio itself.
    pub value: f64,
    /// Its uncertainty; `None` for single runs.
    pub interval: Option<Interval>,
}

impl Ratio {
    /// Whether all of its interval is above one.
    #[must_use]
    pub fn is_surely_above_one(&self) -> bool {
        self.interval.is_some_and(|interval| interval.low > 1.0)
    }

    /// Whether all of its interval is below one.
    #[must_use]
    pub fn is_surely_below_one(&self) -> bool {
        self.interval.is_some_and(|interval| interval.high < 1.0)
    }
}

/// The median, and the values sorted.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some(f64::midpoint(values[(values.len() - 1) / 2], upper))
}

/// The median of `ours` by the median of `theirs`; `None` where one has no values, or theirs is 0.
#[must_use]
pub fn ratio_of_medians(ours: &[f64], theirs: &[f64]) -> Option<Ratio> {
    let (ours_all, theirs_all) = (Sample::of(ours.iter().copied())?, Sample::of(theirs.iter().copied())?);
    let value = crate::units::ratio(ours_all.median, theirs_all.median)?;
    let runs = ours.len().min(theirs.len());
    let interval = match runs {
        ..2 => None,
        2..ENOUGH_RUNS => crate::units::ratio(ours_all.least, theirs_all.most)
            .zip(crate::units::ratio(ours_all.most, theirs_all.least))
            .map(|(low, high)| Interval { low, high }),
        _ => bootstrap(|rng| {
            let (mut first, mut second) = (rng.draw(ours), rng.draw(theirs));
            crate::units::ratio(median(&mut first)?, median(&mut second)?)
        }),
    };
    Some(Ratio { value, interval })
}

/// Where the median of these values lies, by the same rule.
#[must_use]
pub fn interval_of_median(values: &[f64]) -> Option<Interval> {
    match values.len() {
        ..2 => None,
        2..ENOUGH_RUNS => {
            Sample::of(values.iter().copied()).map(|all| Interval { low: all.least, high: all.most })
        }
        _ => bootstrap(|rng| median(&mut rng.draw(values))),
    }
}

/// The geometric mean of the ratios of medians over several cells, each with its values of ours and theirs. Cells that have no
/// ratio are left out; `None` when none is left. The interval is a bootstrap from three runs on: many cells together say
/// more than each alone.
#[must_use]
pub fn geometric_mean_of_ratios(cells: &[(Vec<f64>, Vec<f64>)]) -> Option<Ratio> {
    let of = |cells: &mut dyn Iterator<Item = (Vec<f64>, Vec<f64>)>| {
        geometric_mean(cells.filter_map(|(mut ours, mut theirs)| {
            crate::units::ratio(median(&mut ours)?, median(&mut theirs)?)
        }))
    };
    let value = of(&mut cells.iter().cloned())?;
    let runs = cells.iter().map(|(ours, theirs)| ours.len().min(theirs.len())).min().unwrap_or(0);
    let interval = (runs >= 3)
        .then(|| {
            bootstrap(|rng| of(&mut cells.iter().map(|(ours, theirs)| (rng.draw(ours), rng.draw(theirs)))))
        })
        .flatten();
    Some(Ratio { value, interval })
}

/// The geometric mean; zeros, which have no logarithm, are left out. `None` when nothing is left.
pub fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values.filter(|&value| value > 0.0) {
        sum += value.ln();
        count += 1.0;
    }
    (count > 0.0).then(|| f64::exp(sum / count))
}

/// The middle 95 % of what `once` gives over many draws; `None` when a draw gives nothing.
fn bootstrap(mut once: impl FnMut(&mut Draws) -> Option<f64>) -> Option<Interval> {
    let mut rng = Draws(SEED);
    let mut values = (0..DRAWS).map(|_| once(&mut rng)).collect::<Option<Vec<f64>>>()?;
    values.sort_unstable_by(f64::total_cmp);
    // 2.5 % are cut off at each end.
    let cut = DRAWS / 40;
    Some(Interval { low: values[cut], high: values[DRAWS - 1 - cut] })
}

/// SplitMix64: small, and good enough to draw indices.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// As many values as there are, each drawn from all of them.
    fn draw(&mut self, values: &[f64]) -> Vec<f64> {
        let all = values.len() as u128;
        let index = |number: u64| usize::try_from((u128::from(number) * all) >> 64).unwrap_or(0);
        values.iter().map(|_| values[index(self.next())]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, to: f64, by: f64) -> bool {
        (value - to).abs() <= by
    }

    #[test]
    fn median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(Sample::of([]), None);
        assert_eq!(Sample::of([9.0, 1.0, 5.0]), Some(Sample { median: 5.0, least: 1.0, most: 9.0 }));
        assert_eq!(Sample::of([4.0, 2.0]).unwrap().median, 3.0);
        assert_eq!(Sample::of([90.0, 110.0, 100.0]).unwrap().spread(), Some(0.1));
        assert_eq!(Sample::of([0.0, 0.0]).unwrap().spread(), None);
    }

    #[test]
    fn few_runs_give_all_that_is_possible() {
        assert_eq!(ratio_of_medians(&[2.0], &[4.0]), Some(Ratio { value: 0.5, interval: None }));
        let ratio = ratio_of_medians(&[2.0, 3.0, 4.0], &[4.0, 5.0, 8.0]).unwrap();
        assert_eq!(ratio.value, 0.6);
        assert_eq!(ratio.interval, Some(Interval { low: 0.25, high: 1.0 }));
        assert!(!ratio.is_surely_below_one(), "one is still possible");
    }

    #[test]
    fn nothing_by_zero_is_no_ratio() {
        assert_eq!(ratio_of_medians(&[1.0, 1.0], &[0.0, 0.0]), None);
        assert_eq!(ratio_of_medians(&[], &[1.0]), None);
        assert_eq!(ratio_of_medians(&[1.0, 1.0], &[0.0, 2.0]).unwrap().interval, None, "a zero is possible");
    }

    /// For the values 1 … n the bootstrap distribution of the median is known: that of the middle order statistic, whose
    /// index is a binomial matter. For n = 11, P(median ≤ k) = P(Bin(11, k/11) ≥ 6); its 2.5 % and 97.5 % points are 3
    /// (P(≤ 2) = 0.009, P(≤ 3) = 0.053) and 9.
    #[test]
    fn bootstrap_of_a_median_matches_the_exact_distribution() {
        let values: Vec<f64> = (1..=11).map(f64::from).collect();
        assert_eq!(interval_of_median(&values), Some(Interval { low: 3.0, high: 9.0 }));
        let mut rng = Draws(SEED);
        let draws = 20_000;
        let low = (0..draws).filter(|_| median(&mut rng.draw(&values)).unwrap() <= 3.0).count();
        // P(Bin(11, 3/11) ≥ 6) = 0.0534; four standard errors of 20 000 draws are 0.0064.
        assert!(close(low as f64 / f64::from(draws), 0.0534, 0.0064), "{low}");
    }

    /// Equal samples with no spread leave no doubt; a sample against itself always has one inside.
    #[test]
    fn bootstrap_of_a_ratio_holds_the_ratio() {
        let sure = ratio_of_medians(&[3.0; 8], &[4.0; 8]).unwrap();
        assert_eq!(sure.interval, Some(Interval { low: 0.75, high: 0.75 }));
        assert!(sure.is_surely_below_one() && !sure.is_surely_above_one());
        let values: Vec<f64> = (90..=110).map(f64::from).collect();
        let itself = ratio_of_medians(&values, &values).unwrap().interval.unwrap();
        assert!(itself.low < 1.0 && itself.high > 1.0, "{itself:?}");
        assert!(close(itself.low * itself.high, 1.0, 0.02), "symmetric on the scale of ratios: {itself:?}");
    }

    #[test]
    fn the_same_values_give_the_same_interval() {
        let (ours, theirs): (Vec<f64>, Vec<f64>) =
            (0..9).map(|n| (f64::from(n * 7 % 9) + 1.0, f64::from(n) + 2.0)).unzip();
        assert_eq!(ratio_of_medians(&ours, &theirs), ratio_of_medians(&ours, &theirs));
    }

    #[test]
    fn geometric_means_multiply_and_leave_zeros_out() {
        assert!(close(geometric_mean([2.0, 8.0, 0.0].into_iter()).unwrap(), 4.0, 1e-12));
        assert_eq!(geometric_mean([0.0].into_iter()), None);
        let cells =
            [(vec![1.0; 3], vec![2.0; 3]), (vec![8.0; 3], vec![1.0; 3]), (vec![1.0; 3], vec![0.0; 3])];
        let mean = geometric_mean_of_ratios(&cells).unwrap();
        assert!(close(mean.value, 2.0, 1e-12));
        assert!(mean.interval.is_some_and(|all| close(all.low, 2.0, 1e-9) && close(all.high, 2.0, 1e-9)));
    }
}
