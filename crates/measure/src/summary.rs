//! What a comparison says: who is best where, by how much, how surely, and where stratalloc loses.
//!
//! Two kinds of "best": the best *of a cell* is any allocator, ours too; the best *peer* is not ours. Ours is always held
//! against the best peer, which may be another one in each cell: nobody else has to stand that comparison.

use serde::Serialize;

use crate::comparison::{Comparison, Kind, SYSTEM};
use crate::statistics::{self, Ratio, Sample};
use crate::usage::Figure;

/// Differences below this are not worth a line.
const WORTH_A_LINE: f64 = 1.01;

/// The summary of a comparison.
#[derive(Debug)]
pub struct Summary<'a> {
    comparison: &'a Comparison,
    /// One per figure, in the order of [`Figure::ALL`].
    pub tables: Vec<FigureTable>,
}

/// One figure.
#[derive(Debug)]
pub struct FigureTable {
    /// Which.
    pub figure: Figure,
    /// `samples[cell][allocator]`; none where its figures do not count.
    pub samples: Vec<Vec<Option<Sample>>>,
    /// The cells that every allocator has done that has done any, and where none of them has zero.
    pub common: Vec<usize>,
    /// Per allocator, over the common cells, of its medians.
    pub means: Vec<Option<f64>>,
    /// The peer with the best mean.
    pub best_peer: Option<usize>,
    /// What ratios are to: the system's allocator for a program, the best peer for workloads.
    pub reference: Option<usize>,
}

/// How one of our rows stands against the best peer of a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Index of the cell.
    pub cell: usize,
    /// The figure.
    pub figure: Figure,
    /// Index of our row.
    pub ours: usize,
    /// Index of the best peer.
    pub peer: usize,
    /// Ours by the peer's.
    pub ratio: Ratio,
}

/// One line of the summary in JSON.
#[derive(Debug, Serialize)]
pub struct Line {
    figure: &'static str,
    cells: usize,
    reference: Option<String>,
    allocators: Vec<Mean>,
}

#[derive(Debug, Serialize)]
struct Mean {
    name: String,
    geometric_mean: Option<f64>,
    ratio: Option<Ratio>,
}

impl<'a> Summary<'a> {
    /// The summary.
    #[must_use]
    pub fn of(comparison: &'a Comparison) -> Summary<'a> {
        let tables = Figure::ALL.map(|figure| FigureTable::of(comparison, figure)).into();
        Summary { comparison, tables }
    }

    /// What it is about.
    #[must_use]
    pub fn comparison(&self) -> &'a Comparison {
        self.comparison
    }

    /// The table of a figure.
    ///
    /// # Panics
    /// Never: there is one for each figure.
    #[must_use]
    pub fn table(&self, figure: Figure) -> &FigureTable {
        self.tables.iter().find(|table| table.figure == figure).expect("one for each figure")
    }

    /// One allocator's figure by another's in one cell.
    #[must_use]
    pub fn ratio(&self, figure: Figure, cell: usize, allocator: usize, to: usize) -> Option<Ratio> {
        let values = |row| self.comparison.values(cell, row, figure);
        statistics::ratio_of_medians(&values(allocator), &values(to))
    }

    /// One allocator's figure by the reference's, as a geometric mean over the common cells.
    #[must_use]
    pub fn mean_ratio(&self, figure: Figure, allocator: usize) -> Option<Ratio> {
        let table = self.table(figure);
        let reference = table.reference?;
        if let &[cell] = table.common.as_slice() {
            return self.ratio(figure, cell, allocator, reference);
        }
        let values = |cell: usize, row| self.comparison.values(cell, row, figure);
        let cells: Vec<_> =
            table.common.iter().map(|&cell| (values(cell, allocator), values(cell, reference))).collect();
        statistics::geometric_mean_of_ratios(&cells)
    }

