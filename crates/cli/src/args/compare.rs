//! `stratalloc compare`, and what it shares with `bench`: which allocators, and where the result goes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::color::Color;

/// Below the options in its help.
pub(super) const EXIT_STATUS: &str = "\
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

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// Measured runs per allocator; from 6 on, the intervals shown have 95 % confidence
    #[arg(long, value_name = "N", default_value_t = 6)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) runs: u32,

    #[command(flatten)]
    pub(crate) allocators: AllocatorArguments,

    /// Kill a run that takes longer; it counts as failed [default: no limit]
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

/// Which allocators are compared.
#[derive(Debug, Args)]
pub(crate) struct AllocatorArguments {
    /// Compare with this library as well, under this name
    #[arg(long = "with", value_name = "NAME=PATH", value_parser = named_library)]
    pub(crate) with: Vec<(String, PathBuf)>,

    /// Only these allocators, by name, separated by commas (`stratalloc bench --list` names them)
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
    use crate::args::{Arguments, Command};
    use clap::Parser;

    use super::*;

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
