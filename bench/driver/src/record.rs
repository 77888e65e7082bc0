//! Everything that was measured, as `record.json` keeps it: every sample, unrounded.
//!
//! ```text
//! { "format": 1, "machine": {fact: text}, "rounds": n, "scale": n, "complaints": [text],
//!   "allocators": [{"name", "runner", "environment": {key: value}}],
//!   "runs": [{"workload", "threads", "allocator", "samples": [{…}]}],
//!   "summary": [{"measure", "cells", "best_peer", "geometric_means": {allocator: number}}] }
//! ```
//! `summary` is for readers that do not want to compute it; this program does not read it.

use crate::allocators::Row;
use crate::arguments::{Cell, Resolved};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stratalloc_measure::machine::Fact;
use stratalloc_measure::work::{self, Done};
use stratalloc_measure::{Figure, Summary};

const FORMAT: u32 = 1;

/// The whole record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    format: u32,
    machine: Map<String, Value>,
    pub(crate) rounds: usize,
    pub(crate) scale: u64,
    /// `workload × threads on row: problem`.
    pub(crate) complaints: Vec<String>,
    pub(crate) allocators: Vec<Row>,
    /// By cell, then by row.
    pub(crate) runs: Vec<Runs>,
}

/// All good runs of one row in one cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Runs {
    pub(crate) workload: String,
    pub(crate) threads: usize,
    pub(crate) allocator: String,
    pub(crate) samples: Vec<Sample>,
}

/// What one run used and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) user_us: u64,
    pub(crate) system_us: u64,
    pub(crate) wall_us: u64,
    pub(crate) peak_kib: u64,
    pub(crate) minor_faults: u64,
    pub(crate) major_faults: u64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
    pub(crate) operations: u64,
    pub(crate) checksum: String,
}

impl Runs {
    /// The name of the cell in tables.
    pub(crate) fn cell(&self) -> String {
        format!("{} × {}", self.workload, self.threads)
    }
}

impl Record {
    /// An empty record of a plan.
    pub(crate) fn new(plan: &Resolved, facts: Vec<Fact>) -> Self {
        let runs = |cell: &Cell, row: &Row| Runs {
            workload: cell.workload.name.to_owned(),
            threads: cell.threads,
            allocator: row.name.clone(),
            samples: Vec::new(),
        };
        let mut record = Self {
            format: FORMAT,
            machine: Map::new(),
            rounds: plan.rounds,
            scale: plan.scale,
            complaints: Vec::new(),
            allocators: plan.rows.clone(),
            runs: plan
                .cells
                .iter()
                .flat_map(|cell| plan.rows.iter().map(move |row| runs(cell, row)))
                .collect(),
        };
        facts.into_iter().for_each(|fact| record.add_fact(fact));
        record
    }

    /// One more fact about the machine.
    pub(crate) fn add_fact(&mut self, fact: Fact) {
        self.machine.insert(fact.name, fact.text.into());
    }

    /// The facts in their order.
    pub(crate) fn facts(&self) -> Vec<Fact> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.machine.iter().map(|(name, value)| Fact::new(name, text(value))).collect()
    }

    /// Notes one run.
    pub(crate) fn add(&mut self, cell: usize, row: usize, outcome: Result<Sample, String>) {
        let index = cell * self.allocators.len() + row;
        match outcome {
            Ok(sample) => self.runs[index].samples.push(sample),
            Err(problem) => self.complain(index, &problem),
        }
    }

    /// Whether the row has failed the cell.
    pub(crate) fn failed(&self, cell: usize, row: usize) -> bool {
        self.problem(cell * self.allocators.len() + row).is_some()
    }

    /// What went wrong in the runs with this index.
    pub(crate) fn problem(&self, index: usize) -> Option<&str> {
        let start = self.complaint(index);
        self.complaints.iter().find_map(|text| text.strip_prefix(start.as_str()))
    }

    /// How many runs were good.
    pub(crate) fn good_runs(&self) -> usize {
        self.runs.iter().map(|runs| runs.samples.len()).sum()
    }

    /// The same work gives the same checksum and count on every allocator, or something lost memory's contents.
    pub(crate) fn compare_checksums(&mut self) {
        let rows = self.allocators.len();
        let done = |sample: &Sample| Done {
            operations: sample.operations,
            checksum: sample.checksum.clone(),
            peak_kib: sample.peak_kib,
        };
        for first in (0..self.runs.len()).step_by(rows) {
            let cell: Vec<Vec<Done>> = self.runs[first..first + rows]
                .iter()
                .map(|runs| runs.samples.iter().map(done).collect())
                .collect();
            for row in work::deviating(&cell) {
                self.complain(first + row, "read back other contents than the other allocators did.");
            }
        }
    }

    fn complain(&mut self, index: usize, problem: &str) {
        let complaint = format!("{}{problem}", self.complaint(index));
        self.complaints.push(complaint);
    }

    fn complaint(&self, index: usize) -> String {
        let runs = &self.runs[index];
        format!("{} on {}: ", runs.cell(), runs.allocator)
    }

    /// The record as text, with the summary.
    pub(crate) fn to_json(&self, summary: &Summary<'_>) -> Result<String, serde_json::Error> {
        let mut document = serde_json::to_value(self)?;
        document["summary"] = Figure::ALL.map(|figure| means(summary, figure)).into();
        let mut text = serde_json::to_string(&document)?;
        // A line per object, so that records can be compared with line tools. Texts cannot hold a bare quote, so only the
        // beginnings of objects are found.
        for first in ["name", "workload", "user_us", "measure"] {
            text = text.replace(&format!("}},{{\"{first}\""), &format!("}},\n{{\"{first}\""));
        }
        Ok(text + "\n")
    }

    /// Reads a record; the text of the error says what is wrong with it.
    pub(crate) fn from_json(text: &str) -> Result<Self, String> {
        let record: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if record.format != FORMAT {
            return Err(format!("its format is {}, not {FORMAT}", record.format));
        }
        let rows = record.allocators.len().max(1);
        let in_order = |(index, runs): (usize, &Runs)| {
            record.allocators.get(index % rows).is_some_and(|row| row.name == runs.allocator)
        };
        if !record.runs.len().is_multiple_of(rows) || !record.runs.iter().enumerate().all(in_order) {
            return Err("its runs are not in the order of its allocators".to_owned());
        }
        Ok(record)
    }
}

