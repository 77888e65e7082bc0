//! Loom: every interleaving of small cases of what threads share here without a lock, on the real code.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p stratalloc-modifiers --release --lib loom`
//!
//! The main thread only joins: loom runs it first where it can, and then never tries the order in which a plain load comes
//! after the others' exchanges.

mod exchange;
mod ring;
