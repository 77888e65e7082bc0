#![doc = include_str!("../../../README.md")]
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
    ClassStatistics, ConfigError, DomainStatistics, Heap, KNOBS, Knob, ProcessHeap, Statistics, collect,
    configure, statistics, usable_size, validate,
};
pub use stratalloc_resource as resource;
pub use stratalloc_resource::{
    Alignment, AllocError, Allocator, Collect, MemoryBlock, MemoryResource, OwnedBlock, Owns, ResourceInfo,
    Validate, Violation,
};
