//! Fuzz targets: any configuration of any strategy, any operations, against the shadow model of the property tests.
//!
//! **Card.** May use: strategies, modifiers, the model in `l3-strategies/tests/support` (the same file, not a copy). Used by:
//! `fuzz_targets/`, one line each, and `run.sh`. Never does: draw anything by itself.
//!
//! ```text
//!   libFuzzer ──32 bytes, a seed──► proptest's generators ──► configuration, operations ──► strategy ◄─compared─► Shadow
//! ```
//!
//! So a target tries what the property test of the same strategy tries, as often as there is time. Coverage tells libFuzzer which seeds to keep, but
//! it cannot change one decision of an input and leave the others: for that the operations would have to be decoded from the bytes.

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

/// What a generator makes of these bytes; `None` for what it rejects. The first 32 are the seed of its random source: proptest's own
/// pass-through source halves its bytes at each choice among alternatives and then draws zeros for ever.
fn drawn<T>(data: &[u8], generator: impl Strategy<Value = T>) -> Option<T> {
    let mut seed = [0_u8; 32];
    seed.iter_mut().zip(data).for_each(|(to, &from)| *to = from);
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
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
