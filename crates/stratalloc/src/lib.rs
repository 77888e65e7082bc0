//! <!-- Where the README's links lead from `target/doc/stratalloc/`: the first definition of a name counts, and the README
//! has its own, which lead from the root. `.ci/steps/14-doc.sh` follows each. -->
//!
//! [counts]: ../../../tests/golden/counts.toml
//! [light]: ../../../tests/preload/torture/light_start.c
//! [bench]: ../../../bench/runs/2026-11-21-intel-xeon-processor-2cpu/README.md
//! [performance]: ../../../docs/performance.md
//! [guide]: ../../../docs/guide.md
//! [benchmarks]: ../../../bench/README.md
//! [c-tour]: ../../../examples/c/toolkit.c
//! [examples]: ../../../crates/stratalloc/examples
//! [architecture]: ../../../ARCHITECTURE.md
//! [safety]: ../../../SAFETY.md
//! [signals]: ../../../SAFETY.md#signals-forks-late-calls
//! [docs]: ../../../docs/
//! [changelog]: ../../../CHANGELOG.md
//! [manifest]: ../../../Cargo.toml
//! [mit]: ../../../LICENSE-MIT
//! [apache]: ../../../LICENSE-APACHE
//!
#![doc = include_str!("../../../README.md")]
#![cfg_attr(feature = "allocator-api2", doc = include_str!("collections.md"))]
//!
//! # Layer card
//!
//! | | |
//! | --- | --- |
//! | may use | every library layer |
//! | used by | programs |
//! | never | contains an algorithm: it re-exports, and is the only crate that promises semantic versioning |
#![no_std]

mod global;

pub use global::Stratalloc;
pub use stratalloc_heap::{
    ClassStatistics, ConfigError, DomainStatistics, Heap, KNOBS, Knob, ProcessHeap, SmallObject, Statistics,
    collect, configure, statistics, usable_size, validate,
};
pub use stratalloc_modifiers as modifiers;
pub use stratalloc_resource as resource;
pub use stratalloc_resource::{
    Alignment, AllocError, Allocator, Collect, MemoryBlock, MemoryResource, OwnedBlock, Owns, ResourceInfo,
    Validate, Violation,
};
pub use stratalloc_strategies as strategies;