    /// Ours against the best peer of each cell in the figures that an allocator is judged by, worst first.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        let mut all = Vec::new();
        for figure in Figure::HEADLINE {
            let table = self.table(figure);
            for ours in self.ours() {
                for cell in 0..self.comparison.cells.len() {
                    let Some(peer) = self.best_peer_of(table, cell) else { continue };
                    let Some(ratio) = self.ratio(figure, cell, ours, peer) else { continue };
                    all.push(Standing { cell, figure, ours, peer, ratio });
                }
            }
        }
        all.sort_by(|a, b| b.ratio.value.total_cmp(&a.ratio.value));
        all
    }

    /// Where ours is behind the best peer of a cell: what is certain first, worst first.
    #[must_use]
    pub fn losses(&self) -> Vec<Standing> {
        let mut standings = self.standings();
        standings.retain(|standing| standing.ratio.value >= WORTH_A_LINE);
        // Stable: within both parts the order stays.
        standings.sort_by_key(|standing| !standing.ratio.is_surely_above_one());
        standings
    }

    /// Our rows.
    pub fn ours(&self) -> impl Iterator<Item = usize> + '_ {
        let rows = self.comparison.allocators.iter().enumerate();
        rows.filter(|(_, allocator)| allocator.ours).map(|(row, _)| row)
    }

    /// The best peer of one cell.
    #[must_use]
    pub fn best_peer_of(&self, table: &FigureTable, cell: usize) -> Option<usize> {
        table.best_of(cell, |row| !self.comparison.allocators[row].ours)
    }

    /// The summary for JSON.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let name = |row: usize| self.comparison.allocators[row].name.clone();
        let mean = |table: &FigureTable, row: usize| Mean {
            name: name(row),
            geometric_mean: table.means[row],
            ratio: self.mean_ratio(table.figure, row),
        };
        let line = |table: &FigureTable| Line {
            figure: table.figure.key(),
            cells: table.common.len(),
            reference: table.reference.map(name),
            allocators: (0..self.comparison.allocators.len()).map(|row| mean(table, row)).collect(),
        };
        self.tables.iter().map(line).collect()
    }
}

impl FigureTable {
    fn of(comparison: &Comparison, figure: Figure) -> FigureTable {
        let rows = comparison.allocators.len();
        let sample = |cell: usize, row: usize| Sample::of(comparison.values(cell, row, figure));
        let samples: Vec<Vec<Option<Sample>>> = (0..comparison.cells.len())
            .map(|cell| (0..rows).map(|row| sample(cell, row)).collect())
            .collect();
        // A row that has done nothing at all must not take every cell from the others.
        let working: Vec<usize> =
            (0..rows).filter(|&row| samples.iter().any(|cell| cell[row].is_some())).collect();
        let is_common = |cell: &Vec<Option<Sample>>| {
            working.iter().all(|&row| cell[row].is_some_and(|sample| sample.median > 0.0))
        };
        let common: Vec<usize> = (0..samples.len()).filter(|&cell| is_common(&samples[cell])).collect();
        let mean = |row: usize| {
            let medians = common.iter().filter_map(|&cell| samples[cell][row]).map(|sample| sample.median);
            statistics::geometric_mean(medians)
        };
        let means: Vec<Option<f64>> = (0..rows).map(mean).collect();
        let mut table = FigureTable { figure, samples, common, means, best_peer: None, reference: None };
        table.best_peer = least(&table.means, |row| !comparison.allocators[row].ours);
        let system = comparison.allocators.iter().position(|allocator| allocator.name == SYSTEM);
        table.reference = match comparison.kind {
            Kind::Program => system.filter(|&row| table.means[row].is_some()).or(table.best_peer),
            Kind::Workloads => table.best_peer,
        };
        table
    }

    /// The allocator with the least median in a cell among those that are admitted.
    #[must_use]
    pub fn best_of(&self, cell: usize, admit: impl Fn(usize) -> bool) -> Option<usize> {
        let medians: Vec<_> = self.samples[cell].iter().map(|sample| sample.map(|all| all.median)).collect();
        least(&medians, admit)
    }

    /// The allocators by their means, best first; those without one are left out.
    #[must_use]
    pub fn ranking(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.means.len()).filter(|&row| self.means[row].is_some()).collect();
        rows.sort_by(|&a, &b| {
            self.means[a].unwrap_or(f64::NAN).total_cmp(&self.means[b].unwrap_or(f64::NAN))
        });
        rows
    }
}

