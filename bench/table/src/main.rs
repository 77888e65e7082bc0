//! `bench-table`: reads lines of JSON from standard input and prints Markdown tables, one per value.
//!
//! ```text
//!   {"program":"perl","allocator":"system","cpu_ms":812,"peak_kib":9000}      --row program --column allocator
//!   {"program":"perl","allocator":"jemalloc","cpu_ms":790,"peak_kib":14100}   --value cpu_ms --value peak_kib
//!                      │
//!                      ▼
//!   ## cpu_ms          | program | system  | jemalloc |          repeated runs: the median, ± half of the range
//!                      | perl    | 812 ±1% | **790**  |          the best of each row is bold
//! ```
//!
//! With `--ours NAME` each table is followed by a line that says where that column stands against the best other one,
//! worst row first. Smaller is better.

mod cells;
mod print;

use cells::{Keys, Table};
use clap::Parser;
use std::io::{BufRead, stdin};
use std::process::ExitCode;

/// What to make of the lines.
#[derive(Debug, Parser)]
#[command(about = "Lines of JSON on standard input become Markdown tables")]
struct Arguments {
    /// A field that names the rows (several: their values are joined).
    #[arg(long, required = true)]
    row: Vec<String>,
    /// The field that names the columns.
    #[arg(long, default_value = "allocator")]
    column: String,
    /// A field to show; each gets a table.
    #[arg(long, required = true)]
    value: Vec<String>,
    /// Only lines whose field KIND has the value X: `--only KIND=X`.
    #[arg(long)]
    only: Vec<String>,
    /// The column that is compared with the best other one.
    #[arg(long)]
    ours: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut lines = Vec::new();
    for line in stdin().lock().lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) => return fail(&format!("standard input: {error}")),
        };
        match serde_json::from_str(&line) {
            Ok(object) => lines.push(object),
            Err(error) => return fail(&format!("`{line}`: {error}")),
        }
    }
    let keys = Keys { rows: &arguments.row, column: &arguments.column, only: &arguments.only };
    for value in &arguments.value {
        let table = Table::new(&lines, &keys, value);
        if table.is_empty() {
            return fail(&format!("no line has the fields of the table `{value}`"));
        }
        print!("{}", print::markdown(&table, value, &arguments.row.join(", "), arguments.ours.as_deref()));
    }
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    eprintln!("bench-table: {message}");
    ExitCode::FAILURE
}
