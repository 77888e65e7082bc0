//! The command `stratalloc`: runs any program on the heap and tells what its memory did.
//!
//! ```text
//! main ── args (as typed) ─┬─▶ run ── program, elf ─▶ library, scratch ─▶ child ─▶ summary ─▶ report, json
//!                          │           what is it?     what to preload    posix     what it said   (compare, render, units)
//!                          ├─▶ doctor ── machine, probe
//!                          └─▶ config_table
//! ```
//! - `args`: the command line as typed; `run` and `doctor` resolve it to what it means here
//! - `program`, `elf`: which file it is, and whether it can run on the heap
//! - `library`, `scratch`: the embedded library on disk; the private folder of one run
//! - `child`: start, signals both ways, wait; `posix`: the system calls, and all `unsafe`
//! - `summary`: what the library wrote; `compare`: medians and ratios
//! - `report`, `render`, `units`: for people; `json`: for programs
//! - `doctor`, `machine`, `probe`: what the machine offers, and whether preloading works
//! - `config_table`: the configuration in one table
//!
//! Exit statuses are decided in this file only.

extern crate alloc;

mod args;
mod child;
mod compare;
mod config_table;
mod doctor;
mod elf;
mod failure;
mod json;
mod library;
mod machine;
mod posix;
mod probe;
mod program;
mod render;
mod report;
mod run;
mod scratch;
mod summary;
mod units;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Color, Command, ConfigArguments};
use child::End;
use failure::Failure;
use render::Style;

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
            posix::end_by(signal);
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
        config_table::print(&mut out, Style::resolve(Color::Auto, &io::stdout()))
    };
    written.map_err(|error| Failure::own("cannot write the table", error))
}
