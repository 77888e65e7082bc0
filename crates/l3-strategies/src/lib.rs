//! Allocation strategies behind one contract, over memory of the caller's or growing from another resource.
//!
//! # Layer card
//!
//! | | |
//! | --- | --- |
//! | layer | 3 |
//! | may use | `stratalloc-primitives`, `stratalloc-platform` (where there is one), `stratalloc-resource`, `core` |
//! | used by | programs, the façade |
//! | never does | make a system call outside of [`system`], [`reserved`], [`fiber_stacks`], [`partition`], [`huge_page`], [`shared_region`] and [`node_pages`] (three of which share `reservation`), call the global allocator, end a program over a mistake without a [`Misuse`] that names it |
//!
//! | module | strategy | allocate, release | threads | choose it for |
//! | --- | --- | --- | --- | --- |
//! | [`frame`] | linear: a pointer that moves | O(1), all at once | one | what ends together: a frame, a request, a parse |
//! | [`stack`] | last in, first out | O(1), O(1) | one | nested temporaries of any size |
//! | [`pool`] | blocks of one size | O(1), O(1) | one allocates, any releases | messages, nodes, tasks |
//! | [`lock_free_pool`] | blocks of one size | O(1) without contention | any | the same, made anywhere |
//! | [`mem_pool`] | powers of two, and whole pages | O(1), O(1) without contention; large: upstream's | any | small blocks of few sizes beside some large ones |
//! | [`slab`] | blocks of one size in slabs; objects that stay constructed | O(1), O(1) | one | many at one time and few at another; objects costly to make |
//! | [`compacting_pool`] | values that move, by handles | O(1), O(1) | one changes | mixed lifetimes, and memory has to go back |
//! | [`tlsf`] | two-level segregated fit | O(1), O(1) | one | any sizes under a bound on time |
//! | [`buddy`] | halves of powers of two | O(log n), O(log n) | one | large blocks of powers of two, aligned to their size |
//! | [`reserved`] | addresses reserved at once, committed as needed, between guard pages | O(1), all at once | one | what a large frame grows in |
//! | [`fiber_stacks`] | guarded stacks, cached per thread | O(1), O(1) | any | fibers and coroutines |
//! | [`huge_page`] | linear, in huge pages as far as there are any | O(1), all at once | one | large tables touched in no order |
//! | [`partition`] | an address range for itself, TLSF or slabs inside | theirs | one | types and subsystems whose freed memory nobody else may get |
//! | [`shared_region`] | blocks in memory that processes share | O(1) under a lock that survives its owner | any, of any process | messages between processes, one of which may crash |
//! | [`replicated`] | a copy per memory node | wait-free reads; a copy per node to write | any | tables that all read and few replace |
//! | [`node_pages`] | pages of a memory node | two system calls | any | what shall lie near one thread or one node |
//! | [`system`] | pages of the operating system | a system call | any | the end of a chain |
//!
//! Those over the system are there on Linux and, but for [`shared_region`], on Windows.
//!
//! [The guide](../../../docs/guide.md) helps to choose, with what each costs beside its peers. `Locked` of the modifiers makes any of them one for many threads; `Fallback` and `Segregate` compose them.
#![no_std]

#[cfg(all(test, loom))]
extern crate alloc;

pub mod buddy;
pub mod compacting_pool;
// As `system`; its list between threads has its models below.
#[cfg(all(any(target_os = "linux", windows), target_has_atomic = "64", not(loom)))]
pub mod fiber_stacks;
pub mod frame;
// As `system` below.
#[cfg(all(any(target_os = "linux", windows), not(loom)))]
pub mod huge_page;
#[cfg(target_has_atomic = "64")]
pub mod lock_free_pool;
#[cfg(target_has_atomic = "64")]
pub mod mem_pool;
#[cfg(all(any(target_os = "linux", windows), not(loom)))]
pub mod node_pages;
// As `system` below.
#[cfg(all(any(target_os = "linux", windows), not(loom)))]
pub mod partition;
pub mod pool;
#[cfg(target_has_atomic = "64")]
pub mod replicated;
#[cfg(any(target_os = "linux", windows))]
pub mod reserved;
// Windows has no memory that is named by a descriptor.
#[cfg(target_os = "linux")]
pub mod shared_region;
pub mod slab;
pub mod stack;
// Under loom its static cannot be made; it has no protocol of its own to model.
#[cfg(all(any(target_os = "linux", windows), not(loom)))]
pub mod system;
pub mod tlsf;

mod fixed;
mod misuse;
#[cfg(all(test, loom))]
mod models;
mod one_size;
#[cfg(any(target_os = "linux", windows))]
mod reservation;
mod room;

pub use fixed::Fixed;
pub use misuse::{Inspect, Misuse, MisuseHook, MisuseKind, set_misuse_hook};
