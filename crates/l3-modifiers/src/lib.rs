//! Resources made of resources.
//!
//! # Layer card
//!
//! | | |
//! | --- | --- |
//! | layer | 3 |
//! | may use | `stratalloc-primitives`, `stratalloc-platform` (where there is one), `stratalloc-resource`, `core` |
//! | used by | programs, the façade |
//! | never does | hand out memory of its own, call the global allocator, allocate for itself |
//!
//! ```text
//!      request of 100 bytes                       request of 5000 bytes
//!          │                                          │
//!   Counted ──────────────── what came and went ──────────────────────────────
//!          │                                          │
//!   Fallback ─────────────── A, and B where A refuses ────────────────────────
//!          │                                          │
//!   Segregate<256> ───────── by size ─────────────────┤
//!          ▼                                          ▼
//!        Buddy                                      Tlsf            …  System
//! ```
//!
//! A composition is a type, `Fallback<Segregate<256, Buddy<'_>, Tlsf<'_>>, System>`: the compiler sees through it, and what is not used
//! costs nothing. Its links are values or references to resources that others use as well.
//!
//! | modifier | does | costs an operation | a block |
//! | --- | --- | --- | --- |
//! | [`Fallback`], [`FallbackChain`] | asks the next where one refuses | a question of ownership per link | – |
//! | [`Segregate`] | splits by size | a comparison | – |
//! | [`Counted`] | counts blocks and bytes | two to four atomic additions | – |
//! | [`Locked`] | lets threads share what is made for one | a lock | – |
//! | [`Guarded`] | canaries and fill patterns around each block | a pass over the bytes | 6 words |
//! | [`Sampled`] | tells of some blocks, chosen by their bytes | an atomic addition; eight loads | – |
//! | [`Tagged`] | counts and budgets for each subsystem | two atomic read-modify-writes | 1 word |
//! | [`ThreadCached`] | keeps freed blocks with the thread that freed them | two words read or written | rounding to classes |
//! | [`Traced`] | records each operation for a reader | an exchange and four words | – |
//! | [`Tracked`] | a list of what is live, and from where | a lock and two links | 8 words |
//!
//! Which to choose, and over which strategy: [the guide](../../../docs/guide.md). Which order: what looks at the caller's bytes goes outside ([`Guarded`] over [`Fallback`], not below it), [`Locked`] goes around whatever is
//! not `Sync`, [`Counted`] goes where the count is wanted.
#![no_std]

#[cfg(all(loom, test))]
extern crate alloc;

pub mod counted;
mod damage;
pub mod fallback;
pub mod guarded;
mod info;
mod line;
pub mod locked;
#[cfg(all(loom, test))]
mod models;
mod moving;
mod numbered;
mod padded;
pub mod sampled;
pub mod segregate;
pub mod tagged;
pub mod thread_cached;
pub mod traced;
pub mod tracked;

pub use counted::{Counted, Counts};
pub use damage::{Damage, DamageHook, DamageKind, set_damage_hook};
pub use fallback::{ChainError, Fallback, FallbackChain, LinkFailure};
pub use guarded::Guarded;
pub use locked::{Locked, RawLock, SpinLock};
pub use sampled::{Sample, SampleCounts, SampleObserver, Sampled};
pub use segregate::Segregate;
pub use tagged::{Budget, TagHandle, TagScope, TagUsage, Tagged};
pub use thread_cached::{CacheHandle, CacheLimits, ThreadCached};
pub use traced::{Event, Record, Ring, TraceSink, Traced};
pub use tracked::{Here, LiveBlock, Tracked};
