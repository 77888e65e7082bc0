//! Instructions per operation, counted by callgrind: the same on a busy machine as on an idle one.
//!
//! Each child runs twice, with so many operations and with twice as many; the difference belongs to the operations alone, whatever start,
//! warming and end cost.

use std::process::Command;

use crate::cases::Case;
use crate::record::Record;
use crate::run::command_of;

/// Operations of the shorter run: whole batches, and ten times the largest mix.
const OPERATIONS: u64 = 100_000;

/// Adds the counts of every case that is counted. Without valgrind there are none, and a note says so.
pub(crate) fn count(cases: &[Case], record: &mut Record) -> Result<(), String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        record.add_note("No valgrind here: instructions were not counted.");
        return Ok(());
    }
    for (cell, case) in cases.iter().enumerate().filter(|(_, case)| case.counted) {
        for row in 0..case.contestants.len() {
            let (once, twice) =
                (instructions(case, row, OPERATIONS)?, instructions(case, row, 2 * OPERATIONS)?);
            // Every case warms up with a tenth of its operations.
            record.set_instructions(cell, row, twice.saturating_sub(once) as f64 / (OPERATIONS as f64 * 1.1));
        }
    }
    Ok(())
}

fn instructions(case: &Case, row: usize, operations: u64) -> Result<u64, String> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(command_of(case, row, operations)?)
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected :"));
    count.and_then(|(_, number)| number.trim().parse().ok()).ok_or_else(|| {
        format!("valgrind counted nothing for {} of {}:\n{said}", case.contestants[row].name, case.name)
    })
}
