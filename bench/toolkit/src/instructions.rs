//! Instructions per operation, counted by callgrind: the same on a busy machine as on an idle one. They are the program's; what
//! the kernel executes in system calls and page faults is not among them.
//!
//! Each child runs twice, with so many operations and with twice as many; the difference belongs to the operations alone, whatever start,
//! warming and end cost. Where one moment is measured ([`Counting::Moment`]) it runs once without and once with the moment.

use std::process::Command;

use stratalloc_measure::progress::Progress;

use crate::arguments::Instructions;
use crate::cases::{Case, Counting};
use crate::record::Record;
use crate::run::command_of;

/// What is said where there is no valgrind.
const MISSING: &str = "No valgrind here: instructions were not counted.";

/// Adds the counts of every case that is counted. Without valgrind there are none, and a note says so.
pub(crate) fn count(when: Instructions, cases: &[Case], record: &mut Record) -> Result<(), String> {
    if when == Instructions::Never {
        return Ok(());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        record.add_note(MISSING);
        return if when == Instructions::Always { Err(MISSING.to_owned()) } else { Ok(()) };
    }
    let counted = || cases.iter().enumerate().filter(|(_, case)| case.counting != Counting::No);
    let progress = Progress::new(counted().map(|(_, case)| case.contestants.len()).sum());
    for (cell, case) in counted() {
        for row in 0..case.contestants.len() {
            progress.now(&format!("instructions of {}, {}", case.name, case.contestants[row].name));
            record.set_instructions(cell, row, of_row(case, row)?);
            progress.advance();
        }
    }
    Ok(())
}

/// Instructions of one operation.
fn of_row(case: &Case, row: usize) -> Result<f64, String> {
    let (less, more, between) = match case.counting {
        Counting::No => return Err(format!("{} is not counted", case.name)),
        Counting::Moment => (0, case.operations, case.operations as f64),
        Counting::Operations(once) => {
            let once = once.min(case.operations);
            // Every case warms up with a tenth of its operations.
            (once, 2 * once, once as f64 * 1.1)
        }
    };
    let (less, more) = (instructions(case, row, less)?, instructions(case, row, more)?);
    Ok(more.saturating_sub(less) as f64 / between)
}

fn instructions(case: &Case, row: usize, operations: u64) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(command_of(case, row, operations)?)
        .arg("--unclocked")
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected :"));
    count.filter(|_| output.status.success()).and_then(|(_, number)| number.trim().parse().ok()).ok_or_else(
        || format!("valgrind counted nothing for {} of {}:\n{said}", case.contestants[row].name, case.name),
    )
}
