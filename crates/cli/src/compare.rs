//! `stratalloc compare`: one program on several allocators.
//!
//! ```text
//!   first run (system) ──▶ how it ends, what it writes          shown, not measured
//!        │ same?
//!   round 1: A B C   round 2: B C A   …                         measured, output compared and dropped
//! ```
//! The allocators are given to the program's children as well: `LD_PRELOAD` is inherited, and for ours nothing restricts it
//! to one process (as `run` does), for nothing restricts the others.

use core::time::Duration;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use stratalloc_measure::comparison::{SCHEMA, SYSTEM};
use stratalloc_measure::machine::{self, Fact};
use stratalloc_measure::plan::{Turn, interleaved};
use stratalloc_measure::progress::Progress;
use stratalloc_measure::tables::plural;
use stratalloc_measure::{Cell, Comparison, End, Finished, Kind, Watch, process};

use crate::args::CompareArguments;
use crate::failure::Failure;
use crate::input::Input;
use crate::peers::{self, Row};
use crate::program::{self, Program};
use crate::reporting::{self, Reports};
use crate::run::{ONLY_CHILD_OF, PRELOAD, SUMMARY, joined};
use crate::scratch::Scratch;
use crate::streams;

/// What came out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    /// All runs ended like this and wrote the same.
    Alike(End),
    /// Under some allocator the program did something else.
    Different,
}

/// What will be done, checked and complete.
struct Plan {
    program: Program,
    rows: Vec<Row>,
    rounds: usize,
    limit: Option<Duration>,
    compare_output: bool,
    scratch: Scratch,
    input: Input,
    notes: Vec<String>,
}

/// Runs the program on every allocator and reports.
pub(crate) fn run(arguments: &CompareArguments) -> Result<Verdict, Failure> {
    let mut plan = Plan::resolve(arguments)?;
    let reports = Reports::resolve(&arguments.report, true)?;
    if !reports.is_quiet() {
        // Said beforehand: a program whose effects must not happen so often can still be stopped.
        let _ = writeln!(io::stderr(), "{}", plan.announcement());
    }
    let first = plan.first_run()?;
    if first.interrupted {
        return Ok(Verdict::Alike(first.end));
    }
    let mut measured = Measured::new(&plan);
    let interrupted = measured.run_all(&plan, first.end)?;
    let comparison = plan.describe(measured, interrupted.is_some());
    let different = comparison.problems().next().is_some();
    reports.deliver(&comparison);
    Ok(match interrupted {
        Some(end) => Verdict::Alike(end),
        None if different => Verdict::Different,
        None => Verdict::Alike(first.end),
    })
}

impl Plan {
    fn resolve(arguments: &CompareArguments) -> Result<Plan, Failure> {
        let program = program::resolve(&arguments.command)?;
        let scratch = Scratch::new()?;
        let mut notes = Vec::new();
        let rows = peers::select(&arguments.allocators, &scratch, &mut notes)?;
        if rows.len() < 2 {
            notes.push("there is nothing to compare with: only one allocator".to_owned());
        }
        let input = Input::find();
        if input.is_lost() {
            notes.push("standard input is not a file: the measured runs read nothing".to_owned());
        }
        Ok(Plan {
            program,
            rows,
            rounds: usize::try_from(arguments.runs).unwrap_or(usize::MAX),
            limit: arguments.timeout.map(|seconds| Duration::from_secs(seconds.into())),
            compare_output: !arguments.ignore_output,
            scratch,
            input,
            notes,
        })
    }

