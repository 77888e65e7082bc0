//! The handle as an `Allocator` of `core` and of the crate `allocator-api2`, the traits that collections are written against.
//!
//! ```text
//!   core::alloc ─────────┐                       size 0: no request, an aligned address
//!   allocator-api2 0.2 ──┼─ implement_for! ─► served, resized, released ─► MemoryResource
//!   allocator-api2 0.4 ──┘                       alignment: the larger of handle's and layout's
//! ```
//!
//! Whether the compiler has the trait of `core`, and in the form that is implemented here, the build script finds out by compiling
//! `core_allocator.rs`: without asking once it is stable, with the feature `nightly` before.
//!
//! The trait and the contract of resources agree on what fits a block: the alignment of its request and any length from the requested
//! one to the returned one. Two things differ, and are settled here. A block without bytes is nobody's. And `grow` and `shrink` may
//! change the alignment, which `reallocate` keeps: such blocks move.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::Allocator;
use crate::{Alignment, AllocError, MemoryBlock, MemoryResource};

impl<R: MemoryResource, P> Allocator<R, P> {
    /// A block for `layout`, by the resource's `allocate` or `allocate_zeroed`.
    #[inline]
    fn served(
        &self,
        layout: Layout,
        by: impl FnOnce(&R, Layout) -> Result<MemoryBlock, AllocError>,
    ) -> Result<MemoryBlock, AllocError> {
        let layout = self.raise(layout).map_err(|refusal| refusal.error)?;
        if layout.size() == 0 {
            return Ok(MemoryBlock::empty(Alignment::from_layout(layout)));
        }
        by(&self.resource, layout)
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// `layout` fits the block at `start`, which is this handle's or a clone's, and nobody uses it any more.
    #[inline]
    unsafe fn released(&self, start: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            // What the request was raised to. That it could be was checked then.
            let align = Alignment::from_layout(layout).max(self.alignment);
            let block = MemoryBlock::new(start, layout.size());
            // SAFETY: live, not used any more, and length and alignment fit: this function's contract.
            unsafe { self.resource.deallocate(block, align) };
        }
    }

    /// Changes size and alignment of a block, in place where the resource can; on failure it is untouched.
    ///
    /// # Safety
    ///
    /// As for [`released`](Self::released), except that on failure the block may still be in use.
    #[inline]
    unsafe fn resized(
        &self,
        start: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<MemoryBlock, AllocError> {
        let from = self.raise(old).map_err(|refusal| refusal.error)?;
        let to = self.raise(new).map_err(|refusal| refusal.error)?;
        if from.align() != to.align() || from.size() == 0 || to.size() == 0 {
            // SAFETY: this function's contract.
            return unsafe { self.moved(start, from, to) };
        }
        let block = MemoryBlock::new(start, from.size());
        // SAFETY: live, and the alignment and length fit: this function's contract.
        unsafe { self.resource.reallocate(block, to.size(), Alignment::from_layout(to)) }
    }

    /// Changes size and alignment of a block by a new one and a copy. Both layouts are [raised](Self::raise).
    ///
    /// # Safety
    ///
    /// As for [`resized`](Self::resized).
    #[cold]
    unsafe fn moved(&self, start: NonNull<u8>, from: Layout, to: Layout) -> Result<MemoryBlock, AllocError> {
        let block = self.served(to, R::allocate)?;
        let kept = from.size().min(to.size());
        // SAFETY:
        // * the source is valid for reads of `kept <= from.size()` bytes: this function's contract;
        // * the destination is valid for writes of `kept <= to.size()` bytes: Fit;
        // * they do not overlap: both are live, Disjoint.
        unsafe { block.as_ptr().copy_from_nonoverlapping(start.as_ptr(), kept) };
        // SAFETY: this function's contract; the caller lost the block when this succeeds.
        unsafe { self.give_back(start, from) };
        Ok(block)
    }

    /// [`resized`](Self::resized) to at least as many bytes, those beyond the old layout's zero.
    ///
    /// # Safety
    ///
    /// As for [`resized`](Self::resized), and `new` is not smaller than `old`.
    #[inline]
    unsafe fn grown_zeroed(
        &self,
        start: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<MemoryBlock, AllocError> {
        if old.size() == 0 {
            // There is nothing to keep or to release, and the resource may know that its memory is zero.
            return self.served(new, R::allocate_zeroed);
        }
        // SAFETY: this function's contract.
        let block = unsafe { self.resized(start, old, new) }?;
        if let Some((_, fresh)) = block.split_at(old.size()) {
            // SAFETY: the bytes from `old.size()` to the block's real end are the caller's: Fit.
            unsafe { fresh.as_ptr().write_bytes(0, fresh.len()) };
        }
        Ok(block)
    }
}

/// Implements the trait of one crate; they differ in their paths only.
macro_rules! implement_for {
    ($api:ident, $condition:meta) => {
        // SAFETY:
        // * blocks are valid until the handle and its clones are dropped: Stable, and Identity for clones; `reset` and the like need
        //   the resource exclusively or are `unsafe`, and the handle lends it shared only;
        // * a clone has an equal resource (Identity) and the same alignment, so it may release: Equality;
        // * moving the handle moves no block: Stable;
        // * every byte to the returned length is the caller's, and nothing unwinds: Fit, Errors.
        #[cfg($condition)]
        unsafe impl<R: MemoryResource, P> $api::alloc::Allocator for Allocator<R, P> {
            #[inline]
            fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                let block = self.served(layout, R::allocate);
                block.map(MemoryBlock::as_slice_ptr).map_err(|_| $api::alloc::AllocError)
            }

            #[inline]
            fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                let block = self.served(layout, R::allocate_zeroed);
                block.map(MemoryBlock::as_slice_ptr).map_err(|_| $api::alloc::AllocError)
            }

            #[inline]
            unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
                // SAFETY: this function's contract.
                unsafe { self.released(start, layout) };
            }

            #[inline]
            unsafe fn grow(
                &self,
                start: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                // SAFETY: this function's contract.
                let block = unsafe { self.resized(start, old, new) };
                block.map(MemoryBlock::as_slice_ptr).map_err(|_| $api::alloc::AllocError)
            }

            #[inline]
            unsafe fn grow_zeroed(
                &self,
                start: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                // SAFETY: this function's contract.
                let block = unsafe { self.grown_zeroed(start, old, new) };
                block.map(MemoryBlock::as_slice_ptr).map_err(|_| $api::alloc::AllocError)
            }

            #[inline]
            unsafe fn shrink(
                &self,
                start: NonNull<u8>,
                old: Layout,
                new: Layout,
            ) -> Result<NonNull<[u8]>, $api::alloc::AllocError> {
                // SAFETY: this function's contract.
                let block = unsafe { self.resized(start, old, new) };
                block.map(MemoryBlock::as_slice_ptr).map_err(|_| $api::alloc::AllocError)
            }
        }
    };
}

implement_for!(core, core_allocator);
implement_for!(allocator_api2, feature = "allocator-api2");
implement_for!(allocator_api2_04, feature = "allocator-api2-04");
