//! The memory summary, for programs. The schema is documented in `docs/summary-schema.md`; a field that changes its
//! meaning changes the number in [`SCHEMA`].

use alloc::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use serde::Serialize;
use stratalloc_measure::process::signal_name;
use stratalloc_measure::{End, Figure, Finished, units};

use crate::run::{self, Outcome};
use crate::summary::{self, DOMAINS};

/// The name and number of the schema.
const SCHEMA: &str = "stratalloc-summary/1";

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    command: Vec<String>,
    program: String,
    library: String,
    status: Status,
    usage: Usage,
    heap: Option<Heap>,
    children: Vec<Heap>,
    comparison: Option<Comparison>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Status {
    exit_status: Option<i32>,
    signal: Option<i32>,
    signal_name: Option<String>,
}

/// Figures by their key; see [`Figure`].
type Usage = BTreeMap<&'static str, f64>;

#[derive(Serialize)]
struct Heap {
    process: u32,
    program: Option<String>,
    domains: BTreeMap<&'static str, Domain>,
    classes: Vec<Class>,
    counters: BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct Domain {
    live_bytes: Option<u64>,
    peak_bytes: Option<u64>,
    allocations: Option<u64>,
    releases: Option<u64>,
}

#[derive(Serialize)]
struct Class {
    size: u64,
    allocations: u64,
    live_blocks: u64,
    live_bytes: u64,
}

#[derive(Serialize)]
struct Comparison {
    stratalloc: Side,
    system: Side,
    /// Median of ours by median of the system's; null where that is 0.
    ratio: BTreeMap<&'static str, Option<f64>>,
}

#[derive(Serialize)]
struct Side {
    median: BTreeMap<&'static str, Option<f64>>,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    status: Status,
    usage: Usage,
}

/// Writes the document.
pub(crate) fn write(outcome: &Outcome, out: impl Write) -> io::Result<()> {
    let first = &outcome.heap[0];
    let document = Document {
        schema: SCHEMA,
        command: outcome.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        program: outcome.program.display().to_string(),
        library: outcome.library.display().to_string(),
        status: first.end.into(),
        usage: usage(first),
        heap: outcome.summary.as_ref().map(Heap::from),
        children: outcome.children.iter().map(Heap::from).collect(),
        comparison: (!outcome.system.is_empty()).then(|| comparison(outcome)),
        notes: outcome.notes.clone(),
    };
    let mut out = BufWriter::new(out);
    serde_json::to_writer_pretty(&mut out, &document)?;
    writeln!(out)?;
    out.flush()
}

fn usage(run: &Finished) -> Usage {
    Figure::ALL.map(|figure| (figure.key(), figure.of(&run.usage))).into()
}

fn comparison(outcome: &Outcome) -> Comparison {
    let (stratalloc, system) = (side(&outcome.heap), side(&outcome.system));
    let ratio = |key| {
        let value = |side: &Side| side.median.get(key).copied().flatten();
        units::ratio(value(&stratalloc)?, value(&system)?)
    };
    let ratio = Figure::ALL.map(|figure| (figure.key(), ratio(figure.key()))).into();
    Comparison { stratalloc, system, ratio }
}

fn side(runs: &[Finished]) -> Side {
    let median = |figure| run::sample(figure, runs).map(|sample| sample.median);
    Side {
        median: Figure::ALL.map(|figure| (figure.key(), median(figure))).into(),
        runs: runs.iter().map(|run| Run { status: run.end.into(), usage: usage(run) }).collect(),
    }
}

impl From<End> for Status {
    fn from(end: End) -> Status {
        match end {
            End::Exited(status) => Status { exit_status: Some(status), signal: None, signal_name: None },
            End::Signalled(signal) => {
                Status { exit_status: None, signal: Some(signal), signal_name: Some(signal_name(signal)) }
            }
        }
    }
}

impl From<&summary::Summary> for Heap {
    fn from(summary: &summary::Summary) -> Heap {
        Heap {
            process: summary.process,
            program: summary.program.clone(),
            domains: DOMAINS.iter().map(|&name| (name, summary.domain(name).into())).collect(),
            classes: summary.classes().into_iter().map(Class::from).collect(),
            counters: summary.plain().map(|(key, value)| (key.to_owned(), value)).collect(),
        }
    }
}

impl From<summary::Domain> for Domain {
    fn from(domain: summary::Domain) -> Domain {
        let summary::Domain { live_bytes, peak_bytes, allocations, releases } = domain;
        Domain { live_bytes, peak_bytes, allocations, releases }
    }
}

impl From<summary::Class> for Class {
    fn from(class: summary::Class) -> Class {
        let summary::Class { size, allocations, live, bytes } = class;
        Class { size, allocations, live_blocks: live, live_bytes: bytes }
    }
}
