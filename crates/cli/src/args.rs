//! The command line as it is typed. What it means on this machine is resolved in `run.rs` and `doctor.rs`.

use std::env;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use stratalloc_measure::text::Style;

const EXIT_STATUS: &str = "\
Exit status: that of the program; a program that a signal ended ends stratalloc by the same signal.
  125  stratalloc itself failed, or was called in a wrong way
  126  the program was found but cannot be run, or not on this heap (static, set-user-id, other machine)
  127  the program was not found";

const COMPARE_STATUS: &str = "\
The program runs once under the system allocator, to see what it does: its output is passed on,
and it tells how the program ends. Then it runs N times under each allocator, interleaved; these
runs are measured, their output is compared with that of the first one and dropped. The table is
written to standard error when all is over. Standard input is read by every run when it is a file.

Allocators: stratalloc (inside this command), system (nothing preloaded), and what is found here:
libjemalloc, libmimalloc, libtcmalloc, libsnmalloc, librpmalloc, libhoard in the places where the
loader looks, and every library in the folder STRATALLOC_PEERS.

Exit status: that of the program's first run; a program that a signal ended ends stratalloc by the
same signal.
  124  under some allocator the program ended in another way, wrote other output or took too long
  125  stratalloc itself failed, or was called in a wrong way
  126  the program was found but cannot be run, or nothing can be preloaded into it (static,
       set-user-id, other machine)
  127  the program was not found";

const BENCH_STATUS: &str = "\
Every run is a process of this command, with the allocator preloaded. All allocators must read back
the same contents from memory. Allocators are found as by 'stratalloc compare'.

Exit status: 0 when every run was good, 1 when one failed, read back other contents or was
interrupted, 125 when stratalloc itself failed or was called in a wrong way.";

const EXAMPLES: &str = "\
Examples:
  stratalloc run -- python3 job.py           run a program and see what its memory did
  stratalloc compare --html x.html -- ./job  run it on every allocator found here, and chart the results
  stratalloc bench --quick                   the workloads of the bench on every allocator found here
  stratalloc doctor                          what this machine offers, and whether preloading works here";

/// Run any program on the stratalloc heap and see what its memory did
#[derive(Debug, Parser)]
#[command(name = "stratalloc", version, after_help = EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a program on this heap and write a memory summary to standard error when it ends
    ///
    /// The program is unchanged: libstratalloc.so, which this command carries inside, is preloaded
    /// into it. Standard input, output, the terminal, signals and the exit status pass through.
    #[command(after_help = EXIT_STATUS, verbatim_doc_comment)]
    #[command(override_usage = "stratalloc run [OPTIONS] [--] PROGRAM [ARGUMENTS]...")]
    Run(RunArguments),
    /// Run a program on several allocators, interleaved, and compare time and memory
    #[command(after_help = COMPARE_STATUS)]
    #[command(override_usage = "stratalloc compare [OPTIONS] [--] PROGRAM [ARGUMENTS]...")]
    Compare(CompareArguments),
    /// Run the workloads of the bench on several allocators, interleaved
    #[command(after_help = BENCH_STATUS)]
    Bench(BenchArguments),
    /// Say what this machine offers to a heap, and whether preloading works here
    #[command(after_help = "Exit status: 0 when programs can be run on this heap here, 1 when not.")]
    Doctor(DoctorArguments),
    /// List the configuration: environment variables and keys of STRATALLOC_CONF
    Config(ConfigArguments),
    /// What `doctor` starts under the library
    #[command(name = "__probe", hide = true)]
    Probe,
    /// What `bench` starts: one workload, on whatever malloc there is
    #[command(name = "__workload", hide = true)]
    Workload(WorkloadArguments),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Summarise the processes that the program starts, too
    ///
    /// Without it the summary is about the process itself, also after it replaced itself by
    /// another program (exec). A child that it starts may then run on the heap or not; it is
    /// not summarised and does not pass the heap on.
    #[arg(long, visible_alias = "follow-children", verbatim_doc_comment)]
    pub(crate) follow: bool,

    /// Run the program under the system allocator as well and show both side by side
    ///
    /// The program really runs again, with all of its effects. What the further runs write to
    /// standard output is dropped (see --show-output). Standard input is read again when it is
    /// a file, and empty otherwise.
    #[arg(long, verbatim_doc_comment)]
    pub(crate) compare: bool,

    /// Runs per allocator when comparing; they alternate, and medians are shown
    #[arg(long, value_name = "N", default_value_t = 1, requires = "compare")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) runs: u32,

    /// Let the further runs of a comparison write to standard output, too
    #[arg(long, requires = "compare")]
    pub(crate) show_output: bool,

    /// Write the summary as JSON to this file (schema: docs/summary-schema.md)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the readable summary to this file instead of standard error
    #[arg(short, long, value_name = "FILE", conflicts_with = "quiet")]
    pub(crate) output: Option<PathBuf>,

    /// Write no readable summary
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// How many size classes to show
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) top: usize,

    /// Set one key of the configuration for this run (keys: `stratalloc config`)
    #[arg(long = "set", value_name = "KEY:VALUE", value_parser = setting)]
    pub(crate) settings: Vec<String>,

    /// Preload this library instead of the one inside the command [env: STRATALLOC_LIBRARY]
    #[arg(long, value_name = "PATH")]
    pub(crate) library: Option<PathBuf>,

    /// Colours: auto, always or never; auto is for terminals, and never with NO_COLOR set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto, alias = "colour")]
    #[arg(hide_possible_values = true)]
    pub(crate) color: Color,

    /// The program and its arguments; everything from here on belongs to the program
    #[arg(required = true, num_args = 1.., trailing_var_arg = true)]
    #[arg(value_name = "PROGRAM")]
    pub(crate) command: Vec<OsString>,
}

