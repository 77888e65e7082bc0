//! `stratalloc run`: from the arguments to a plan, from the plan to a program that has ended, and a report about it.
//!
//! ```text
//! RunArguments ──resolve──▶ Plan ──execute──▶ Outcome ──▶ report (text), json
//!                 everything that can be wrong is found here, before the program starts
//! ```

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use stratalloc_measure::statistics::Sample;
use stratalloc_measure::{End, Figure, Finished, Watch, process};

use crate::args::RunArguments;
use crate::destination::{Destination, complain, create};
use crate::failure::Failure;
use crate::input::Input;
use crate::program::{self, Program};
use crate::scratch::Scratch;
use crate::summary::Summary;
use crate::{json, library, peers, report};

pub(crate) const PRELOAD: &str = "LD_PRELOAD";
const CONFIGURATION: &str = "STRATALLOC_CONF";
pub(crate) const SUMMARY: &str = "STRATALLOC_SUMMARY";
pub(crate) const ONLY_CHILD_OF: &str = "STRATALLOC_ONLY_CHILD_OF";

/// What will be done, checked and complete.
struct Plan {
    program: Program,
    library: PathBuf,
    scratch: Scratch,
    /// The environment of a run on the heap, beside what is inherited.
    environment: Vec<(&'static str, OsString)>,
    follow: bool,
    /// Runs under each allocator; the system's has none without a comparison.
    runs: u32,
    compare: bool,
    show_output: bool,
    text: Option<Destination>,
    json: Option<File>,
    top: usize,
}

/// Everything that the reports are about.
pub(crate) struct Outcome {
    /// The program as found.
    pub(crate) program: PathBuf,
    /// Its name and arguments as given.
    pub(crate) command: Vec<OsString>,
    /// The library that was preloaded.
    pub(crate) library: PathBuf,
    /// The runs on the heap; the first one is the one that the program's user sees.
    pub(crate) heap: Vec<Finished>,
    /// The runs under the system allocator.
    pub(crate) system: Vec<Finished>,
    /// What the first run's process said about its heap.
    pub(crate) summary: Option<Summary>,
    /// What the processes that it started said.
    pub(crate) children: Vec<Summary>,
    /// What the reader should know beside the figures.
    pub(crate) notes: Vec<String>,
}

/// Runs the program and reports; the result is how its first run ended.
pub(crate) fn run(arguments: RunArguments) -> Result<End, Failure> {
    let plan = Plan::resolve(arguments)?;
    let outcome = plan.execute()?;
    let end = outcome.heap[0].end;
    plan.deliver(&outcome);
    Ok(end)
}

impl Plan {
    fn resolve(arguments: RunArguments) -> Result<Plan, Failure> {
        let program = program::resolve(&arguments.command)?;
        let file = arguments.output.as_deref();
        let text = match arguments.quiet {
            true => None,
            false => Some(Destination::beside_a_program(file, arguments.color)?),
        };
        let scratch = Scratch::new()?;
        let asked = library::asked(arguments.library);
        let library = library::locate(asked.as_deref(), &scratch)?;
        let json = arguments.json.as_deref().map(create).transpose()?;
        let wants_summary = text.is_some() || json.is_some();
        let mut environment = vec![(PRELOAD, joined(PRELOAD, ":", library.as_os_str()))];
        if wants_summary {
            environment.push((SUMMARY, prefix(&scratch).into_os_string()));
        }
        if !arguments.follow {
            environment.push((ONLY_CHILD_OF, std::process::id().to_string().into()));
        }
        if !arguments.settings.is_empty() {
            environment
                .push((CONFIGURATION, joined(CONFIGURATION, ",", OsStr::new(&arguments.settings.join(",")))));
        }
        Ok(Plan {
            program,
            library,
            scratch,
            environment,
            follow: arguments.follow,
            runs: arguments.runs,
            compare: arguments.compare,
            show_output: arguments.show_output,
            text,
            json,
            top: arguments.top,
        })
    }

    fn execute(&self) -> Result<Outcome, Failure> {
        let mut notes = Vec::new();
        let input = Input::find();
        if self.compare && input.is_lost() {
            notes.push("standard input is not a file: only the first run could read it".to_owned());
        }
        let mut outcome = self.first_run(notes)?;
        let mut again = 0..if self.compare { self.runs * 2 - 1 } else { 0 };
        // After the first run on the heap the two alternate: system, heap, system …
        while !again.is_empty() && !outcome.interrupted() {
            let on_heap = again.next().is_some_and(|index| index % 2 == 1);
            let finished = process::run(self.further(on_heap, &input)?, Watch::default())?;
            if on_heap { &mut outcome.heap } else { &mut outcome.system }.push(finished);
        }
        outcome.note_about_runs(again.len());
        Ok(outcome)
    }

