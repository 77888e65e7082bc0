//! Everything that was measured, as it is kept; `README.md` of the bench describes the JSON.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::json;
use stratalloc_measure::machine::{Fact, first_line};

use crate::arguments::Plan;
use crate::cases::{Case, Target, Unit};
use crate::sample::Sample;
use crate::verdict::verdicts;
use crate::{page, text};

/// The name and number of the format.
const FORMAT: &str = "stratalloc-toolkit/1";

/// All samples, with what a reader needs to judge them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    format: String,
    pub(crate) rounds: usize,
    pub(crate) reproduce: Vec<String>,
    pub(crate) machine: Vec<Fact>,
    pub(crate) notes: Vec<String>,
    pub(crate) cells: Vec<Cell>,
}

/// One case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) name: String,
    pub(crate) models: String,
    pub(crate) unit: Unit,
    pub(crate) operations: u64,
    pub(crate) targets: Vec<Target>,
    /// The row whose figure is part of all others': what they have more is their price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) baseline: Option<String>,
    pub(crate) rows: Vec<Row>,
}

impl Cell {
    /// The row that a row's price is counted from, if it has one.
    pub(crate) fn baseline_of(&self, row: &Row) -> Option<&Row> {
        let name = self.baseline.as_ref().filter(|name| **name != row.name)?;
        self.rows.iter().find(|other| other.name == *name)
    }
}

/// One contestant in it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ours: bool,
    /// Per operation, by callgrind.
    pub(crate) instructions: Option<f64>,
    pub(crate) samples: Vec<Sample>,
}

impl Row {
    pub(crate) fn figures(&self) -> Vec<f64> {
        self.samples.iter().map(|sample| sample.figure).collect()
    }

    pub(crate) fn walls(&self) -> Vec<f64> {
        self.samples.iter().filter_map(|sample| sample.wall).collect()
    }
}

impl Record {
    pub(crate) fn new(plan: &Plan, cases: &[Case], mut machine: Vec<Fact>) -> Self {
        machine.push(Fact::new("rustc", first_line(Command::new("rustc").arg("--version"))));
        let revision = ["rev-parse", "--short=12", "HEAD"];
        machine.push(Fact::new("stratalloc", first_line(Command::new("git").args(revision))));
        machine.push(Fact::new("peers", peers()));
        let cells = cases.iter().map(|case| Cell {
            name: case.name.clone(),
            models: case.models.to_owned(),
            unit: case.unit,
            operations: case.operations,
            targets: case.targets.clone(),
            baseline: case.baseline.map(str::to_owned),
            rows: case
                .contestants
                .iter()
                .map(|row| Row {
                    name: row.name.to_owned(),
                    ours: row.ours,
                    instructions: None,
                    samples: Vec::new(),
                })
                .collect(),
        });
        Self {
            format: FORMAT.to_owned(),
            rounds: plan.rounds,
            reproduce: vec![format!("bench/toolkit.sh --rounds {} --record", plan.rounds)],
            machine,
            notes: Vec::new(),
            cells: cells.collect(),
        }
    }

    pub(crate) fn add(&mut self, cell: usize, row: usize, sample: Sample) {
        self.cells[cell].rows[row].samples.push(sample);
    }

    pub(crate) fn add_fact(&mut self, fact: Fact) {
        self.machine.push(fact);
    }

    pub(crate) fn add_note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn set_instructions(&mut self, cell: usize, row: usize, each: f64) {
        self.cells[cell].rows[row].instructions = Some((each * 1000.0).round() / 1000.0);
    }

    /// How many targets were reached and missed.
    pub(crate) fn targets(&self) -> (usize, usize) {
        let (reached, missed): (Vec<_>, Vec<_>) =
            self.cells.iter().flat_map(verdicts).partition(|verdict| verdict.reached);
        (reached.len(), missed.len())
    }

    /// Whether every round would say the same.
    pub(crate) fn is_constant(&self, cell: usize) -> bool {
        self.cells[cell].unit == Unit::PerCent
    }

    /// Cases whose contestants did not read the same from their blocks.
    pub(crate) fn disagreements(&self) -> Vec<String> {
        let differ = |cell: &&Cell| {
            let mut sums = cell.rows.iter().flat_map(|row| &row.samples).map(|sample| sample.checksum);
            sums.next().is_some_and(|first| sums.any(|other| other != first))
        };
        self.cells.iter().filter(differ).map(|cell| format!("{}: the checksums differ", cell.name)).collect()
    }

    /// Writes `toolkit.json`, `toolkit.md` and `toolkit.html`, beside a record of the workloads if there is one.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut json = serde_json::to_value(self).map_err(|error| error.to_string())?;
        // For readers that do not want to compute it; this program does not read it.
        let (reached, missed) = self.targets();
        json["summary"] = json!({ "reached": reached, "missed": missed });
        put(&folder.join("toolkit.json"), &format!("{json}\n"))?;
        self.write_for_people(folder)
    }

    fn write_for_people(&self, folder: &Path) -> Result<(), String> {
        put(&folder.join("toolkit.md"), &text::document(self))?;
        let beside = folder.join("index.html").exists();
        put(&folder.join("toolkit.html"), &page::render(self, beside))
    }
}

/// Writes text and page beside a record again.
pub(crate) fn page_again(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let record: Record =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    if record.format != FORMAT {
        return Err(format!("{}: not {FORMAT} but {}", path.display(), record.format));
    }
    record.write_for_people(path.parent().unwrap_or(Path::new(".")))
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The peers' versions, from the lock file that this program was built with.
fn peers() -> String {
    const NAMES: [&str; 9] = [
        "arc-swap",
        "buddy_system_allocator",
        "bumpalo",
        "corosensei",
        "libmimalloc-sys",
        "mimalloc",
        "rlsf",
        "slotmap",
        "talc",
    ];
    let lock = include_str!("../../Cargo.lock");
    let value = |line: Option<&str>, key: &str| {
        line.and_then(|line| line.strip_prefix(key)).map(|rest| rest.trim_matches(['"', ' ', '=']).to_owned())
    };
    let packages = lock.split("[[package]]\n").filter_map(|package| {
        let mut lines = package.lines();
        let (name, version) = (value(lines.next(), "name")?, value(lines.next(), "version")?);
        NAMES.contains(&name.as_str()).then(|| format!("{name} {version}"))
    });
    packages.collect::<Vec<_>>().join(", ")
}