/// Which allocators are compared.
#[derive(Debug, Args)]
pub(crate) struct AllocatorArguments {
    /// Compare with this library as well, under this name
    #[arg(long = "with", value_name = "NAME=PATH", value_parser = named_library)]
    pub(crate) with: Vec<(String, PathBuf)>,

    /// Only these allocators, by name, separated by commas (bench --list names them)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Preload this library instead of the one inside the command [env: STRATALLOC_LIBRARY]
    #[arg(long, value_name = "PATH")]
    pub(crate) library: Option<PathBuf>,
}

/// Where the result of a comparison goes.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Write a page with charts to this file; it needs nothing but a browser
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Write every sample as JSON to this file (schema: docs/compare-schema.md)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the table to this file instead of showing it
    #[arg(short, long, value_name = "FILE", conflicts_with = "quiet")]
    pub(crate) output: Option<PathBuf>,

    /// Write no table
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Colours: auto, always or never; auto is for terminals, and never with NO_COLOR set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto, alias = "colour")]
    #[arg(hide_possible_values = true)]
    pub(crate) color: Color,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// Measured runs per allocator; from 6 on, intervals are of 95 % confidence
    #[arg(long, value_name = "N", default_value_t = 6)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) runs: u32,

    #[command(flatten)]
    pub(crate) allocators: AllocatorArguments,

    /// Kill a run that takes longer; it counts as failed
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: Option<u32>,

    /// Do not compare what the runs write to standard output
    #[arg(long)]
    pub(crate) ignore_output: bool,

    #[command(flatten)]
    pub(crate) report: ReportArguments,

    /// The program and its arguments; everything from here on belongs to the program
    #[arg(required = true, num_args = 1.., trailing_var_arg = true)]
    #[arg(value_name = "PROGRAM")]
    pub(crate) command: Vec<OsString>,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Only workloads whose names begin so, separated by commas (see --list)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) workloads: Vec<String>,

    /// Only these numbers of threads [default: those of each workload, up to twice the processors]
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Vec<u16>,

    /// Rounds, each running everything once [default: 6, with --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,

    /// How much of the full work, in thousandths [default: 400, with --quick 10]
    #[arg(long, value_name = "THOUSANDTHS", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) scale: Option<u64>,

    /// A smoke run of some seconds: one round of a hundredth of the work on 1 and 2 threads
    #[arg(long)]
    pub(crate) quick: bool,

    #[command(flatten)]
    pub(crate) allocators: AllocatorArguments,

    /// Kill a run that takes longer; it counts as failed
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: u32,

    /// Name the workloads and the allocators, and stop
    #[arg(long)]
    pub(crate) list: bool,

    #[command(flatten)]
    pub(crate) report: ReportArguments,
}