    fn first_run(&self, mut notes: Vec<String>) -> Result<Outcome, Failure> {
        if self.compare && self.text.is_some() {
            // Said beforehand: a program whose effects must not happen twice can still be stopped.
            let times = self.runs * 2;
            let _ = writeln!(
                io::stderr(),
                "stratalloc: comparing runs '{}' {times} times",
                self.program.path.display()
            );
        }
        let first = process::run(self.command(true), Watch::default())?;
        let mut summaries = Summary::read_all(&prefix(&self.scratch)).unwrap_or_else(|error| {
            notes.push(format!("the summaries cannot be read: {error}"));
            Vec::new()
        });
        let own = summaries.iter().position(|summary| summary.process == first.process);
        let summary = own.map(|index| summaries.remove(index));
        if summary.is_none() {
            notes.push(missing_summary(first.end));
        }
        if self.program.is_shell_script && !self.follow {
            notes.push(
                "a shell script: the commands that it starts are not in this summary (--follow adds them)"
                    .to_owned(),
            );
        }
        let name = core::iter::once(&self.program.name);
        Ok(Outcome {
            program: self.program.path.clone(),
            command: name.chain(&self.program.arguments).cloned().collect(),
            library: self.library.clone(),
            heap: vec![first],
            system: Vec::new(),
            summary,
            children: if self.follow { summaries } else { Vec::new() },
            notes,
        })
    }

    fn command(&self, on_heap: bool) -> Command {
        let mut command = Command::new(&self.program.path);
        command.arg0(&self.program.name).args(&self.program.arguments).env_remove(peers::FOLDER);
        if on_heap {
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        }
        command
    }

    /// A run that is only measured.
    fn further(&self, on_heap: bool, input: &Input) -> Result<Command, Failure> {
        let mut command = self.command(on_heap);
        command.env_remove(SUMMARY).stdin(input.again()?);
        if !self.show_output {
            command.stdout(Stdio::null());
        }
        Ok(command)
    }

    /// Writes the reports. The program has run: what goes wrong here is said, and its status stays what it is.
    fn deliver(self, outcome: &Outcome) {
        if let Some(file) = self.json
            && let Err(error) = json::write(outcome, file)
        {
            complain("JSON summary", &error);
        }
        if let Some(text) = self.text
            && let Err(error) = text.deliver(|out, style| report::write(outcome, self.top, out, style))
        {
            complain("summary", &error);
        }
    }
}

impl Outcome {
    fn interrupted(&self) -> bool {
        self.heap.iter().chain(&self.system).any(|run| run.interrupted)
    }

    fn note_about_runs(&mut self, left_out: usize) {
        if left_out > 0 {
            self.notes.push(format!("interrupted: {left_out} runs of the comparison were left out"));
        }
        let ends = self.heap.iter().chain(&self.system).map(|run| run.end);
        if ends.clone().any(|end| end != self.heap[0].end) {
            let ends: Vec<String> = ends.map(|end| end.to_string()).collect();
            self.notes
                .push(format!("the runs did not end alike (heap first, then system): {}", ends.join(", ")));
        }
    }
}

/// The sample of a figure over several runs; `None` without runs.
pub(crate) fn sample(figure: Figure, runs: &[Finished]) -> Option<Sample> {
    Sample::of(runs.iter().map(|run| figure.of(&run.usage)))
}

fn missing_summary(end: End) -> String {
    match end {
        End::Signalled(_) => "a signal ended the program, so its heap could not be asked".to_owned(),
        End::Exited(_) => {
            "the program left without its exit handlers (_exit), or became one that cannot be preloaded: its heap could not be asked"
                .to_owned()
        }
    }
}

/// Where the processes of a run leave their summaries.
fn prefix(scratch: &Scratch) -> PathBuf {
    scratch.path().join("summary")
}

/// The variable's value with `more` behind it: what the user had set keeps its place.
pub(crate) fn joined(variable: &str, separator: &str, more: &OsStr) -> OsString {
    let mut value = env::var_os(variable).unwrap_or_default();
    if !value.as_bytes().is_empty() {
        value.push(separator);
    }
    value.push(more);
    value
}
