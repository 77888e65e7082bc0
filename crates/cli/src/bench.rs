//! `stratalloc bench`: the workloads of the bench on the allocators of this machine, without a toolchain.
//!
//! Each run is a process of this very command (`__workload`), whose `malloc` is whatever is preloaded. This is how C programs
//! get an allocator: `free` does not know sizes. (`bench/run.sh` in the sources links each allocator into a Rust program
//! instead.)

use core::time::Duration;
use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bench_workloads::{Task, WORKLOADS, Workload};
use stratalloc_measure::comparison::SCHEMA;
use stratalloc_measure::machine::{self, Fact};
use stratalloc_measure::plan::{Turn, interleaved};
use stratalloc_measure::progress::Progress;
use stratalloc_measure::tables::plural;
use stratalloc_measure::work::{self, Done};
use stratalloc_measure::{Cell, Comparison, End, Finished, Kind, Watch, process};

use crate::args::{BenchArguments, WorkloadArguments};
use crate::failure::Failure;
use crate::peers::{self, Row};
use crate::reporting::{self, Reports};
use crate::run::PRELOAD;
use crate::scratch::Scratch;
use crate::streams;

const USUAL_SCALE: u64 = 400;
const QUICK_SCALE: u64 = 10;
/// As many as give intervals of 95 %.
const USUAL_ROUNDS: u32 = 6;
const QUICK_THREADS: [usize; 2] = [1, 2];

/// A workload on a number of threads.
#[derive(Debug, Clone, Copy)]
struct Work {
    workload: &'static Workload,
    threads: usize,
}

/// What will be done, checked and complete.
struct Plan {
    own: PathBuf,
    rows: Vec<Row>,
    work: Vec<Work>,
    rounds: usize,
    scale: u64,
    limit: Duration,
    scratch: Scratch,
    notes: Vec<String>,
}

/// What the hidden subcommand does.
pub(crate) fn work(arguments: &WorkloadArguments) -> Result<(), Failure> {
    let found = bench_workloads::find(&arguments.name);
    let workload = found.ok_or_else(|| Failure::Own(format!("no workload '{}'", arguments.name)))?;
    let tally = (workload.run)(Task::new(arguments.threads.into(), arguments.scale));
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.map_or("0", |rest| rest.trim().trim_end_matches(" kB"));
    let lines =
        format!("operations {}\nchecksum {:016x}\npeak_kib {peak}\n", tally.operations, tally.checksum);
    io::stdout().write_all(lines.as_bytes()).map_err(|error| Failure::own("cannot answer", error))
}

/// Runs the plan and reports; whether every run was good.
pub(crate) fn run(arguments: &BenchArguments) -> Result<bool, Failure> {
    let plan = Plan::resolve(arguments)?;
    if arguments.list {
        return Failure::unless_answered(plan.list(), "cannot write the list").map(|()| true);
    }
    let reports = Reports::resolve(&arguments.report, false)?;
    let mut facts = reporting::facts();
    let mut measured = Measured::new(&plan);
    let interrupted = measured.run_all(&plan)?;
    facts.push(Fact::new("load at the end", machine::load()));
    facts.push(Fact::new("amount of work", format!("{} thousandths of the full amount", plan.scale)));
    measured.compare_work();
    let comparison = plan.describe(measured, facts, interrupted);
    let good = comparison.problems().next().is_none() && !interrupted;
    reports.deliver(&comparison);
    Ok(good)
}

impl Plan {
    fn resolve(arguments: &BenchArguments) -> Result<Plan, Failure> {
        let scratch = Scratch::new()?;
        let mut notes = Vec::new();
        let rows = peers::select(&arguments.allocators, &scratch, &mut notes)?;
        let quick = arguments.quick;
        let rounds = arguments.rounds.unwrap_or(if quick { 1 } else { USUAL_ROUNDS });
        Ok(Plan {
            own: env::current_exe()
                .map_err(|error| Failure::own("this command cannot find itself", error))?,
            rows,
            work: chosen(arguments)?,
            rounds: usize::try_from(rounds).unwrap_or(usize::MAX),
            scale: arguments.scale.unwrap_or(if quick { QUICK_SCALE } else { USUAL_SCALE }),
            limit: Duration::from_secs(arguments.timeout.into()),
            scratch,
            notes,
        })
    }

    fn list(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{:18} {:10} what it models", "workload", "threads")?;
        for of_one in self.work.chunk_by(|one, other| one.workload.name == other.workload.name) {
            let threads: Vec<String> = of_one.iter().map(|work| work.threads.to_string()).collect();
            let Workload { name, models, .. } = of_one[0].workload;
            writeln!(out, "{name:18} {:10} {models}", threads.join(","))?;
        }
        writeln!(out, "\n{:18} what is preloaded", "allocator")?;
        for row in &self.rows {
            writeln!(out, "{:18} {}", row.name, row.described().detail)?;
        }
        Ok(())
    }

