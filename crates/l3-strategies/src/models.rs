//! Loom: every interleaving of small cases of what threads share here, on the real code.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p stratalloc-strategies --release --lib loom`
//!
//! The main thread only joins: loom runs it first where it can, and then never tries the order in which a plain load comes
//! after the others' exchanges.

mod directory;
mod indices;
mod lists;
#[cfg(target_has_atomic = "64")]
mod replica;
mod return_list;
