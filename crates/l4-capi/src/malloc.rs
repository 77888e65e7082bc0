//! `malloc`, `free` and their relatives in C, POSIX and C23.
//!
//! The heap returns null when it cannot serve; the only work left here is what C demands on top: `errno`, overflow of
//! products, and the two special cases of `realloc` in the sense of glibc (`realloc(p, 0)` frees and returns null).
//! Requests above `PTRDIFF_MAX` fail inside the heap's slow path, so no fast path tests for them.
//!
//! Contract of every `unsafe` function here: `ptr` is null, a live block of this heap, or foreign (see
//! [`crate::foreign`]); a released pointer is not used again.

use crate::{errno, foreign};
use stratalloc_heap as heap;

/// What every allocating function ends with: the block, or null and `ENOMEM`.
#[inline(always)]
pub(crate) fn or_out_of_memory(block: *mut u8) -> *mut u8 {
    if block.is_null() { errno::out_of_memory() } else { block }
}

/// A block of at least `size` bytes, aligned to 16; `malloc(0)` is a block of its own.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn malloc(size: usize) -> *mut u8 {
    let block = heap::allocate_fast(size);
    if block.is_null() { malloc_slow(size) } else { block }
}

/// An empty bin or a large request. A tail call: the fast half keeps no frame for `errno`'s sake.
#[cold]
#[inline(never)]
fn malloc_slow(size: usize) -> *mut u8 {
    or_out_of_memory(heap::allocate(size))
}

/// Releases a block; null is allowed, `errno` stays.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn free(ptr: *mut u8) {
    // SAFETY: contract of this module.
    unsafe { heap::deallocate(ptr) }
}

/// `count` cells of `size` bytes, all zero.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn calloc(count: usize, size: usize) -> *mut u8 {
    match count.checked_mul(size) {
        Some(bytes) => or_out_of_memory(heap::allocate_zeroed(bytes)),
        None => errno::out_of_memory(),
    }
}

/// Changes the size of a block, moving it if needed; null and the old block unharmed on failure.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn realloc(ptr: *mut u8, size: usize) -> *mut u8 {
    if ptr.is_null() {
        return malloc(size);
    }
    if size == 0 {
        // SAFETY: contract of this module.
        unsafe { heap::deallocate(ptr) };
        return core::ptr::null_mut();
    }
    // SAFETY: not null, size not zero; the rest is the contract of this module.
    let block = unsafe { heap::reallocate(ptr, size) };
    if block.is_null() {
        // SAFETY: nothing was released: the heap returns null only with the old block intact.
        return unsafe { realloc_failed(ptr, size) };
    }
    block
}

/// Why did the heap refuse: no memory, or a block that is not its own?
#[cold]
#[inline(never)]
unsafe fn realloc_failed(ptr: *mut u8, size: usize) -> *mut u8 {
    if heap::owns(ptr) {
        return errno::out_of_memory();
    }
    // SAFETY: contract of this module; `ptr` is not a block of the heap.
    or_out_of_memory(unsafe { foreign::reallocate(ptr, size) })
}

/// `realloc` to `count * size` bytes; an overflowing product is `ENOMEM`, a product of zero frees as in glibc.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn reallocarray(ptr: *mut u8, count: usize, size: usize) -> *mut u8 {
    match count.checked_mul(size) {
        // SAFETY: contract of this module.
        Some(bytes) => unsafe { realloc(ptr, bytes) },
        None => errno::out_of_memory(),
    }
}

/// Bytes that the caller may use of a block: 0 for null and for pointers of unknown origin.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn malloc_usable_size(ptr: *mut u8) -> usize {
    // SAFETY: contract of this module.
    let size = unsafe { heap::usable_size(ptr) };
    if size == 0 && !ptr.is_null() {
        // SAFETY: contract of this module; every block of the heap has a size, so this is not one.
        return unsafe { foreign::usable_size(ptr) };
    }
    size
}

/// `free` under its name of the 1980s.
#[unsafe(no_mangle)]
unsafe extern "C" fn cfree(ptr: *mut u8) {
    // SAFETY: contract of this module.
    unsafe { free(ptr) }
}

/// C23: `free` with the size that was asked for. The size is not trusted: programs pass wrong ones.
#[unsafe(no_mangle)]
unsafe extern "C" fn free_sized(ptr: *mut u8, _size: usize) {
    // SAFETY: contract of this module.
    unsafe { free(ptr) }
}

/// C23: `free` with alignment and size, neither trusted.
#[unsafe(no_mangle)]
unsafe extern "C" fn free_aligned_sized(ptr: *mut u8, _alignment: usize, _size: usize) {
    // SAFETY: contract of this module.
    unsafe { free(ptr) }
}