    fn run(&self, row: &Row, work: Work, curve: bool) -> Result<Result<(Finished, Done), String>, Failure> {
        let mut command = Command::new(&self.own);
        command.args(["__workload", work.workload.name, &work.threads.to_string(), &self.scale.to_string()]);
        // Settings of the user's for one allocator would not be a comparison of the defaults.
        command.env_clear();
        if let Some(library) = &row.library {
            command.env(PRELOAD, library);
        }
        let [output, errors] = ["output", "errors"].map(|name| self.scratch.path().join(name));
        let create = |path: &Path| {
            File::create(path).map_err(|error| Failure::own("cannot keep the workload's output", error))
        };
        command.stdin(Stdio::null()).stdout(create(&output)?).stderr(create(&errors)?);
        let mut run = process::run(command, Watch { curve, limit: Some(self.limit) })?;
        if run.timed_out {
            return Ok(Err("took too long and was killed (--timeout)".to_owned()));
        }
        if run.end != End::Exited(0) && !run.interrupted {
            let said =
                streams::last_line(&errors).map(|line| format!("; it said: {line}")).unwrap_or_default();
            return Ok(Err(format!("ended with {}{said}", run.end)));
        }
        if run.interrupted {
            return Ok(Ok((run, Done { operations: 0, checksum: String::new(), peak_kib: 0 })));
        }
        Ok(Done::parse(&fs::read_to_string(&output).unwrap_or_default()).map(|done| {
            run.usage.peak_rss_kib = run.usage.peak_rss_kib.max(done.peak_kib);
            (run, done)
        }))
    }

    fn describe(mut self, measured: Measured, facts: Vec<Fact>, interrupted: bool) -> Comparison {
        if interrupted {
            self.notes.push("interrupted: not all rounds were made".to_owned());
        }
        if self.scale < USUAL_SCALE {
            let short =
                "little work: runs this short measure the start of a process as much as the allocator";
            self.notes.push(short.to_owned());
        }
        let mut names: Vec<&str> = self.work.iter().map(|work| work.workload.name).collect();
        names.dedup();
        Comparison {
            schema: SCHEMA.to_owned(),
            kind: Kind::Workloads,
            title: plural(names.len(), "workload"),
            reproduce: vec![reporting::command_line()],
            machine: facts,
            rounds: self.rounds,
            allocators: self.rows.iter().map(Row::described).collect(),
            cells: measured.cells,
            notes: self.notes,
        }
    }
}

/// The work that was asked for.
fn chosen(arguments: &BenchArguments) -> Result<Vec<Work>, Failure> {
    let wanted = |name: &str| {
        arguments.workloads.is_empty()
            || arguments.workloads.iter().any(|start| name.starts_with(start.as_str()))
    };
    if let Some(unknown) = arguments
        .workloads
        .iter()
        .find(|start| !WORKLOADS.iter().any(|one| one.name.starts_with(start.as_str())))
    {
        return Err(Failure::Own(format!("no workload begins with '{unknown}'; --list names them")));
    }
    let threads: Vec<usize> = arguments.threads.iter().map(|&count| count.into()).collect();
    let most = machine::cpus() * 2;
    let fits = |count: usize| match (threads.as_slice(), arguments.quick) {
        ([], true) => QUICK_THREADS.contains(&count),
        ([], false) => count <= most.max(2),
        (asked, _) => asked.contains(&count),
    };
    let work: Vec<Work> = WORKLOADS
        .iter()
        .filter(|workload| wanted(workload.name))
        .flat_map(|workload| workload.threads.iter().map(move |&threads| Work { workload, threads }))
        .filter(|work| fits(work.threads))
        .collect();
    match work.is_empty() {
        true => Err(Failure::Own("no workload has such a number of threads; --list names them".to_owned())),
        false => Ok(work),
    }
}

impl Work {
    fn name(self) -> String {
        format!("{} × {}", self.workload.name, self.threads)
    }
}

/// What has been measured so far.
struct Measured {
    cells: Vec<Cell>,
    done: Vec<Vec<Vec<Done>>>,
}

impl Measured {
    fn new(plan: &Plan) -> Measured {
        let cell = |work: &Work| Cell::new(work.name(), work.workload.models, plan.rows.len());
        Measured {
            cells: plan.work.iter().map(cell).collect(),
            done: vec![vec![Vec::new(); plan.rows.len()]; plan.work.len()],
        }
    }

    /// All turns; whether somebody asked us to stop.
    fn run_all(&mut self, plan: &Plan) -> Result<bool, Failure> {
        let progress = Progress::new(plan.rounds * plan.work.len() * plan.rows.len());
        for Turn { round, cell, allocator } in interleaved(plan.rounds, plan.work.len(), plan.rows.len()) {
            let outcome = &mut self.cells[cell].outcomes[allocator];
            // What failed once would fail again, at the price of a timeout each.
            if outcome.problem.is_none() {
                let (row, work) = (&plan.rows[allocator], plan.work[cell]);
                progress.now(&format!("round {}, {}, {}", round + 1, work.name(), row.name));
                match plan.run(row, work, round == 0)? {
                    Ok((run, _)) if run.interrupted => return Ok(true),
                    Ok((run, done)) => {
                        outcome.add(run);
                        self.done[cell][allocator].push(done);
                    }
                    Err(problem) => outcome.fail(problem),
                }
            }
            progress.advance();
        }
        Ok(false)
    }

    fn compare_work(&mut self) {
        for (cell, done) in self.cells.iter_mut().zip(&self.done) {
            for row in work::deviating(done) {
                cell.outcomes[row].fail("read back other contents from memory than the other allocators");
            }
        }
    }
}