/// One line of the summary: times in milliseconds, sizes in MiB, as the record has always had them.
fn means(summary: &Summary<'_>, figure: Figure) -> Value {
    let (unit, factor) = match figure {
        Figure::Cpu | Figure::Wall | Figure::User | Figure::System => (", ms", 1e3),
        Figure::PeakRss => (", MiB", 1.0 / f64::from(1 << 20)),
        Figure::MinorFaults | Figure::MajorFaults | Figure::Switches => ("", 1.0),
    };
    let table = summary.table(figure);
    let allocators = &summary.comparison().allocators;
    let mean = |(row, mean): (usize, &Option<f64>)| {
        (allocators[row].name.clone(), json!(mean.map(|mean| mean * factor)))
    };
    let by_name: Map<String, Value> = table.means.iter().enumerate().map(mean).collect();
    json!({
        "measure": format!("{}{unit}", figure.label()),
        "cells": table.common.len(),
        "best_peer": table.best_peer.map(|row| allocators[row].name.clone()),
        "geometric_means": by_name,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::allocators;
    use crate::comparison::compared;

    /// Three rows and one cell, with these checksums; `None` is a failure.
    pub(crate) fn of_checksums(checksums: [Option<&str>; 3]) -> Record {
        let rows = allocators::known()[..3].to_vec();
        let runs = |row: &Row| Runs {
            workload: "pairs-32".to_owned(),
            threads: 1,
            allocator: row.name.clone(),
            samples: Vec::new(),
        };
        let runs = rows.iter().map(runs).collect();
        let mut record = Record {
            format: FORMAT,
            machine: Map::new(),
            rounds: 1,
            scale: 1000,
            complaints: Vec::new(),
            allocators: rows,
            runs,
        };
        record.add_fact(Fact::new("z", "first"));
        record.add_fact(Fact::new("a", "second"));
        for (row, checksum) in checksums.into_iter().enumerate() {
            let sample = |checksum: &str| Sample {
                user_us: 1000 * (row as u64 + 1),
                checksum: checksum.to_owned(),
                ..Sample::default()
            };
            record.add(0, row, checksum.map(sample).ok_or_else(|| "killed by signal 9".to_owned()));
        }
        record
    }

    #[test]
    fn a_deviating_checksum_is_laid_to_the_row_that_has_it() {
        let mut record = of_checksums([Some("a"), Some("b"), Some("a")]);
        record.compare_checksums();
        assert_eq!(record.complaints.len(), 1);
        assert!(record.failed(0, 1) && !record.failed(0, 0) && !record.failed(0, 2));
        assert_eq!(record.good_runs(), 3);
    }

    #[test]
    fn a_record_reads_back_with_its_facts_in_order() {
        let record = of_checksums([Some("a"), Some("a"), None]);
        let comparison = compared(&record);
        let text = record.to_json(&Summary::of(&comparison)).expect("JSON");
        let again = Record::from_json(&text).expect("the same");
        assert_eq!(again.runs[0].samples, record.runs[0].samples);
        assert_eq!(again.facts(), [Fact::new("z", "first"), Fact::new("a", "second")]);
        assert_eq!(again.problem(2), Some("killed by signal 9"));
        let summary: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(summary["summary"][0]["measure"], "CPU time, ms");
        let mean = summary["summary"][0]["geometric_means"]["mimalloc3"].as_f64().expect("a number");
        assert!((mean - 2.0).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn records_of_another_form_are_refused() {
        let record = of_checksums([Some("a"), Some("a"), Some("a")]);
        let text = serde_json::to_string(&record).expect("JSON");
        assert!(Record::from_json(&text).is_ok());
        let newer = text.replace("\"format\":1", "\"format\":2");
        assert_eq!(Record::from_json(&newer).expect_err("newer"), "its format is 2, not 1");
        let mixed = text.replace("\"allocator\":\"mimalloc3\"", "\"allocator\":\"other\"");
        assert!(Record::from_json(&mixed).expect_err("mixed").contains("order"));
    }
}
