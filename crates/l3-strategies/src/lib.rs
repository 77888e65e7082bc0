//! Allocation strategies behind one contract.
#![no_std]

pub mod buddy;
mod misuse;
pub mod tlsf;

pub use misuse::{Misuse, MisuseHook, MisuseKind, set_misuse_hook};
