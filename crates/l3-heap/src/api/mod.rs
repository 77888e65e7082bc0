//! The entry points: fast halves, and the routing of everything else to its domain.
//!
//! [`mod@allocate`], [`release`], [`resize`]; [`block`] answers what is known of an address.

mod allocate;
mod block;
mod release;
mod resize;

use crate::{os, purge, region, small};

pub use allocate::{allocate, allocate_aligned, allocate_aligned_zeroed, allocate_fast, allocate_zeroed};
pub use block::{good_size, owns, usable_size};
pub use release::{deallocate, deallocate_sized, set_foreign_hook};
pub use resize::{reallocate, reallocate_aligned, reallocate_sized};

pub(crate) use allocate::allocate_for;
pub(crate) use block::family_of;
pub(crate) use resize::reallocate_for;

/// Largest size that a request may have, in bytes.
const SIZE_MAX: usize = isize::MAX as usize;
/// Alignment of every block.
const MIN_ALIGN: usize = 16;

/// Gives all empty memory back to the system now: what this thread caches, what exited threads left, what is free in the region.
/// Returns the bytes given back. Other running threads keep what they cache.
///
/// ```
/// let peak: Vec<Vec<u8>> = (0..100).map(|_| vec![1; 100_000]).collect();
/// drop(peak);
/// // Where this heap is the global allocator, some 10 MB go back; elsewhere there is nothing to give.
/// println!("{} bytes given back", stratalloc_heap::collect());
/// ```
pub fn collect() -> usize {
    small::collect();
    region::merge_all();
    os::retry_parked();
    let purged = purge::all();
    region::merge_all();
    purged
}
