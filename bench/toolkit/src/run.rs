//! Children, one after the other, and the record of what they said.

use std::env;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use stratalloc_measure::machine::{self, Fact};
use stratalloc_measure::plan::{Turn, interleaved};
use stratalloc_measure::progress::Progress;

use crate::arguments::Plan;
use crate::cases::{self, Case};
use crate::instructions;
use crate::record::Record;
use crate::sample::Sample;
use crate::text;

/// In a child: does the work and prints the sample.
pub(crate) fn sample(
    case: &str,
    contestant: &str,
    operations: Option<u64>,
    unclocked: bool,
) -> Result<bool, String> {
    let cases = cases::all();
    let case = cases.iter().find(|other| other.name == case).ok_or_else(|| format!("no case {case}"))?;
    let row = case.contestants.iter().find(|other| other.name == contestant);
    let row = row.ok_or_else(|| format!("no {contestant} in {}", case.name))?;
    let run = row.unclocked.as_ref().filter(|_| unclocked).unwrap_or(&row.run);
    let sample = run(operations.unwrap_or(case.operations));
    let line = serde_json::to_string(&sample).map_err(|error| error.to_string())?;
    writeln!(io::stdout(), "{line}").map_err(|error| error.to_string())?;
    Ok(true)
}

/// All rounds, the tables, the record; whether all contestants of each case did the same work.
pub(crate) fn measure(plan: &Plan) -> Result<bool, String> {
    let cases = cases::named(&plan.cases);
    if cases.is_empty() {
        return Err("no such case; `list` names them".to_owned());
    }
    let mut record = Record::new(plan, &cases, machine::facts());
    record.add_fact(Fact::new("load at the start", machine::load()));
    let rows = cases.iter().map(|case| case.contestants.len()).max().unwrap_or(0);
    let progress =
        Progress::new(plan.rounds * cases.iter().map(|case| case.contestants.len()).sum::<usize>());
    for Turn { round, cell, allocator: row } in interleaved(plan.rounds, cases.len(), rows) {
        let case = &cases[cell];
        if row < case.contestants.len() && (round == 0 || !record.is_constant(cell)) {
            progress.now(&format!("round {}: {}, {}", round + 1, case.name, case.contestants[row].name));
            record.add(cell, row, child(case, row, plan.divisor)?);
        }
        if row < case.contestants.len() {
            progress.advance();
        }
    }
    instructions::count(plan.instructions, &cases, &mut record)?;
    record.add_fact(Fact::new("load at the end", machine::load()));
    let disagreements = record.disagreements();
    text::print(&record, &mut io::stdout().lock()).map_err(|error| error.to_string())?;
    if let Some(folder) = &plan.out {
        record.write(folder)?;
        println!("\nwritten to {}", folder.display());
    }
    disagreements.iter().for_each(|complaint| eprintln!("bench-toolkit: {complaint}"));
    Ok(disagreements.is_empty())
}

/// The command that does so many operations of a case.
pub(crate) fn command_of(case: &Case, row: usize, operations: u64) -> Result<[String; 6], String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    Ok([
        program.to_string_lossy().into_owned(),
        "sample".to_owned(),
        case.name.clone(),
        case.contestants[row].name.to_owned(),
        "--operations".to_owned(),
        operations.to_string(),
    ])
}

fn child(case: &Case, row: usize, divisor: u64) -> Result<Sample, String> {
    let [program, arguments @ ..] = command_of(case, row, (case.operations / divisor).max(1))?;
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).env_clear().output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{} of {} ended with {}", case.contestants[row].name, case.name, output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{}: {error}", case.name))
}
