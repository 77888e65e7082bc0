//! What `compare` and `bench` do alike with a comparison: facts about the machine, the three reports.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};

use stratalloc_measure::machine::{self, Fact};
use stratalloc_measure::{Comparison, Summary, page, tables};

use crate::args::ReportArguments;
use crate::destination::{Destination, complain, create};
use crate::failure::Failure;

/// The reports, with their files made.
pub(crate) struct Reports {
    text: Option<Destination>,
    json: Option<File>,
    html: Option<File>,
}

impl Reports {
    /// `beside_a_program`: standard output is the program's.
    pub(crate) fn resolve(arguments: &ReportArguments, beside_a_program: bool) -> Result<Reports, Failure> {
        let (file, color) = (arguments.output.as_deref(), arguments.color);
        let text = match (arguments.quiet, beside_a_program) {
            (true, _) => None,
            (false, true) => Some(Destination::beside_a_program(file, color)?),
            (false, false) => Some(Destination::of_our_own(file, color)?),
        };
        let file = |path: &Option<_>| path.as_deref().map(create).transpose();
        Ok(Reports { text, json: file(&arguments.json)?, html: file(&arguments.html)? })
    }

    /// Whether anything is shown to a person meanwhile.
    pub(crate) fn is_quiet(&self) -> bool {
        self.text.is_none()
    }

    /// Writes all of them.
    pub(crate) fn deliver(self, comparison: &Comparison) {
        if let Some(file) = self.json
            && let Err(error) = comparison.write_json(io::BufWriter::new(file))
        {
            complain("JSON", &error);
        }
        if let Some(mut file) = self.html
            && let Err(error) = file.write_all(page::render(comparison).as_bytes())
        {
            complain("page", &error);
        }
        if let Some(text) = self.text
            && let Err(error) = text.deliver(|out, style| tables::print(&Summary::of(comparison), out, style))
        {
            complain("table", &error);
        }
    }
}

/// What the machine is; the load at the end is added when it is over.
pub(crate) fn facts() -> Vec<Fact> {
    let mut facts = machine::facts();
    facts.push(Fact::new("stratalloc", env!("CARGO_PKG_VERSION")));
    facts.push(Fact::new("load at the start", machine::load()));
    facts
}

/// The command line that was typed, so that a shell understands it.
pub(crate) fn command_line() -> String {
    quoted(core::iter::once("stratalloc".into()).chain(env::args_os().skip(1)))
}

/// Words as a shell understands them.
pub(crate) fn quoted(words: impl IntoIterator<Item = OsString>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    // Words from a command line have no zero bytes, the only thing that cannot be quoted.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}
