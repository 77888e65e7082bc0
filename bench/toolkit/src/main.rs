//! `bench-toolkit`: every strategy beside the crate or the C function that one would take in its place.
//!
//! **Card.** May use: the strategies, their peers, `stratalloc-measure`, the probes' clock. Used by: `toolkit.sh`, CI
//! (`--quick`). Never does: measure two contestants in one process (each sample is a fresh child, so neither's memory, nor what it
//! taught the branch predictor, is the other's).
//!
//! ```text
//!   round 1:  case a: A B C   case b: A B   …        each letter: one fresh process, `bench-toolkit sample a A`
//!   round 2:  case a: B C A   case b: B A   …
//!
//!   arguments ─► plan ─► child ─► cases ─► shapes ─► heap     what is timed
//!                  └─► record ─► verdict ─► text, JSON, page
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | `arguments` | the command line |
//! | `cases` | the table of cases: contestants, amount of work, targets |
//! | `shapes` | the work itself, the same code for every contestant |
//! | `heap` | the one interface that the shapes know, over ours and over peers |
//! | `sample` | what a child says, and its clocks |
//! | `run` | children, one after the other |
//! | `instructions` | the same children under callgrind |
//! | `record` | everything that was measured; its JSON |
//! | `verdict` | medians, ratios, targets |
//! | `text`, `page` | the record for people |

mod arguments;
mod cases;
mod heap;
mod instructions;
mod page;
mod record;
mod run;
mod sample;
mod shapes;
mod text;
mod verdict;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;

/// 0: all well (a target that is missed is a finding, not a failure). 1: contestants disagree about their work. 2: nothing
/// could be measured.
fn main() -> ExitCode {
    let outcome = match Arguments::parse().resolve() {
        Command::Sample { case, contestant, operations, unclocked } => {
            run::sample(&case, &contestant, operations, unclocked)
        }
        Command::List => {
            cases::list();
            Ok(true)
        }
        Command::Page(path) => record::page_again(&path).map(|()| true),
        Command::Measure(plan) => run::measure(&plan),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("bench-toolkit: {message}");
            ExitCode::from(2)
        }
    }
}
