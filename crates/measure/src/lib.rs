//! Measures the same work on several allocators, side by side, and shows what came out.
//!
//! **Card.** May use: `std`, `libc`, Linux' `/proc`, crates from outside; no layer of the library. Used by: the command
//! `stratalloc` (`run`, `compare`, `bench`) and `bench/driver`. Never does: any measured work in its own process, choose
//! which allocators there are, or write a file.
//!
//! ```text
//!   plan ──turns──▶ process::run ──Finished: Usage, Curve──▶ Comparison ──▶ Summary ──▶ tables (terminal)
//!   round 1: A B C   one child, wait4,                        every sample,  medians,      page   (HTML)
//!   round 2: B C A   RSS looked at meanwhile                  JSON           ratios
//!   round 3: C A B
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`process`] | one child: start, signals both ways, wait, what the kernel counted; the only `unsafe` |
//! | [`usage`], [`curve`] | what the kernel counted; resident memory over time |
//! | [`plan`] | who runs when |
//! | [`statistics`] | medians, intervals of their ratios, geometric means |
//! | [`comparison`] | everything that was measured, as it is kept in JSON |
//! | [`summary`] | what it says: tables, best of each cell, where ours loses |
//! | [`tables`], [`text`], [`units`] | for the terminal |
//! | [`page`] | for the browser: one file, no network |
//! | [`work`] | what workloads say about their work; whether all did the same |
//! | [`machine`], [`progress`] | on what, and how far |

extern crate alloc;

pub mod comparison;
pub mod curve;
pub mod machine;
pub mod page;
pub mod plan;
pub mod process;
pub mod progress;
pub mod statistics;
pub mod summary;
pub mod tables;
pub mod text;
pub mod units;
pub mod usage;
pub mod work;

pub use comparison::{Allocator, Cell, Comparison, Kind, Outcome};
pub use curve::Curve;
pub use process::{End, Finished, LaunchError, Watch};
pub use summary::Summary;
pub use usage::{Figure, Usage};
