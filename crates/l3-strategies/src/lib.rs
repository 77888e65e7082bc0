//! Allocation strategies behind one contract.
#![no_std]

#[cfg(all(test, loom))]
extern crate alloc;

pub mod tlsf;

mod fixed;
pub mod frame;
#[cfg(target_has_atomic = "64")]
pub mod lock_free_pool;
mod misuse;
#[cfg(all(test, loom))]
mod models;
pub mod pool;
mod room;
pub mod stack;

pub use fixed::Fixed;
pub use misuse::{Misuse, MisuseHook, MisuseKind, set_misuse_hook};
