//! Misuse in a child process: what does a checked build say before it dies?

#[path = "../../../l1-platform/tests/this_program/mod.rs"]
mod this_program;

use this_program::this_program;

/// Names the test whose misuse this process is to commit.
const VARIABLE: &str = "STRATALLOC_MISUSE";

/// Runs `misuse` in a child process, which has to die of it; returns what it said.
///
/// `test` is the calling test's own name: the child is this test program again, told to run that test only.
pub(crate) fn last_words(test: &str, misuse: impl FnOnce()) -> String {
    if std::env::var(VARIABLE).as_deref() == Ok(test) {
        misuse();
        // Reached if nothing was noticed; the parent asserts that it is not.
        std::process::exit(0);
    }
    let output = this_program().args(["--exact", test, "--nocapture"]).env(VARIABLE, test).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "the misuse in {test} went unnoticed: {said}");
    said
}
