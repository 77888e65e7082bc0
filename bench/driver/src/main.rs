//! `stratalloc-bench`: the same work on every allocator, side by side.
//!
//! **Card.** May use: `std`, the list of workloads. Used by: `run.sh`, CI (`--quick`). Never does: any measured work in
//! its own process.
//!
//! ```text
//!   round 1:  workload a: A B C …   workload b: A B C …   …
//!   round 2:  workload a: B C … A   workload b: B C … A   …        each letter: one fresh process
//!
//!   arguments ─► plan ─► child (launcher ─► runner) ─► record ─► summary ─► tables, JSON, Markdown
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | `arguments` | the command line, parsed and resolved |
//! | `allocators` | the rows: which program, with which environment |
//! | `child` | one measured process |
//! | `record` | all samples, per cell (workload and thread count) and row |
//! | `summary` | medians, geometric means, ratios |
//! | `machine` | what was measured on |
//! | `tables`, `json` | the record written down |

mod allocators;
mod arguments;
mod child;
mod json;
mod machine;
mod record;
mod summary;
mod tables;

use arguments::{Arguments, Resolved};
use record::Record;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

/// 0: all well. 1: a run failed or the checksums of a cell differ. 2: nothing could be measured.
fn main() -> ExitCode {
    let resolved = match Arguments::parse(env::args().skip(1)).and_then(Arguments::resolve) {
        Ok(Some(resolved)) => resolved,
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("stratalloc-bench: {message}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    match measure(&resolved) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("stratalloc-bench: {message}");
            ExitCode::from(2)
        }
    }
}

/// Runs the plan and writes the record; whether every run was good.
fn measure(plan: &Resolved) -> Result<bool, String> {
    let mut facts = machine::facts(&plan.bench);
    facts.push(("load at the start", machine::load()));
    if plan.warm_mebibytes > 0 {
        eprintln!("warming {} MiB of memory", plan.warm_mebibytes);
        warm(plan.warm_mebibytes);
    }
    let record = run_all(plan);
    facts.push(("load at the end", machine::load()));
    let good = record.complaints.is_empty();

    let summary = summary::Summary::of(&record);
    print!("{}", tables::terminal(&record, &summary));
    for complaint in &record.complaints {
        eprintln!("FAILED: {complaint}");
    }
    if let Some(directory) = &plan.out {
        let directory = unused(directory);
        fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        for (name, text) in [
            ("record.json", json::document(plan, &facts, &record, &summary)),
            ("README.md", tables::markdown(plan, &facts, &record, &summary)),
        ] {
            let path = directory.join(name);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        println!("\nwritten to {}", directory.display());
    }
    println!("\n{} passed, {} failed", record.good_runs, record.complaints.len());
    Ok(good)
}

/// All rounds, interleaved. The order of the rows is turned by one each round, so that no allocator always follows the
/// same other one.
fn run_all(plan: &Resolved) -> Record {
    let mut record = Record::new(&plan.rows, &plan.cells);
    let total = plan.rounds * plan.cells.len() * plan.rows.len();
    let mut done = 0;
    let shown = std::io::stderr().is_terminal();
    for round in 0..plan.rounds {
        for cell in 0..plan.cells.len() {
            for turn in 0..plan.rows.len() {
                let row = (turn + round) % plan.rows.len();
                done += 1;
                let (workload, threads) = (plan.cells[cell].workload.name, plan.cells[cell].threads);
                if shown {
                    let name = &plan.rows[row].name;
                    eprint!("\r\x1b[K[{done}/{total}] round {}: {workload} × {threads}, {name}", round + 1);
                }
                // A row that failed a cell would fail it again, at the price of a timeout each.
                if !record.failed(cell, row) {
                    record.add(cell, row, child::run(plan, &plan.rows[row], &plan.cells[cell]));
                }
            }
        }
    }
    if shown {
        eprint!("\r\x1b[K");
    }
    record.compare_checksums();
    record
}

/// Touches memory once. The first touch of a page of a virtual machine may cost several times what later ones do, and
/// whichever allocator came first would pay for the others.
fn warm(mebibytes: usize) {
    let mut memory: Vec<u8> = Vec::with_capacity(mebibytes << 20);
    memory.resize(mebibytes << 20, 1);
    std::hint::black_box(&memory);
}

/// The directory itself, or with a number behind it if there is already a record: records are not overwritten.
fn unused(directory: &Path) -> PathBuf {
    let mut candidate = directory.to_path_buf();
    let mut number = 2;
    while candidate.join("record.json").exists() {
        let mut name = directory.as_os_str().to_owned();
        name.push(format!("-{number}"));
        candidate = name.into();
        number += 1;
    }
    candidate
}
