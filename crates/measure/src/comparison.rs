//! Everything that was measured, as it is kept: `docs/compare-schema.md` describes the JSON.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::curve::Curve;
use crate::machine::Fact;
use crate::process::Finished;
use crate::summary::Summary;
use crate::usage::{Figure, Usage};

/// The name and number of the JSON schema.
pub const SCHEMA: &str = "stratalloc-compare/1";

/// The name of the row without any preloaded library.
pub const SYSTEM: &str = "system";

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One program of the user's.
    Program,
    /// The workloads of the bench.
    Workloads,
}

/// All samples, with what a reader needs to judge them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was compared.
    pub kind: Kind,
    /// What it is called: the program, or the set of workloads.
    pub title: String,
    /// The command lines that make it again.
    pub reproduce: Vec<String>,
    /// What it was measured on.
    pub machine: Vec<Fact>,
    /// Rounds that were planned; each runs everything once.
    pub rounds: usize,
    /// The rows.
    pub allocators: Vec<Allocator>,
    /// The work: one cell for a program, one per workload and thread count for workloads.
    pub cells: Vec<Cell>,
    /// What a reader should know beside the figures.
    pub notes: Vec<String>,
}

/// One allocator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocator {
    /// Its name in tables.
    pub name: String,
    /// Where it comes from: a library, a crate, settings.
    pub detail: String,
    /// Whether it is stratalloc, under whatever settings.
    pub ours: bool,
}

/// Work that every allocator did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its name in tables.
    pub name: String,
    /// What it stands for; empty when its name says it.
    pub models: String,
    /// What came out, in the order of the allocators.
    pub outcomes: Vec<Outcome>,
}

/// What one allocator made of one cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// One per good run.
    pub samples: Vec<Usage>,
    /// Resident memory over time in its first run.
    pub curve: Option<Curve>,
    /// Why its figures do not count.
    pub problem: Option<String>,
}

impl Outcome {
    /// Adds a good run.
    pub fn add(&mut self, run: Finished) {
        self.samples.push(run.usage);
        if self.curve.is_none() {
            self.curve = run.curve;
        }
    }

    /// Notes why the figures do not count; the first reason stands.
    pub fn fail(&mut self, problem: impl Into<String>) {
        self.problem.get_or_insert_with(|| problem.into());
    }
}

impl Cell {
    /// A cell that nobody has done yet.
    pub fn new(name: impl Into<String>, models: impl Into<String>, allocators: usize) -> Cell {
        Cell { name: name.into(), models: models.into(), outcomes: vec![Outcome::default(); allocators] }
    }
}

impl Comparison {
    /// The values of one figure; none for a row whose figures do not count.
    #[must_use]
    pub fn values(&self, cell: usize, allocator: usize, figure: Figure) -> Vec<f64> {
        let outcome = &self.cells[cell].outcomes[allocator];
        if outcome.problem.is_some() {
            return Vec::new();
        }
        outcome.samples.iter().map(|usage| figure.of(usage)).collect()
    }

    /// What went wrong: cell, allocator, reason.
    pub fn problems(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.cells.iter().flat_map(|cell| {
            let rows = cell.outcomes.iter().zip(&self.allocators);
            rows.filter_map(|(outcome, allocator)| {
                Some((cell.name.as_str(), allocator.name.as_str(), outcome.problem.as_deref()?))
            })
        })
    }

    /// Writes it as JSON, with the summary for readers that do not want to compute it.
    pub fn write_json(&self, mut out: impl Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Document<'a> {
            #[serde(flatten)]
            comparison: &'a Comparison,
            summary: Vec<crate::summary::Line>,
        }
        let document = Document { comparison: self, summary: Summary::of(self).lines() };
        serde_json::to_writer(&mut out, &document)?;
        writeln!(out)?;
        out.flush()
    }

    /// Reads what [`write_json`](Comparison::write_json) wrote; the text of the error says what is wrong with it.
    pub fn read_json(text: &str) -> Result<Comparison, String> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        // First of all: another schema need not have the other fields.
        let Head { schema } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if schema != SCHEMA {
            return Err(format!("its schema is '{schema}', not '{SCHEMA}'"));
        }
        let comparison: Comparison = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let rows = comparison.allocators.len();
        match comparison.cells.iter().find(|cell| cell.outcomes.len() != rows) {
            Some(cell) => {
                Err(format!("'{}' has {} outcomes for {rows} allocators", cell.name, cell.outcomes.len()))
            }
            None => Ok(comparison),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use core::time::Duration;

    use super::*;

    /// A comparison from CPU times in milliseconds, `times[cell][allocator]`; peak RSS is ten times that in KiB. The first
    /// allocator is ours, the second is the system's.
    pub(crate) fn of_times(times: &[&[&[u32]]]) -> Comparison {
        let rows = times[0].len();
        let sample = |&ms: &u32| Usage {
            user: Duration::from_millis(ms.into()),
            wall: Duration::from_millis(ms.into()),
            peak_rss_kib: u64::from(ms) * 10,
            minor_faults: 5,
            ..Usage::default()
        };
        let cell = |(index, rows): (usize, &&[&[u32]])| {
            let outcomes = rows.iter().map(|runs| Outcome {
                samples: runs.iter().map(sample).collect(),
                problem: runs.is_empty().then(|| "killed".to_owned()),
                curve: None,
            });
            Cell { name: format!("work-{index}"), models: String::new(), outcomes: outcomes.collect() }
        };
        let name = |row: usize| ["stratalloc", "system", "peer", "other"][row].to_owned();
        Comparison {
            schema: SCHEMA.to_owned(),
            kind: if times.len() == 1 { Kind::Program } else { Kind::Workloads },
            title: "test".to_owned(),
            reproduce: vec!["stratalloc compare -- test".to_owned()],
            machine: vec![Fact::new("CPU", "two")],
            rounds: 3,
            allocators: (0..rows)
                .map(|row| Allocator { name: name(row), detail: String::new(), ours: row == 0 })
                .collect(),
            cells: times.iter().enumerate().map(cell).collect(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn json_reads_back() {
        let mut comparison = of_times(&[&[&[10, 11, 12], &[20], &[]]]);
        comparison.cells[0].outcomes[0].curve = Some(Curve { points: vec![(0, 4096), (9, 8192)] });
        let mut text = Vec::new();
        comparison.write_json(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let again = Comparison::read_json(&text).unwrap();
        assert_eq!(again.cells, comparison.cells);
        assert_eq!(again.allocators, comparison.allocators);
        assert_eq!(again.problems().collect::<Vec<_>>(), [("work-0", "peer", "killed")]);
    }

    #[test]
    fn another_schema_and_missing_rows_are_refused() {
        let mut comparison = of_times(&[&[&[1], &[2]]]);
        let read =
            |comparison: &Comparison| Comparison::read_json(&serde_json::to_string(comparison).unwrap());
        assert!(read(&comparison).is_ok());
        comparison.cells[0].outcomes.pop();
        assert!(read(&comparison).unwrap_err().contains("1 outcomes for 2 allocators"));
        comparison.schema = "stratalloc-compare/9".to_owned();
        assert!(read(&comparison).unwrap_err().contains("stratalloc-compare/9"));
        assert!(Comparison::read_json(r#"{"schema":"other/1"}"#).unwrap_err().contains("'other/1'"));
        assert!(Comparison::read_json("{}").unwrap_err().contains("schema"));
    }
}