    fn announcement(&self) -> String {
        let names: Vec<&str> = self.rows.iter().map(|row| row.name.as_str()).collect();
        format!(
            "stratalloc: compare runs '{}' once to see what it does, then {} on {}",
            self.program.path.display(),
            plural(self.rounds, "time"),
            names.join(", ")
        )
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program.path);
        command.arg0(&self.program.name).args(&self.program.arguments);
        // Left over from a run around us; they would make ours do more than the others. And the folder is for us alone.
        command.env_remove(SUMMARY).env_remove(ONLY_CHILD_OF).env_remove(peers::FOLDER);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The run that the others are held against. It has our input and error stream; its output is passed on when it is over.
    fn first_run(&mut self) -> Result<Finished, Failure> {
        let mut command = self.command();
        let path = self.file("first-output");
        let output =
            File::create(&path).map_err(|error| Failure::own("cannot keep the program's output", error))?;
        command.stdout(output);
        let first = process::run(command, Watch { curve: false, limit: self.limit })?;
        let passed_on = File::open(&path).and_then(|mut file| {
            let mut out = io::stdout().lock();
            io::copy(&mut file, &mut out).and_then(|_| out.flush())
        });
        match passed_on {
            // Nobody listens any more: that is not the program's fault, and the figures are still wanted.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(Failure::own("cannot pass the program's output on", error));
            }
            _ => {}
        }
        if first.timed_out {
            return Err(Failure::Own(
                "the program took too long under the system allocator (--timeout)".to_owned(),
            ));
        }
        if self.program.is_shell_script {
            self.notes.push(
                "a shell script: peak RSS is that of the largest process, RSS over time that of the shell"
                    .to_owned(),
            );
        }
        Ok(first)
    }

    fn measured_run(&self, row: &Row, round: usize) -> Result<Finished, Failure> {
        let mut command = self.command();
        if let Some(library) = &row.library {
            command.env(PRELOAD, joined(PRELOAD, ":", library.as_os_str()));
        }
        let create = |name| {
            File::create(self.file(name))
                .map_err(|error| Failure::own("cannot keep the program's output", error))
        };
        let output = if self.compare_output { create("output")?.into() } else { Stdio::null() };
        command.stdin(self.input.again()?).stdout(output).stderr(create("errors")?);
        Ok(process::run(command, Watch { curve: round == 0, limit: self.limit })?)
    }

    fn describe(self, measured: Measured, interrupted: bool) -> Comparison {
        let Plan { program, rows, rounds, mut notes, .. } = self;
        let mut cell = measured.cell;
        let kept = cell.outcomes.iter().map(|outcome| outcome.samples.len()).max().unwrap_or(0);
        if interrupted {
            notes.push(format!("interrupted: {kept} of {} were made", plural(rounds, "round")));
        }
        measured.differing.judge(&rows, &mut cell, &mut notes);
        if !measured.own_peaks {
            notes.push(
                "the program is so small that this command's own memory may show in its peak RSS".to_owned(),
            );
        }
        let words: Vec<OsString> = core::iter::once(program.name).chain(program.arguments).collect();
        let mut machine = measured.facts;
        machine.push(Fact::new("load at the end", machine::load()));
        machine.push(Fact::new("program", program.path.display().to_string()));
        Comparison {
            schema: SCHEMA.to_owned(),
            kind: Kind::Program,
            title: reporting::quoted(words),
            reproduce: vec![reporting::command_line()],
            machine,
            rounds: if interrupted { kept } else { rounds },
            allocators: rows.iter().map(Row::described).collect(),
            cells: vec![cell],
            notes,
        }
    }
}

/// What has been measured so far.
struct Measured {
    cell: Cell,
    facts: Vec<Fact>,
    differing: Differing,
    own_peaks: bool,
}

impl Measured {
    fn new(plan: &Plan) -> Measured {
        let name = PathBuf::from(&plan.program.name);
        let name = name.file_name().unwrap_or(plan.program.name.as_os_str()).to_string_lossy().into_owned();
        Measured {
            cell: Cell::new(name, "", plan.rows.len()),
            facts: reporting::facts(),
            differing: Differing(vec![None; plan.rows.len()]),
            own_peaks: true,
        }
    }

    /// All turns; the end of a run in which somebody asked us to stop.
    fn run_all(&mut self, plan: &Plan, expected: End) -> Result<Option<End>, Failure> {
        let progress = Progress::new(plan.rounds * plan.rows.len());
        for Turn { round, allocator, .. } in interleaved(plan.rounds, 1, plan.rows.len()) {
            // What failed once would fail again.
            if self.cell.outcomes[allocator].problem.is_none() {
                let row = &plan.rows[allocator];
                progress.now(&format!("round {}, {}", round + 1, row.name));
                let run = plan.measured_run(row, round)?;
                if run.interrupted {
                    return Ok(Some(run.end));
                }
                self.add(plan, allocator, run, expected);
            }
            progress.advance();
        }
        Ok(None)
    }

    fn add(&mut self, plan: &Plan, allocator: usize, run: Finished, expected: End) {
        let outcome = &mut self.cell.outcomes[allocator];
        if run.timed_out {
            return outcome.fail("took too long and was killed (--timeout)");
        }
        if run.end != expected {
            let said = streams::last_line(&plan.file("errors"));
            let said = said.map(|line| format!("; it said: {line}")).unwrap_or_default();
            return outcome.fail(format!("ended with {}, not with {expected}{said}", run.end));
        }
        if plan.compare_output && self.differing.0[allocator].is_none() {
            let difference = streams::first_difference(&plan.file("first-output"), &plan.file("output"));
            self.differing.0[allocator] = difference.unwrap_or(Some(0));
        }
        self.own_peaks &= run.peak_is_its_own();
        outcome.add(run);
        // A large output would only fill the disk.
        let _ = fs::remove_file(plan.file("output"));
    }
}

/// Where each row's output first differed from the first run's.
struct Differing(Vec<Option<u64>>);

impl Differing {
    /// Other output is a failure, unless the system's allocator, too, has other output in each run.
    fn judge(&self, rows: &[Row], cell: &mut Cell, notes: &mut Vec<String>) {
        let system = rows.iter().position(|row| row.name == SYSTEM);
        let always = match system {
            Some(row) => self.0[row].is_some(),
            None => self.0.iter().all(Option::is_some),
        };
        if always {
            notes.push(
                "the program writes something else in every run, so outputs cannot be compared".to_owned(),
            );
            return;
        }
        for (outcome, difference) in cell.outcomes.iter_mut().zip(&self.0) {
            if let Some(byte) = difference {
                outcome.fail(format!("wrote something else to standard output, from byte {byte} on"));
            }
        }
    }
}
