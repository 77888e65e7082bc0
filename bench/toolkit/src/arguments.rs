//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Every strategy beside the crate or the C function that one would take in its place.
#[derive(Debug, Parser)]
#[command(name = "bench-toolkit")]
pub(crate) struct Arguments {
    /// Rounds, each with one fresh process per case and contestant.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Only cases whose names begin so.
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    /// One round of a fiftieth of the work, instructions only if asked for.
    #[arg(long)]
    quick: bool,
    /// Whether instructions are counted too, by valgrind: where it is there, always (an error without it), or never.
    #[arg(long, value_enum, value_name = "WHEN", num_args = 0..=1, default_missing_value = "always")]
    instructions: Option<Instructions>,
    /// Where the record goes; nothing is written without.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Inner>,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// Name the cases and their contestants.
    List,
    /// Write the page and the text beside a record.json again.
    Page {
        /// The record.
        path: PathBuf,
    },
    /// One sample, as a line of JSON (what the others run as children).
    #[command(hide = true)]
    Sample {
        case: String,
        contestant: String,
        #[arg(long)]
        operations: Option<u64>,
        /// Without a clock around single operations, for those who count.
        #[arg(long)]
        unclocked: bool,
    },
}

/// Whether instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Instructions {
    /// Where valgrind is there; a note says so where it is not.
    Auto,
    Always,
    Never,
}

/// What to do.
pub(crate) enum Command {
    Sample { case: String, contestant: String, operations: Option<u64>, unclocked: bool },
    List,
    Page(PathBuf),
    Measure(Plan),
}

/// What to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Prefixes of names; none means all.
    pub(crate) cases: Vec<String>,
    /// The work is divided by this.
    pub(crate) divisor: u64,
    pub(crate) instructions: Instructions,
    pub(crate) out: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn resolve(self) -> Command {
        let usual = if self.quick { Instructions::Never } else { Instructions::Auto };
        match self.command {
            Some(Inner::List) => Command::List,
            Some(Inner::Page { path }) => Command::Page(path),
            Some(Inner::Sample { case, contestant, operations, unclocked }) => {
                Command::Sample { case, contestant, operations, unclocked }
            }
            None => Command::Measure(Plan {
                rounds: if self.quick { 1 } else { self.rounds.max(1) },
                cases: self.cases,
                divisor: if self.quick { 50 } else { 1 },
                instructions: self.instructions.unwrap_or(usual),
                out: self.out,
            }),
        }
    }
}
