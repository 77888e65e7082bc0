//! One measured process.

use crate::allocators::Row;
use crate::arguments::{Cell, Resolved};
use crate::copies::Copies;
use crate::record::Sample;
use std::process::{Command, Stdio};
use stratalloc_measure::work::Done;

/// Runs one cell on one row; an error says what went wrong.
pub(crate) fn run(plan: &Resolved, copies: &Copies, row: &Row, cell: &Cell) -> Result<Sample, String> {
    let output = Command::new(plan.runners.join("bench-launch"))
        .arg(plan.timeout.to_string())
        .arg(copies.program(row))
        .args([cell.workload.name, &cell.threads.to_string(), &plan.scale.to_string()])
        .env_clear()
        .envs(row.environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start bench-launch: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    parse(&said).map_err(|problem| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        // A panic's message spans the first two lines.
        let complaint: Vec<&str> = complaint.lines().filter(|line| !line.is_empty()).take(2).collect();
        format!("{problem}. {}", complaint.join(" ")).trim_end().to_owned()
    })
}

/// Reads the runner's lines and the launcher's last one.
fn parse(text: &str) -> Result<Sample, String> {
    let launched = text.lines().find_map(|line| line.strip_prefix("launched ")).unwrap_or_default();
    let figures: Vec<u64> = launched.split(' ').filter_map(|figure| figure.parse().ok()).collect();
    let &[status, user_us, system_us, peak_kib, minor_faults, major_faults, voluntary, involuntary, wall_ns] =
        figures.as_slice()
    else {
        return Err("the launcher reported nothing".to_owned());
    };
    if status != 0 {
        return Err(explain(status));
    }
    let done = Done::parse(text)?;
    Ok(Sample {
        user_us,
        system_us,
        wall_us: wall_ns / 1000,
        peak_kib: peak_kib.max(done.peak_kib),
        minor_faults,
        major_faults,
        voluntary_switches: voluntary,
        involuntary_switches: involuntary,
        operations: done.operations,
        checksum: done.checksum,
    })
}

/// A wait status in words.
fn explain(status: u64) -> String {
    const SIGALRM: u64 = 14;
    match (status & 0x7f, status >> 8) {
        (0, code) => format!("ended with status {code}"),
        (SIGALRM, _) => "did not end in time".to_owned(),
        (signal, _) => format!("killed by signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "operations 12\nchecksum 00ff\nwork_ns 5\npeak_kib 300\nlaunched 0 10 20 250 40 50 60 70 80000\n";

    #[test]
    fn a_good_report_is_read() {
        let sample = parse(GOOD).expect("well formed");
        assert_eq!((sample.user_us, sample.system_us, sample.wall_us, sample.peak_kib), (10, 20, 80, 300));
        assert_eq!((sample.minor_faults, sample.involuntary_switches, sample.operations), (40, 70, 12));
        assert_eq!(sample.checksum, "00ff");
    }

    #[test]
    fn failures_are_told_apart() {
        let with = |status: &str| parse(&GOOD.replace("launched 0", &format!("launched {status}")));
        assert_eq!(with("14"), Err("did not end in time".to_owned()));
        assert_eq!(with("6"), Err("killed by signal 6".to_owned()));
        assert_eq!(with("512"), Err("ended with status 2".to_owned()));
        assert_eq!(parse(""), Err("the launcher reported nothing".to_owned()));
        assert_eq!(parse(&GOOD.replace("checksum", "check")), Err("no checksum reported".to_owned()));
    }
}