fn least(values: &[Option<f64>], admit: impl Fn(usize) -> bool) -> Option<usize> {
    let there = values.iter().enumerate().filter_map(|(row, value)| value.map(|value| (row, value)));
    there.filter(|&(row, _)| admit(row)).min_by(|a, b| a.1.total_cmp(&b.1)).map(|(row, _)| row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::tests::of_times;

    #[test]
    fn a_program_is_held_against_the_system() {
        let comparison = of_times(&[&[&[10, 10], &[20, 20], &[5, 5]]]);
        let summary = Summary::of(&comparison);
        let table = summary.table(Figure::Cpu);
        assert_eq!((table.reference, table.best_peer), (Some(1), Some(2)));
        assert_eq!(summary.mean_ratio(Figure::Cpu, 0).unwrap().value, 0.5);
        assert_eq!(table.ranking(), [2, 0, 1]);
    }

    #[test]
    fn workloads_are_held_against_the_best_peer_over_common_cells() {
        let comparison = of_times(&[&[&[2], &[8], &[4]], &[&[8], &[2], &[4]], &[&[1], &[1], &[]]]);
        let summary = Summary::of(&comparison);
        let table = summary.table(Figure::Cpu);
        assert_eq!(table.common, [0, 1], "one row failed the third");
        assert_eq!(table.best_peer, Some(1));
        assert!((table.means[0].unwrap() - 4.0 * 1e-3).abs() < 1e-9);
        assert_eq!(table.best_of(2, |_| true), Some(0));
    }

    #[test]
    fn a_row_that_fails_everywhere_leaves_the_others_their_means() {
        let comparison = of_times(&[&[&[2], &[8], &[]], &[&[8], &[2], &[]]]);
        let summary = Summary::of(&comparison);
        let table = summary.table(Figure::Cpu);
        assert_eq!(table.common, [0, 1]);
        assert_eq!(table.means[2], None);
    }

    #[test]
    fn losses_are_against_the_best_peer_of_each_cell_worst_first() {
        let comparison = of_times(&[&[&[10, 10], &[20, 20], &[5, 5]], &[&[9, 9], &[3, 3], &[4, 4]]]);
        let summary = Summary::of(&comparison);
        let losses: Vec<_> = summary.losses().into_iter().filter(|loss| loss.figure == Figure::Cpu).collect();
        let brief: Vec<_> =
            losses.iter().map(|loss| (loss.cell, loss.peer, loss.ratio.value.round())).collect();
        assert_eq!(brief, [(1, 1, 3.0), (0, 2, 2.0)]);
        assert!(losses[0].ratio.is_surely_above_one());
    }

    #[test]
    fn ours_is_held_against_peers_where_it_is_the_best_too() {
        let comparison = of_times(&[&[&[10, 10], &[20, 20], &[40, 40]]]);
        let summary = Summary::of(&comparison);
        let standings = summary.standings();
        let of_cpu = standings.iter().find(|one| one.figure == Figure::Cpu).unwrap();
        assert_eq!((of_cpu.peer, of_cpu.ratio.value), (1, 0.5));
        assert!(summary.losses().iter().all(|loss| loss.figure != Figure::Cpu));
    }

    #[test]
    fn samples_from_before_a_failure_count_nowhere() {
        let mut comparison = of_times(&[&[&[10, 10], &[5, 5], &[40, 40]]]);
        comparison.cells[0].outcomes[1].fail("other output");
        let summary = Summary::of(&comparison);
        assert_eq!(summary.table(Figure::Cpu).samples[0][1], None);
        assert_eq!(summary.table(Figure::Cpu).reference, Some(2), "the system's figures do not count");
    }

    #[test]
    fn a_figure_that_is_zero_has_no_ratio_and_no_mean() {
        let comparison = of_times(&[&[&[10], &[20]]]);
        let summary = Summary::of(&comparison);
        assert_eq!(summary.mean_ratio(Figure::MajorFaults, 0), None);
        assert_eq!(summary.table(Figure::MajorFaults).common, [0; 0]);
    }
}
