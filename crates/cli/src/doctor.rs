//! `stratalloc doctor`: what the machine offers, whether preloading works here, and what could be better.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use stratalloc_measure::text::{Align, Cell, Style, Table};

use crate::args::DoctorArguments;
use crate::failure::Failure;
use crate::machine::{self, Fact};
use crate::scratch::Scratch;
use crate::{library, probe};

/// The name and number of the JSON schema.
const SCHEMA: &str = "stratalloc-doctor/1";

#[derive(Serialize)]
struct Findings {
    schema: &'static str,
    version: &'static str,
    facts: Vec<Fact>,
    preload: Preload,
}

/// Whether a program can be run on the heap here.
#[derive(Serialize)]
struct Preload {
    works: bool,
    library: Option<PathBuf>,
    problem: Option<String>,
}

/// Looks and tells; the result is whether programs can be run on the heap here.
pub(crate) fn run(arguments: DoctorArguments) -> Result<bool, Failure> {
    let (as_json, color) = (arguments.json, arguments.color);
    let findings = Findings {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        facts: machine::facts(),
        preload: Preload::examine(arguments.library),
    };
    let mut out = io::stdout().lock();
    let written = if as_json {
        serde_json::to_writer_pretty(&mut out, &findings)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        findings.print(&mut out, color.style(&io::stdout()))
    };
    Failure::unless_answered(written, "cannot write what was found")?;
    Ok(findings.preload.works)
}

impl Preload {
    fn examine(asked: Option<PathBuf>) -> Preload {
        let found = Scratch::new().and_then(|scratch| {
            let library = library::locate(library::asked(asked).as_deref(), &scratch)?;
            let problem = probe::ask(&library, &scratch).err();
            Ok((library, problem))
        });
        match found {
            Ok((library, problem)) => Preload { works: problem.is_none(), library: Some(library), problem },
            Err(failure) => Preload { works: false, library: None, problem: Some(failure.to_string()) },
        }
    }
}

impl Findings {
    fn print(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        writeln!(
            out,
            "{}\n",
            style.title(&format!("stratalloc {}: what this machine offers", self.version))
        )?;
        let mut table = Table::new([("", Align::Left), ("", Align::Left)]);
        for fact in &self.facts {
            table.row([Cell::from(fact.label.to_owned()), Cell::from(fact.text.clone())]);
        }
        table.print(out, style)?;
        writeln!(out)?;
        match &self.preload.problem {
            None => writeln!(out, "{} programs can be run on this heap here", style.good("ok:"))?,
            Some(problem) => {
                writeln!(out, "{} {problem}", style.bad("programs cannot be run on this heap here:"))?
            }
        }
        if let Some(library) = &self.preload.library {
            writeln!(out, "    library: {}", library.display())?;
        }
        for fact in &self.facts {
            if let Some(advice) = &fact.advice {
                writeln!(out, "{} {} is {}: {advice}", style.title("advice:"), fact.label.trim(), fact.text)?;
            }
        }
        Ok(())
    }
}
