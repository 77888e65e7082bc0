//! Everything that was measured.

use crate::allocators::Row;
use crate::arguments::Cell;
use crate::child::Sample;

/// All samples: `samples[cell][row]` has one entry per good round.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) rows: Vec<Row>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) samples: Vec<Vec<Vec<Sample>>>,
    failed: Vec<Vec<bool>>,
    pub(crate) complaints: Vec<String>,
    pub(crate) good_runs: usize,
}

impl Record {
    pub(crate) fn new(rows: &[Row], cells: &[Cell]) -> Self {
        Self {
            rows: rows.to_vec(),
            cells: cells.to_vec(),
            samples: vec![vec![Vec::new(); rows.len()]; cells.len()],
            failed: vec![vec![false; rows.len()]; cells.len()],
            complaints: Vec::new(),
            good_runs: 0,
        }
    }

    /// Whether the row has failed the cell.
    pub(crate) fn failed(&self, cell: usize, row: usize) -> bool {
        self.failed[cell][row]
    }

    /// Notes one run.
    pub(crate) fn add(&mut self, cell: usize, row: usize, outcome: Result<Sample, String>) {
        match outcome {
            Ok(sample) => {
                self.good_runs += 1;
                self.samples[cell][row].push(sample);
            }
            Err(problem) => self.complain(cell, row, &problem),
        }
    }

    /// The same work gives the same checksum and count on every allocator, or something lost memory's contents. The
    /// value that most runs agree on is taken for the right one.
    pub(crate) fn compare_checksums(&mut self) {
        for cell in 0..self.cells.len() {
            let told = |sample: &Sample| (sample.checksum.clone(), sample.operations);
            let all: Vec<_> = self.samples[cell].iter().flatten().map(told).collect();
            let Some(usual) = all.iter().max_by_key(|one| all.iter().filter(|other| other == one).count())
            else {
                continue;
            };
            for row in 0..self.rows.len() {
                if self.samples[cell][row].iter().any(|sample| told(sample) != *usual) {
                    self.complain(cell, row, "read back other contents than the other allocators did.");
                }
            }
        }
    }

    fn complain(&mut self, cell: usize, row: usize, problem: &str) {
        self.failed[cell][row] = true;
        let Cell { workload, threads } = self.cells[cell];
        self.complaints.push(format!("{} × {threads} on {}: {problem}", workload.name, self.rows[row].name));
    }

    /// The name of a cell in tables.
    pub(crate) fn cell_name(&self, cell: usize) -> String {
        format!("{} × {}", self.cells[cell].workload.name, self.cells[cell].threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocators;
    use bench_workloads::WORKLOADS;

    #[test]
    fn a_deviating_checksum_is_laid_to_the_row_that_has_it() {
        let rows = &allocators::known()[..3];
        let mut record = Record::new(rows, &[Cell { workload: &WORKLOADS[0], threads: 1 }]);
        for (row, checksum) in ["a", "b", "a"].into_iter().enumerate() {
            record.add(0, row, Ok(Sample { checksum: checksum.to_owned(), ..Sample::default() }));
        }
        record.compare_checksums();
        assert_eq!(record.complaints.len(), 1);
        assert!(record.failed(0, 1) && !record.failed(0, 0) && !record.failed(0, 2));
    }
}
