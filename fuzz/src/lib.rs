//! Fuzz targets: any configuration of any strategy, any operations, against the shadow model of the property tests.
//!
//! **Card.** May use: strategies, modifiers, the model in `l3-strategies/tests/support` (the same file, not a copy). Used by:
//! `fuzz_targets/`, one line each, and `run.sh`. Never does: draw anything by itself.
//!
//! ```text
//!   libFuzzer ──bytes──► proptest's generators ──► configuration, operations ──► strategy ◄─compared─► Shadow
//!                        (they draw from the bytes instead of from a random source)        validate() after each step
//! ```
//!
//! So a target tries what the property test of the same strategy tries, but led by coverage: libFuzzer changes the bytes of those inputs
//! that reached new code. An input is a sequence of decisions, the configuration's first.

extern crate alloc;

mod alone;
mod blocks;
mod compositions;
mod heaps;
mod linear;
#[path = "../../crates/l3-strategies/tests/support/mod.rs"]
#[expect(dead_code, reason = "the property tests use all of it")]
mod support;

pub use blocks::{lock_free_pool, mem_pool, pool, slab};
pub use compositions::compositions;
pub use heaps::{buddy, system, tlsf};
pub use linear::{frame, stack};

use proptest::prelude::Strategy;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use stratalloc_resource::{MemoryResource, Owns, Validate};
use support::{Op, Shadow};

/// More bytes than any target's generator draws.
const ENOUGH: usize = 32 << 10;

/// What a generator makes of these bytes, and of a fixed sequence when they are used up (proptest would go on with zeros, which
/// a range that rejects some numbers draws for ever). `None` for what it rejects.
fn drawn<T>(data: &[u8], generator: impl Strategy<Value = T>) -> Option<T> {
    let mut bytes = data.to_vec();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    while bytes.len() < ENOUGH {
        // xorshift: any sequence that is not constant would do.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    let random = TestRng::from_seed(RngAlgorithm::PassThrough, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    generator.new_tree(&mut runner).ok().map(|tree| tree.current())
}

/// Runs the operations beside a shadow, calls `special` for those that are the strategy's own, and releases all blocks at the end.
fn run<R: MemoryResource + Validate + Owns>(
    resource: &R,
    ops: &[Op],
    mut special: impl FnMut(&mut Shadow, usize) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut shadow = Shadow::default();
    for op in ops {
        match *op {
            Op::Special { choice } => special(&mut shadow, choice)?,
            _ => shadow.step(resource, op)?,
        }
        shadow.all_intact()?;
        shadow.check(resource)?;
    }
    shadow.release_all(resource)
}

/// Nothing of its own.
fn plain(_: &mut Shadow, _: usize) -> Result<(), TestCaseError> {
    Ok(())
}

/// A difference between strategy and shadow ends the fuzzer with its description.
fn settle(outcome: Result<(), TestCaseError>) {
    if let Err(difference) = outcome {
        panic!("{difference}");
    }
}
