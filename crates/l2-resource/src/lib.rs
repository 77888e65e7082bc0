//! The contract between those who have memory and those who need it.
//!
//! # Layer card
//!
//! | | |
//! | --- | --- |
//! | layer | 2 |
//! | may use | `stratalloc-primitives` (layer 0), `core`; where a feature says so, the traits of `allocator-api2` |
//! | used by | strategies, modifiers, the heap, instruments, the façade |
//! | never does | know an operating system, allocate for itself, panic, unwind, lock |
//!
//! ```text
//!      your code          collections           C programs
//!          │                   │                     │
//!   Allocator<R>        ResourceAllocator<R>         │         user side
//!   OwnedBlock<R>       (a GlobalAlloc)              │
//!          └─────────┬─────────┘                     │
//!                    ▼                               ▼
//!      ┌──────────────────────────┐        ┌──────────────────┐
//!      │      MemoryResource      │◄───────┤   conformance    │  puts any of the three
//!      │ + Owns Collect Validate  │ checks │ resource, global,│  through the contract
//!      └─────────────┬────────────┘        │   malloc family  │
//!                    ▼                     └──────────────────┘
//!    heap · frame · pool · buddy · … over an upstream resource, or FromGlobal over any GlobalAlloc
//! ```
//!
//! One line per module:
//!
//! * [`MemoryResource`] (`resource`): the trait, with its contract in fixed sections;
//! * `clause`: the sentences of that contract, shared by documentation and kit;
//! * [`AllocError`] (`error`), [`MemoryTag`] (`tag`): why a request was refused;
//! * [`ResourceId`] (`identity`): when two resources are one;
//! * [`ResourceInfo`] (`info`): what a resource says about itself;
//! * [`Owns`], [`Collect`], [`Validate`] (`capability`): what only some resources can do;
//! * [`Allocator`] (`allocator`): the typed handle, with the features `allocator-api2`, `allocator-api2-04` and `nightly` (`allocator/standard.rs`;
//!   without one where `core::alloc::Allocator` is stable) also what collections take; [`OwnedBlock`] (`owned_block`): a block that releases itself;
//! * [`FromGlobal`], [`ResourceAllocator`], references (`adapter`): the bridges to `GlobalAlloc` and back;
//! * [`abi`]: resources of C and of other shared objects, and Rust's for them: a versioned table of functions;
//! * `conformance` (feature `conformance`, needs `std`): the contract as a test of anything that claims to keep it.
#![no_std]
#![cfg_attr(core_allocator_unstable, feature(allocator_api))]

#[cfg(feature = "conformance")]
extern crate alloc;
#[cfg(feature = "conformance")]
extern crate std;

pub mod abi;
mod adapter;
mod allocator;
mod capability;
mod clause;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod identity;
mod info;
mod owned_block;
mod resource;
mod tag;

pub use adapter::{FromGlobal, ResourceAllocator};
pub use allocator::{Allocator, Fallible};
pub use capability::{Collect, Owns, Validate, Violation};
pub use error::AllocError;
pub use identity::ResourceId;
pub use info::{ResourceInfo, Reuse, SizeClasses, ThreadSafety};
pub use owned_block::OwnedBlock;
pub use resource::{MemoryResource, reallocate_by_moving};
pub use stratalloc_primitives::{Alignment, MemoryBlock};
pub use tag::MemoryTag;
