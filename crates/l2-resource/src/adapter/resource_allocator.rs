//! Any resource as a `GlobalAlloc`.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;

use crate::{Alignment, MemoryBlock, MemoryResource};

/// The global allocator that draws from a resource.
///
/// The real size of a block is not passed on: `GlobalAlloc` has no place for it, and Fit lets the block come back
/// with the requested one. Which error it was is lost too; the caller sees null.
///
/// Cost: that of the resource.
///
/// ```
/// use std::alloc::{GlobalAlloc, Layout, System};
/// use stratalloc_resource::{FromGlobal, MemoryResource, ResourceAllocator};
///
/// static ALLOCATOR: ResourceAllocator<FromGlobal<'static, System>> =
///     ResourceAllocator::new(FromGlobal::new(&System));
///
/// let layout = Layout::new::<[u64; 4]>();
/// // SAFETY: the layout has a size, and the block is released once, with the same layout.
/// let start = unsafe { ALLOCATOR.alloc(layout) };
/// assert!(!start.is_null());
/// // SAFETY: as above.
/// unsafe { ALLOCATOR.dealloc(start, layout) };
/// assert_eq!(ALLOCATOR.resource().info().name, "global");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ResourceAllocator<R> {
    resource: R,
}

impl<R: MemoryResource> ResourceAllocator<R> {
    /// The allocator over `resource`. See [`ResourceAllocator`] for an example.
    #[must_use]
    pub const fn new(resource: R) -> Self {
        Self { resource }
    }

    /// What it draws from. See [`ResourceAllocator`] for an example.
    #[must_use]
    pub const fn resource(&self) -> &R {
        &self.resource
    }
}

/// The block that a pointer and its layout stand for; `None` for null, which no caller may pass.
fn block_of(start: *mut u8, size: usize) -> Option<MemoryBlock> {
    ptr::NonNull::new(start).map(|start| MemoryBlock::new(start, size))
}

// SAFETY: a resource keeps all that `GlobalAlloc` asks for: it never unwinds, its blocks fit their layout, and every
// failure is an error value, which becomes null.
unsafe impl<R: MemoryResource> GlobalAlloc for ResourceAllocator<R> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.resource.allocate(layout).map_or(ptr::null_mut(), MemoryBlock::as_ptr)
    }

    #[inline]
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if let Some(block) = block_of(start, layout.size()) {
            // SAFETY:
            // * a live block of this resource: this function's contract;
            // * the requested size and alignment fit: Fit.
            unsafe { self.resource.deallocate(block, Alignment::from_layout(layout)) };
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.resource.allocate_zeroed(layout).map_or(ptr::null_mut(), MemoryBlock::as_ptr)
    }

    #[inline]
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some(block) = block_of(start, layout.size()) else {
            return ptr::null_mut();
        };
        // SAFETY: as in `dealloc`; on failure the block stays live, as `GlobalAlloc` wants it.
        let moved = unsafe { self.resource.reallocate(block, new_size, Alignment::from_layout(layout)) };
        moved.map_or(ptr::null_mut(), MemoryBlock::as_ptr)
    }
}
