//! The command line as it is typed. What it means on this machine is resolved in `run.rs` and `doctor.rs`.

mod bench;
mod color;
mod compare;
mod doctor;
mod run;

use clap::{Parser, Subcommand};

pub(crate) use bench::{BenchArguments, WorkloadArguments};
pub(crate) use color::Color;
pub(crate) use compare::{AllocatorArguments, CompareArguments, ReportArguments};
pub(crate) use doctor::{ConfigArguments, DoctorArguments};
pub(crate) use run::RunArguments;

const EXAMPLES: &str = "\
Examples:
  stratalloc run -- python3 job.py           run a program and see what its memory did
  stratalloc compare --html x.html -- ./job  run it on every allocator found here, and chart the results
  stratalloc bench --quick                   built-in workloads on every allocator found here
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
    #[command(after_help = run::EXIT_STATUS, verbatim_doc_comment)]
    #[command(override_usage = "stratalloc run [OPTIONS] [--] PROGRAM [ARGUMENTS]...")]
    Run(RunArguments),
    /// Run a program on several allocators, interleaved, and compare time and memory
    #[command(after_help = compare::EXIT_STATUS)]
    #[command(override_usage = "stratalloc compare [OPTIONS] [--] PROGRAM [ARGUMENTS]...")]
    Compare(CompareArguments),
    /// Run built-in workloads on several allocators, interleaved, and compare time and memory
    #[command(after_help = bench::EXIT_STATUS)]
    Bench(BenchArguments),
    /// Say what this machine offers to a heap, and whether preloading works here
    #[command(after_help = doctor::EXIT_STATUS)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_is_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
