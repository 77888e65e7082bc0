//! `stratalloc bench`, and the hidden subcommand that it starts for each run.

use clap::Args;

use super::compare::{AllocatorArguments, ReportArguments};

/// Below the options in its help.
pub(super) const EXIT_STATUS: &str = "\
The workloads are built into this command; every run is a process of its own, with the allocator
preloaded. All allocators must read back the same contents from memory. Allocators are found as by
'stratalloc compare'. The table goes to standard output.

Exit status: 0 when every run was good, 1 when one failed, read back other contents or was
interrupted, 125 when stratalloc itself failed or was called in a wrong way.";

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Only workloads whose names begin with one of these, separated by commas (see --list)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) workloads: Vec<String>,

    /// Only these numbers of threads [default: those of each workload, up to twice the processors]
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Vec<u16>,

    /// Rounds, each running everything once [default: 6, with --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,

    /// How much of the full work to do, in thousandths [default: 400, with --quick 10]
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

    /// List the workloads, with their numbers of threads, and the allocators found, and stop
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
