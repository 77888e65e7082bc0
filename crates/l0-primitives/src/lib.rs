//! Units, size classes and lock-free building blocks of stratalloc: layer 0.
//!
//! | layer card | |
//! | --- | --- |
//! | may use | `core` (and loom under `cfg(loom)`) |
//! | used by | every other crate of the project |
//! | never does | allocate, call the operating system, lock and wait, panic in release builds, unwind |
//!
//! ```text
//!   numbers      units ◄── alignment ◄── block          what a piece of memory is called
//!                bits                                   what is free in a word
//!   threads      primitive ◄── lockfree::{index_stack, mailbox, double_word ◄── tagged_stack}
//!                          ◄── process_lock
//! ```
//!
//! * [`units`]: binary units, rounding.
//! * [`alignment`]: a power of two by construction.
//! * [`block`]: where a block lies and how large it is.
//! * [`bits`]: runs of ones in a 64-bit word.
//! * [`primitive`]: atomics and cells, from `core` or from loom; chosen there only.
//! * [`lockfree`]: stacks and lists between threads.
//! * [`process_lock`]: a lock that is only tried, and survives `fork`.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod alignment;
pub mod bits;
pub mod block;
pub mod lockfree;
pub mod primitive;
pub mod process_lock;
pub mod units;

pub use alignment::Alignment;
pub use block::MemoryBlock;
pub use process_lock::ProcessLock;
