//! The command `stratalloc`: runs any program on the heap, tells what its memory did, and compares allocators.
//!
//! ```text
//! main ── args (as typed) ─┬─▶ run ───── program, elf ─▶ library, scratch ─▶ measure::process ─▶ summary ─▶ report, json
//!                          │              what is it?     what to preload     one child          what it said
//!                          ├─▶ compare ── program ─▶ peers ─▶ measure: plan, process ─▶ streams ─▶ reporting ─▶ measure: tables, page
//!                          ├─▶ bench ──── workloads ─▶ peers ─▶      ″         (__workload)            ″
//!                          ├─▶ doctor ─── machine, probe
//!                          └─▶ config_table
//! ```
//! - `args`: the command line as typed; the subcommands resolve it to what it means here
//! - `program`, `elf`: which file it is, and whether it can run on the heap
//! - `library`, `scratch`: the embedded library on disk; the private folder of one run
//! - `peers`: the other allocators of this machine; `probe`: whether preloading one works
//! - `input`, `streams`, `destination`: what runs read and write, where reports go
//! - `summary`: what the library wrote; `report`: the summary for people; `json`: for programs
//! - `reporting`: the reports of comparisons
//! - `doctor`, `machine`: what the machine offers; `config_table`: the configuration in one table
//! - `posix`: system calls, and all `unsafe` of this crate
//!
//! Measuring, statistics, tables and the page are in the crate `stratalloc-measure`. Exit statuses are decided in this
//! file only.

extern crate alloc;

mod args;
mod bench;
mod compare;
mod config_table;
mod destination;
mod doctor;
mod elf;
mod failure;
mod input;
mod json;
mod library;
mod machine;
mod peers;
mod posix;
mod probe;
mod program;
mod report;
mod reporting;
mod run;
mod scratch;
mod streams;
mod summary;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use stratalloc_measure::End;
use stratalloc_measure::process::end_by;

use args::{Arguments, Color, Command, ConfigArguments};
use compare::Verdict;
use failure::Failure;

/// The allocators of a comparison did not agree about what the program does; `timeout` uses the number for its own finding.
const DISAGREEMENT: u8 = 124;
/// The command itself failed, or was called in a wrong way; the same number as of `env`, `timeout` and `nice`.
const OWN_FAILURE: u8 = 125;
/// The program was found and cannot be run, or not on this heap.
const NOT_RUNNABLE: u8 = 126;
/// The program was not found.
const NOT_FOUND: u8 = 127;
/// What a shell adds to the number of the signal that ended a program.
const SIGNAL_BASE: i32 = 128;
/// The doctor found that programs cannot be run on the heap here.
const UNHEALTHY: u8 = 1;
/// A run of the bench failed, or read back other contents.
const BAD_RUN: u8 = 1;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // That it cannot be printed changes nothing about the status.
            let _ = error.print();
            return if error.use_stderr() { OWN_FAILURE.into() } else { ExitCode::SUCCESS };
        }
    };
    let result = match arguments.command {
        Command::Run(arguments) => run::run(arguments).map(passed_on),
        Command::Compare(arguments) => compare::run(&arguments).map(|verdict| match verdict {
            Verdict::Alike(end) => passed_on(end),
            Verdict::Different => DISAGREEMENT.into(),
        }),
        Command::Bench(arguments) => {
            bench::run(&arguments).map(|good| if good { ExitCode::SUCCESS } else { BAD_RUN.into() })
        }
        Command::Workload(arguments) => bench::work(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Doctor(arguments) => {
            doctor::run(arguments).map(|healthy| if healthy { ExitCode::SUCCESS } else { UNHEALTHY.into() })
        }
        Command::Config(arguments) => config(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Probe => probe::answer().map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|failure| {
        let _ = writeln!(io::stderr(), "stratalloc: {failure}");
        match failure {
            Failure::NotFound(_) => NOT_FOUND.into(),
            Failure::NotRunnable(_) => NOT_RUNNABLE.into(),
            Failure::Own(_) => OWN_FAILURE.into(),
        }
    })
}

/// The end of the program, as our own.
fn passed_on(end: End) -> ExitCode {
    let status = match end {
        End::Exited(status) => status,
        End::Signalled(signal) => {
            end_by(signal);
            // Still here: the first process of a container cannot be ended so.
            SIGNAL_BASE + signal
        }
    };
    u8::try_from(status).map_or(OWN_FAILURE.into(), ExitCode::from)
}

fn config(arguments: &ConfigArguments) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = if arguments.json {
        config_table::print_json(&mut out)
    } else {
        config_table::print(&mut out, Color::Auto.style(&io::stdout()))
    };
    Failure::unless_answered(written, "cannot write the table")
}
