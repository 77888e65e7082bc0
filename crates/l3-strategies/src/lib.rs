//! Allocation strategies behind one contract.
#![no_std]

pub mod buddy;
mod misuse;
// Under loom its static cannot be made; it has no protocol of its own to model.
#[cfg(all(target_os = "linux", not(loom)))]
pub mod system;
pub mod tlsf;

pub use misuse::{Misuse, MisuseHook, MisuseKind, set_misuse_hook};
