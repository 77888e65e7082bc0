//! `stratalloc run`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::color::Color;

/// Below the options in its help.
pub(super) const EXIT_STATUS: &str = "\
Exit status: that of the program; a program that a signal ended ends stratalloc by the same signal.
  125  stratalloc itself failed, or was called in a wrong way
  126  the program was found but cannot be run, or not on this heap (static, set-user-id, other machine)
  127  the program was not found";

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Summarise the processes that the program starts, too
    ///
    /// Without it the summary is about the one process that is started here, also after it
    /// replaced itself by another program (exec). Processes that it starts leave no summary
    /// and do not pass the heap on.
    #[arg(long, visible_alias = "follow-children", verbatim_doc_comment)]
    pub(crate) follow: bool,

    /// Run the program under the system allocator as well and show both side by side
    ///
    /// (`stratalloc compare` takes all allocators of the machine, more runs, and draws charts.)
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

    /// How many size classes to show, those first through which most bytes went
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

/// A setting has a key and a value and does not break the string that it becomes a part of. Whether the key exists is
/// known to the library that is asked.
fn setting(text: &str) -> Result<String, String> {
    let (key, value) = text.split_once([':', '=']).ok_or("expected KEY:VALUE")?;
    if key.is_empty() || value.is_empty() || text.contains(',') || text.contains('\0') {
        return Err("expected one KEY:VALUE, without a comma".to_owned());
    }
    Ok(format!("{key}:{value}"))
}

#[cfg(test)]
mod tests {
    use crate::args::{Arguments, Command};
    use clap::Parser;

    use super::*;

    fn run(line: &str) -> Result<RunArguments, clap::Error> {
        match Arguments::try_parse_from(line.split(' '))?.command {
            Command::Run(arguments) => Ok(arguments),
            other => panic!("{other:?}"),
        }
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
}
