//! `cargo xtask TASK`: checks of the project that cargo has no command for.
//!
//! - [`layers`]: the tree shows the layers, and nothing reaches upwards.
//! - [`examples`]: every public item has an example, or links to one that shows it.
//! - [`golden`]: what the fast paths cost, counted by callgrind and compared with `tests/golden/counts.toml`.

extern crate alloc;

use std::path::PathBuf;
use std::process::ExitCode;

mod cargo;
mod examples;
mod golden;
mod layers;

const USAGE: &str = "\
usage: cargo xtask TASK
  layers              a crate depends on smaller layers only; peers of the bench stay out of Cargo.lock
  examples            every public item has an example, or links to one that shows it
  golden              count instructions and page faults, compare with tests/golden/counts.toml
  golden --bless      the same, and write what was counted into that file";

/// Found violations are status 1; a task that could not be carried out is status 2.
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match *arguments {
        ["layers"] => layers::run(&root()),
        ["examples"] => examples::run(&root()),
        ["golden"] => golden::run(&root(), false),
        ["golden", "--bless"] => golden::run(&root(), true),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(violations) if violations.is_empty() => ExitCode::SUCCESS,
        Ok(violations) => {
            for violation in &violations {
                eprintln!("xtask: {violation}");
            }
            ExitCode::FAILURE
        }
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
    }
}

/// Root of the workspace.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
