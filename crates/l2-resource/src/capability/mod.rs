//! What only some resources can do, one trait each.
//!
//! A trait of its own keeps [`MemoryResource`](crate::MemoryResource) small enough to implement, and lets a
//! composition ask at compile time for what it relies on: a fallback needs [`Owns`] of its first resource, and says so.

mod collect;
mod owns;
mod validate;

pub use collect::Collect;
pub use owns::Owns;
pub use validate::{Validate, Violation};
