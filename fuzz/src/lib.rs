//! Fuzz targets: any configuration of any strategy, any operations, against the shadow model of the property tests.
//!
//! **Card.** May use: strategies, modifiers, the heap's `SmallObject`, the models in `l3-strategies/tests`, `support` and `shadows` (the same files, not copies). Used by:
//! `fuzz_targets/`, one line each, and `run.sh`. Never does: draw anything by itself.
//!
//! ```text
//!   libFuzzer ──bytes──► Input: configuration, operations ──► strategy ◄─compared─► Shadow
//!       ▲                                                        │
//!       └── which branches were taken, what was compared ◄───────┘
//! ```
//!
//! The bytes are the decisions (`input.rs`), so libFuzzer keeps an input that reaches something new and changes one decision of it at a time. The
//! property tests of the same strategies draw both at random instead.

extern crate alloc;

mod alone;
#[path = "../../crates/l3-modifiers/tests/belief/mod.rs"]
mod belief;
mod blocks;
#[path = "../../crates/l3-strategies/tests/shadows/compacting_pool.rs"]
mod compacting;
mod compositions;
#[path = "../../crates/l3-strategies/tests/shadows/fiber_stacks.rs"]
mod fibers;
mod heaps;
mod input;
mod linear;
mod mapped;
mod modifiers;
mod own;
#[path = "../../crates/l3-strategies/tests/shadows/replicated.rs"]
mod replicas;
mod shared;
mod small;
#[path = "../../crates/l3-strategies/tests/support/mod.rs"]
#[expect(dead_code, reason = "the property tests use all of it")]
mod support;

pub use blocks::{lock_free_pool, mem_pool, pool, slab};
pub use compositions::compositions;
pub use heaps::{buddy, system, tlsf};
pub use linear::{frame, stack};
pub use mapped::{huge_page, node_pages, partition, reserved};
pub use modifiers::{sampled, tagged, thread_cached, traced};
pub use own::{compacting_pool, fiber_stacks, replicated};
pub use shared::shared_region;
pub use small::small_object;

use proptest::test_runner::TestCaseError;
use stratalloc_resource::{MemoryResource, Owns, Validate};
use support::{Op, Shadow};

/// Runs the operations beside a shadow, calls `special` for those that are the strategy's own, and releases all blocks at the end.
fn run<R: MemoryResource + Validate + Owns>(
    resource: &R,
    ops: &[Op],
    special: impl FnMut(&mut Shadow, usize) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    run_beside(resource, ops, special, |_| Ok(()))
}

/// The same, and what `beside` says about the live blocks is asked after each operation, and at the end.
fn run_beside<R: MemoryResource + Validate + Owns>(
    resource: &R,
    ops: &[Op],
    mut special: impl FnMut(&mut Shadow, usize) -> Result<(), TestCaseError>,
    beside: impl Fn(&Shadow) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut shadow = Shadow::default();
    for op in ops {
        match *op {
            Op::Special { choice } => special(&mut shadow, choice)?,
            _ => shadow.step(resource, op)?,
        }
        shadow.all_intact()?;
        shadow.check(resource)?;
        beside(&shadow)?;
    }
    shadow.release_all(resource)?;
    beside(&shadow)
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
