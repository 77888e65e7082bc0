//! Allocation strategies behind one contract, over memory of the caller's or growing from another resource.
//!
//! # Layer card
//!
//! | | |
//! | --- | --- |
//! | layer | 3 |
//! | may use | `stratalloc-primitives`, `stratalloc-platform` (where there is one), `stratalloc-resource`, `core` |
//! | used by | programs, the façade |
//! | never does | make a system call outside of [`system`], call the global allocator, end a program over a mistake without a [`Misuse`] that names it |
//!
//! | module | strategy | allocate, release | threads | choose it for |
//! | --- | --- | --- | --- | --- |
//! | [`frame`] | linear: a pointer that moves | O(1), all at once | one | what ends together: a frame, a request, a parse |
//! | [`stack`] | last in, first out | O(1), O(1) | one | nested temporaries of any size |
//! | [`pool`] | blocks of one size | O(1), O(1) | one allocates, any releases | messages, nodes, tasks |
//! | [`lock_free_pool`] | blocks of one size | O(1) without contention | any | the same, made anywhere |
//! | [`mem_pool`] | powers of two, and whole pages | O(1), O(1); large: upstream's | one | small blocks of few sizes beside some large ones |
//! | [`slab`] | blocks of one size in slabs; objects that stay constructed | O(1), O(1) | one | many at one time and few at another; objects costly to make |
//! | [`tlsf`] | two-level segregated fit | O(1), O(1) | one | any sizes under a bound on time |
//! | [`buddy`] | halves of powers of two | O(log n), O(log n) | one | large blocks of powers of two, aligned to their size |
//! | [`system`] | pages of the operating system | a system call | any | the end of a chain |
//!
//! [The guide](../../../docs/guide.md) helps to choose, with what each costs beside its peers. `Locked` of the modifiers makes any of them one for many threads; `Fallback` and `Segregate` compose them.
#![no_std]

#[cfg(all(test, loom))]
extern crate alloc;

pub mod buddy;
pub mod frame;
#[cfg(target_has_atomic = "64")]
pub mod lock_free_pool;
pub mod mem_pool;
pub mod pool;
pub mod slab;
pub mod stack;
// Under loom its static cannot be made; it has no protocol of its own to model.
#[cfg(all(target_os = "linux", not(loom)))]
pub mod system;
pub mod tlsf;

mod fixed;
mod misuse;
#[cfg(all(test, loom))]
mod models;
mod room;

pub use fixed::Fixed;
pub use misuse::{Misuse, MisuseHook, MisuseKind, set_misuse_hook};
