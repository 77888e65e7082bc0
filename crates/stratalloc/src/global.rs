//! The global allocator.

use core::alloc::{GlobalAlloc, Layout};

/// The process heap as Rust's global allocator.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: stratalloc::Stratalloc = stratalloc::Stratalloc;
///
/// let numbers: Vec<u32> = (0..1000).collect();
/// assert_eq!(numbers.len(), 1000);
/// ```
///
/// Constant, usable before `main`, in thread-local destructors and after `exit` handlers. For sizes known at compile time the size
/// class is a constant and the fast path is inlined into the caller. Thread-safe; O(1); out of memory is null, which Rust's
/// collections report through `alloc_error`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stratalloc;

// SAFETY: blocks fit their layout and stay until they are released (the heap's invariants); nothing unwinds or calls back.
unsafe impl GlobalAlloc for Stratalloc {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        stratalloc_heap::allocate_aligned(layout.size(), layout.align())
    }

    #[inline(always)]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller frees a block of this heap with the layout that it was requested with.
        unsafe { stratalloc_heap::deallocate_sized(ptr, layout.size(), layout.align()) };
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        stratalloc_heap::allocate_aligned_zeroed(layout.size(), layout.align())
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the block is one of this heap's with this layout, and the new size is not 0 (caller).
        unsafe { stratalloc_heap::reallocate_sized(ptr, layout.size(), new_size, layout.align()) }
    }
}
