//! The general-purpose heap of stratalloc.
//!
//! | layer card | |
//! | --- | --- |
//! | may use | `stratalloc-primitives`, `stratalloc-platform`, `stratalloc-resource` |
//! | used by | `stratalloc-capi` (malloc), `stratalloc` (global allocator) |
//! | never | allocates for itself, panics, unwinds, takes a lock that fork or a signal could leave held; waits for another thread only while that one creates the region, when eight others are inside the same independent heap, and when an independent heap is dropped during a purge |
//!
//! ```text
//!   request ─► api ─► size ≤ 32 KiB    small: bin of the thread's heap ── refill ─► slab ─► slice of the region
//!                     size ≤ 1 MiB     small: run of granules of a split chunk
//!                     size ≤ 512 MiB   medium: chunks from the buddy tree
//!                     above            large, huge: a mapping of its own
//! ```
//!
//! - [`mod@layout`]: the units. `region`: one range of addresses and its records. `small`: slabs, runs, thread heaps, remote
//!   frees. `medium`: the buddy domain. `os`: large and huge. `purge`: back to the system. `api`: entry points and fast
//!   paths. [`Heap`]: independent heaps. [`mod@small_object`]: the
//!   small domain as a resource. [`Statistics`], [`validate`](fn@validate), [`KNOBS`]: looking and tuning.
#![no_std]

#[cfg(any(test, not(feature = "initial-exec-tls")))]
extern crate std;

// Under loom only the lock-free structures are compiled: its atomics have no constant constructor, so statics cannot be.
#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, loom))]
mod medium {
    mod buddy_tree;
}

#[cfg(not(loom))]
mod api;
#[cfg(not(loom))]
pub mod layout;
#[cfg(not(loom))]
mod medium;
#[cfg(not(loom))]
mod os;
#[cfg(not(loom))]
mod purge;
#[cfg(not(loom))]
mod region;
#[cfg(not(loom))]
mod resource;
#[cfg(not(loom))]
mod small;
#[cfg(not(loom))]
pub mod small_object;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
mod tuning;
#[cfg(not(loom))]
mod usage;
#[cfg(not(loom))]
mod validate;
#[cfg(not(loom))]
mod value;

#[cfg(not(loom))]
pub use self::public::*;

/// What users of the crate see.
#[cfg(not(loom))]
mod public {
    pub use crate::api::{
        allocate, allocate_aligned, allocate_aligned_zeroed, allocate_fast, allocate_zeroed, collect,
        deallocate, deallocate_sized, good_size, owns, reallocate, reallocate_aligned, reallocate_sized,
        set_foreign_hook, usable_size,
    };
    pub use crate::resource::ProcessHeap;
    pub use crate::small_object::SmallObject;
    pub use crate::stats::{ClassStatistics, DomainStatistics, Statistics, statistics};
    pub use crate::tuning::{ConfigError, KNOBS, Knob, configure};
    pub use crate::validate::validate;
    pub use crate::value::Heap;
}
