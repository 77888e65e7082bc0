//! What the build script compiles to find out whether this compiler has `core::alloc::Allocator` in the form that `standard.rs`
//! implements. Not a part of the crate.

#![no_std]
#![cfg_attr(unstable, feature(allocator_api))]

use core::alloc::{AllocError, Allocator, Layout};
use core::ptr::NonNull;

/// Refuses everything.
pub struct Nothing;

// SAFETY: there is no block.
unsafe impl Allocator for Nothing {
    fn allocate(&self, _: Layout) -> Result<NonNull<[u8]>, AllocError> {
        Err(AllocError)
    }

    fn allocate_zeroed(&self, _: Layout) -> Result<NonNull<[u8]>, AllocError> {
        Err(AllocError)
    }

    unsafe fn deallocate(&self, _: NonNull<u8>, _: Layout) {}

    unsafe fn grow(&self, _: NonNull<u8>, _: Layout, _: Layout) -> Result<NonNull<[u8]>, AllocError> {
        Err(AllocError)
    }

    unsafe fn grow_zeroed(&self, _: NonNull<u8>, _: Layout, _: Layout) -> Result<NonNull<[u8]>, AllocError> {
        Err(AllocError)
    }

    unsafe fn shrink(&self, _: NonNull<u8>, _: Layout, _: Layout) -> Result<NonNull<[u8]>, AllocError> {
        Err(AllocError)
    }
}
