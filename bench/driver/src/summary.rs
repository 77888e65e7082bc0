//! Medians, spreads, geometric means, ratios.

use crate::child::Sample;
use crate::record::Record;

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Cpu,
    Peak,
    Faults,
    Wall,
    Switches,
}

impl Measure {
    pub(crate) const ALL: [Self; 5] = [Self::Cpu, Self::Peak, Self::Faults, Self::Wall, Self::Switches];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Cpu => "CPU time, ms",
            Self::Peak => "peak RSS, MiB",
            Self::Faults => "minor faults",
            Self::Wall => "wall time, ms",
            Self::Switches => "context switches",
        }
    }

    pub(crate) fn of(self, sample: &Sample) -> f64 {
        match self {
            Self::Cpu => sample.cpu_us() as f64 / 1e3,
            Self::Peak => sample.peak_kib as f64 / 1024.0,
            Self::Faults => sample.minor_faults as f64,
            Self::Wall => sample.wall_us as f64 / 1e3,
            Self::Switches => (sample.voluntary_switches + sample.involuntary_switches) as f64,
        }
    }
}

/// The median of a cell and row, and how far its runs lie apart: half of (largest − smallest), relative to the median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) spread: f64,
}

/// The summary of one measure.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) measure: Measure,
    /// `figures[cell][row]`; none where the row failed.
    pub(crate) figures: Vec<Vec<Option<Figure>>>,
    /// Per row, over the cells that every row has done.
    pub(crate) geometric_means: Vec<f64>,
    /// The row with the best geometric mean among the peers.
    pub(crate) best_peer: Option<usize>,
}

/// All tables.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) tables: Vec<Table>,
    /// The cells that every row has done that has done any.
    pub(crate) common: Vec<usize>,
}

impl Summary {
    pub(crate) fn of(record: &Record) -> Self {
        let rows = 0..record.rows.len();
        let done =
            |cell: usize, row: usize| !record.failed(cell, row) && !record.samples[cell][row].is_empty();
        // A row that has done nothing at all must not take every cell from the others.
        let working: Vec<usize> =
            rows.clone().filter(|&row| (0..record.cells.len()).any(|cell| done(cell, row))).collect();
        let common: Vec<usize> =
            (0..record.cells.len()).filter(|&cell| working.iter().all(|&row| done(cell, row))).collect();
        let tables = Measure::ALL
            .into_iter()
            .map(|measure| {
                let figure = |cell: usize, row: usize| {
                    let values = record.samples[cell][row].iter().map(|sample| measure.of(sample));
                    done(cell, row).then(|| Figure::of(values.collect()))
                };
                let figures: Vec<Vec<_>> = (0..record.cells.len())
                    .map(|cell| rows.clone().map(|row| figure(cell, row)).collect())
                    .collect();
                let geometric_means: Vec<f64> = rows
                    .clone()
                    .map(|row| geometric_mean(common.iter().filter_map(|&cell| figures[cell][row])))
                    .collect();
                let best_peer = rows
                    .clone()
                    .filter(|&row| !record.rows[row].is_ours() && !common.is_empty())
                    .min_by(|&a, &b| geometric_means[a].total_cmp(&geometric_means[b]));
                Table { measure, figures, geometric_means, best_peer }
            })
            .collect();
        Self { tables, common }
    }
}

impl Table {
    /// The row's geometric mean relative to the best peer's.
    pub(crate) fn ratio(&self, row: usize) -> Option<f64> {
        self.best_peer.map(|peer| self.geometric_means[row] / self.geometric_means[peer])
    }

    /// The best peer of one cell.
    pub(crate) fn best_peer_of(&self, record: &Record, cell: usize) -> Option<(usize, f64)> {
        let peers = self.figures[cell].iter().enumerate().filter(|&(row, _)| !record.rows[row].is_ours());
        peers
            .filter_map(|(row, figure)| figure.map(|figure| (row, figure.median)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

impl Figure {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        let range = values[values.len() - 1] - values[0];
        Self { median, spread: if median > 0.0 { range / 2.0 / median } else { 0.0 } }
    }
}

/// Zero has no logarithm: figures below one count as one thousandth at least.
fn geometric_mean(figures: impl Iterator<Item = Figure>) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for figure in figures {
        sum += figure.median.max(1e-3).ln();
        count += 1;
    }
    if count == 0 { f64::NAN } else { (sum / f64::from(count)).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocators;
    use crate::arguments::Cell;
    use bench_workloads::WORKLOADS;

    #[test]
    fn a_figure_is_the_median_and_half_the_range() {
        assert_eq!(Figure::of(vec![3.0, 1.0, 2.0]), Figure { median: 2.0, spread: 0.5 });
        assert_eq!(Figure::of(vec![1.0, 3.0]), Figure { median: 2.0, spread: 0.5 });
    }

    #[test]
    fn a_row_that_fails_everywhere_leaves_the_others_their_means() {
        let rows = &allocators::known()[..3];
        let mut record = Record::new(rows, &[Cell { workload: &WORKLOADS[0], threads: 1 }]);
        for row in [0, 1] {
            record.add(0, row, Ok(Sample { user_us: 1000, ..Sample::default() }));
        }
        record.add(0, 2, Err("killed".to_owned()));
        let summary = Summary::of(&record);
        assert_eq!(summary.common, [0]);
        assert_eq!(summary.tables[0].best_peer, Some(1));
        assert!(summary.tables[0].geometric_means[2].is_nan());
    }

    #[test]
    fn a_geometric_mean_multiplies() {
        let figures = [2.0, 8.0].map(|median| Figure { median, spread: 0.0 });
        assert!((geometric_mean(figures.into_iter()) - 4.0).abs() < 1e-9);
        assert!(geometric_mean(std::iter::empty()).is_nan());
    }
}
