//! Runs of real, small programs: what is counted, how ends are told apart, that a run can be watched and limited.
//!
//! Not covered: signals to the measuring process, and terminals (both in the tests of the command).

use core::time::Duration;
use std::process::{Command, Stdio};

use stratalloc_measure::process::run;
use stratalloc_measure::{End, LaunchError, Watch};

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

#[test]
fn ends_are_told_apart() {
    let end = |script| run(shell(script), Watch::default()).unwrap().end;
    assert_eq!(end("exit 7"), End::Exited(7));
    assert_eq!(end("kill -TERM $$"), End::Signalled(libc::SIGTERM));
    assert_eq!(format!("{}, {}", end("exit 7"), end("kill -TERM $$")), "status 7, SIGTERM");
}

#[test]
fn a_program_that_is_not_there_is_not_found() {
    let error = run(Command::new("/no/such/program"), Watch::default()).unwrap_err();
    assert!(matches!(&error, LaunchError::NotFound(text) if text.contains("/no/such/program")), "{error}");
    let error = run(Command::new("/etc/passwd"), Watch::default()).unwrap_err();
    assert!(matches!(error, LaunchError::NotRunnable(_)), "{error}");
}

#[test]
fn a_program_that_takes_too_long_is_killed() {
    // Should nobody kill it, the kernel does, and by another signal.
    let watch = Watch { limit: Some(Duration::from_millis(50)), ..Watch::default() };
    let finished = run(shell("ulimit -S -t 20; while :; do :; done"), watch).unwrap();
    assert!(finished.timed_out);
    assert_eq!(finished.end, End::Signalled(libc::SIGKILL));
    let finished = run(shell("exit 0"), Watch { limit: Some(Duration::from_secs(3600)), ..watch }).unwrap();
    assert!(!finished.timed_out);
}

/// The shell's variable needs 8 MB; the bare shell needs less than half of it.
#[test]
fn memory_and_its_curve_are_the_programs_own() {
    let small = run(shell(":"), Watch::default()).unwrap();
    let script = "x=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do x=$x$x; done; \
                  i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done";
    let large = run(shell(script), Watch { curve: true, limit: None }).unwrap();
    assert_eq!(large.end, End::Exited(0));
    assert!(small.usage.peak_rss_kib < 4000, "{}", small.usage.peak_rss_kib);
    assert!(small.usage.peak_rss_kib > small.floor_kib, "{} {}", small.usage.peak_rss_kib, small.floor_kib);
    assert!(large.usage.peak_rss_kib > 8000, "{}", large.usage.peak_rss_kib);
    assert!(large.usage.minor_faults > small.usage.minor_faults);
    assert!(large.usage.cpu() > Duration::ZERO && large.usage.wall >= Duration::from_millis(1));
    let curve = large.curve.expect("asked for");
    assert!(curve.points.len() > 1, "{curve:?}");
    assert!(
        curve.peak() / 1024 > 7500 && curve.peak() / 1024 <= large.usage.peak_rss_kib + 1024,
        "{curve:?}"
    );
    assert!(curve.points.is_sorted_by_key(|point| point.0), "{curve:?}");
    assert_eq!(small.curve, None);
}
