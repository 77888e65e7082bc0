//! `stratalloc-bench`: the same work on every allocator, side by side.
//!
//! **Card.** May use: `std`, serde, the list of workloads, `stratalloc-measure`. Used by: `run.sh`, CI (`--quick`). Never does: any measured work in
//! its own process.
//!
//! ```text
//!   round 1:  workload a: A B C …   workload b: A B C …   …
//!   round 2:  workload a: B C … A   workload b: B C … A   …        each letter: one fresh process
//!
//!   arguments ─► plan ─► child (launcher ─► runner) ─► record ─► comparison ─► summary ─► tables, JSON, Markdown, page
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | `arguments` | the command line, parsed and resolved |
//! | `allocators` | the rows: which program, with which environment |
//! | `child` | one measured process |
//! | `record` | all samples, per cell (workload and thread count) and row; its JSON |
//! | `comparison` | the record as `stratalloc-measure` understands it |
//! | `machine` | what was measured, with which versions |
//! | `markdown` | the record for people |
//! | `parts` | what else lies in a record's folder: the toolkit's figures, the tables of `record.sh` |
//!
//! The order of the runs, medians, ratios, the table in the terminal and the HTML page are `stratalloc-measure`'s.

mod allocators;
mod arguments;
mod child;
mod comparison;
mod copies;
mod machine;
mod markdown;
mod parts;
mod record;

use arguments::{Arguments, Resolved};
use comparison::compared;
use copies::Copies;
use record::Record;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};
use stratalloc_measure::machine::Fact;
use stratalloc_measure::plan::{Turn, interleaved};
use stratalloc_measure::progress::Progress;
use stratalloc_measure::text::Style;
use stratalloc_measure::{Comparison, Summary, page, tables};

/// 0: all well. 1: a run failed or the checksums of a cell differ. 2: nothing could be measured.
fn main() -> ExitCode {
    let arguments = Arguments::parse(env::args().skip(1));
    if let Ok(Arguments { page: Some(path), .. }) = &arguments {
        return status(page_again(path).map(|()| true));
    }
    match arguments.and_then(Arguments::resolve) {
        Ok(Some(resolved)) => status(measure(&resolved)),
        Ok(None) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("stratalloc-bench: {message}\n\n{}", arguments::USAGE);
            ExitCode::from(2)
        }
    }
}

fn status(result: Result<bool, String>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("stratalloc-bench: {message}");
            ExitCode::from(2)
        }
    }
}

/// Renders text and page of a record that is there, with links to what lies beside it; or the page of what `stratalloc compare` and `bench`
/// write with `--json`.
fn page_again(path: &Path) -> Result<(), String> {
    let path = if path.is_dir() { path.join("record.json") } else { path.to_path_buf() };
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(&path).map_err(|error| wrong(&error))?;
    // A record has a format, a comparison a schema.
    if text.contains("\"schema\"") {
        let comparison = Comparison::read_json(&text).map_err(|error| wrong(&error))?;
        let page = path.with_extension("html");
        put(&page, &page::render(&comparison))?;
        println!("written to {}", page.display());
        return Ok(());
    }
    let record = Record::from_json(&text).map_err(|error| wrong(&error))?;
    let directory = path.parent().unwrap_or(Path::new("."));
    write_for_people(directory, record.scale, &Summary::of(&compared(&record)))?;
    println!("README.md and index.html written to {}", directory.display());
    Ok(())
}

/// Runs the plan and writes the record; whether every run was good.
fn measure(plan: &Resolved) -> Result<bool, String> {
    let mut facts = machine::facts(&plan.bench);
    facts.push(Fact::new("load at the start", stratalloc_measure::machine::load()));
    if plan.warm_mebibytes > 0 {
        eprintln!("warming {} MiB of memory", plan.warm_mebibytes);
        warm(plan.warm_mebibytes);
    }
    let mut record = run_all(plan, facts)?;
    record.add_fact(Fact::new("load at the end", stratalloc_measure::machine::load()));
    let comparison = compared(&record);
    let summary = Summary::of(&comparison);
    let style = Style::new(io::stdout().is_terminal());
    tables::print(&summary, &mut io::stdout().lock(), style).map_err(|error| error.to_string())?;
    let mut good = record.complaints.is_empty();
    if let Some(directory) = &plan.out {
        let directory = unused(directory);
        write_record(&directory, plan, &record, &summary)?;
        println!("\nwritten to {}", directory.display());
        if plan.toolkit {
            // Hours of workloads are safe by now, whatever comes.
            good &= parts::measure_toolkit(&plan.runners, &directory, plan.quick)?;
            write_for_people(&directory, plan.scale, &summary)?;
        }
    }
    println!("\n{} passed, {} failed", record.good_runs(), record.complaints.len());
    Ok(good)
}

fn write_record(
    directory: &Path,
    plan: &Resolved,
    record: &Record,
    summary: &Summary<'_>,
) -> Result<(), String> {
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let json = record.to_json(summary).map_err(|error| error.to_string())?;
    put(&directory.join("record.json"), &json)?;
    write_for_people(directory, plan.scale, summary)
}

/// Text and page, with links to what else lies there.
fn write_for_people(directory: &Path, scale: u64, summary: &Summary<'_>) -> Result<(), String> {
    let parts = parts::beside(directory);
    put(&directory.join("README.md"), &markdown::document(scale, summary, &parts))?;
    put(&directory.join("index.html"), &page::render_among(summary.comparison(), &parts))
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// All rounds, interleaved; the programs are copied anew for each cell.
fn run_all(plan: &Resolved, facts: Vec<Fact>) -> Result<Record, String> {
    let mut record = Record::new(plan, facts);
    let progress = Progress::new(plan.rounds * plan.cells.len() * plan.rows.len());
    let copy =
        || Copies::of(&plan.rows, &plan.runners).map_err(|error| format!("copying the runners: {error}"));
    let mut copies = (copy()?, (0, 0));
    for Turn { round, cell, allocator } in interleaved(plan.rounds, plan.cells.len(), plan.rows.len()) {
        if copies.1 != (round, cell) {
            copies = (copy()?, (round, cell));
        }
        let (row, work) = (&plan.rows[allocator], &plan.cells[cell]);
        progress.now(&format!(
            "round {}: {} × {}, {}",
            round + 1,
            work.workload.name,
            work.threads,
            row.name
        ));
        // A row that failed a cell would fail it again, at the price of a timeout each.
        if !record.failed(cell, allocator) {
            record.add(cell, allocator, child::run(plan, &copies.0, row, work));
        }
        progress.advance();
    }
    record.compare_checksums();
    Ok(record)
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
