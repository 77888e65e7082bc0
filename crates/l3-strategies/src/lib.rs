//! Allocation strategies behind one contract.
#![no_std]

pub mod tlsf;

mod fixed;
pub mod frame;
mod misuse;
mod room;
pub mod stack;

pub use fixed::Fixed;
pub use misuse::{Misuse, MisuseHook, MisuseKind, set_misuse_hook};