/// Arguments of the hidden subcommand.
#[derive(Debug, Args)]
pub(crate) struct WorkloadArguments {
    /// Its name.
    pub(crate) name: String,
    /// Among how many threads the work is split.
    pub(crate) threads: u16,
    /// In thousandths of the full work.
    pub(crate) scale: u64,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Write JSON to standard output (schema: docs/summary-schema.md)
    #[arg(long)]
    pub(crate) json: bool,

    /// Try this library instead of the one inside the command [env: STRATALLOC_LIBRARY]
    #[arg(long, value_name = "PATH")]
    pub(crate) library: Option<PathBuf>,

    /// Colours: auto, always or never; auto is for terminals, and never with NO_COLOR set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto, alias = "colour")]
    #[arg(hide_possible_values = true)]
    pub(crate) color: Color,
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// Write JSON to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// The style for a stream, from what was asked, what the stream is, and `NO_COLOR` (any non-empty value, as
    /// no-color.org says).
    pub(crate) fn style(self, stream: &impl IsTerminal) -> Style {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        Style::new(match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stream.is_terminal() && !refused && !dumb,
        })
    }
}

/// A setting has a key and a value and does not break the string that it becomes a part of. Whether the key exists is
/// known to the library that is asked.
fn setting(text: &str) -> Result<String, String> {
    let (key, value) = text.split_once([':', '=']).ok_or("expected KEY:VALUE")?;
    if key.is_empty() || value.is_empty() || text.contains(',') || text.contains('\0') {
        return Err("expected one KEY:VALUE, without a comma".to_owned());
    }
    Ok(format!("{key}:{value}"))
}

/// A library under a name. Whether it is one is known when it is looked at.
fn named_library(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=PATH")?;
    if name.is_empty() || path.is_empty() || name.contains(',') {
        return Err("expected NAME=PATH, and a name without a comma".to_owned());
    }
    Ok((name.to_owned(), PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<RunArguments, clap::Error> {
        match Arguments::try_parse_from(line.split(' '))?.command {
            Command::Run(arguments) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn definition_is_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn options_end_where_the_program_begins() {
        for line in ["s run --quiet -- ls -l --json x", "s run --quiet ls -l --json x"] {
            let arguments = run(line).unwrap();
            assert!(arguments.quiet);
            assert_eq!(arguments.json, None);
            assert_eq!(arguments.command, ["ls", "-l", "--json", "x"], "{line}");
        }
    }

    #[test]
    fn second_double_dash_belongs_to_the_program() {
        assert_eq!(run("s run -- grep -- -x").unwrap().command, ["grep", "--", "-x"]);
        assert_eq!(run("s run grep -- -x").unwrap().command, ["grep", "--", "-x"]);
    }

    #[test]
    fn unknown_option_is_no_program() {
        assert!(run("s run --bogus ls").is_err());
        assert!(run("s run").is_err());
    }

    #[test]
    fn settings_are_checked_for_form_only() {
        assert_eq!(run("s run --set a=1 --set b:2 ls").unwrap().settings, ["a:1", "b:2"]);
        assert!(run("s run --set a ls").is_err());
        assert!(run("s run --set a:1,b:2 ls").is_err());
    }

    fn compare(line: &str) -> Result<CompareArguments, clap::Error> {
        match Arguments::try_parse_from(line.split(' '))?.command {
            Command::Compare(arguments) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn libraries_have_a_name_and_a_path() {
        let arguments = compare("s compare --with a=/x=y.so --with b=z --only a,b ls --runs 3").unwrap();
        let with = [("a", "/x=y.so"), ("b", "z")].map(|(name, path)| (name.to_owned(), PathBuf::from(path)));
        assert_eq!(arguments.allocators.with, with);
        assert_eq!(arguments.allocators.only, ["a", "b"]);
        assert_eq!((arguments.runs, arguments.command.len()), (6, 3), "the program's options are its own");
        for wrong in ["a", "=x", "a=", "a,b=x"] {
            assert!(compare(&format!("s compare --with {wrong} ls")).is_err(), "{wrong}");
        }
        assert!(compare("s compare --runs 0 ls").is_err() && compare("s compare --timeout 0 ls").is_err());
    }
}
