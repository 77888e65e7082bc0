//! Names of the BSDs and of macOS that ported programs expect from a replaced allocator.
//!
//! The contract of the `unsafe` functions is that of [`crate::malloc`].

use crate::errno;
use crate::malloc::{free, malloc_usable_size, realloc};
use stratalloc_heap as heap;

/// FreeBSD: `realloc` that frees the old block when it fails. Size 0 has freed it already.
#[unsafe(no_mangle)]
unsafe extern "C" fn reallocf(ptr: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: contract of this module.
    let block = unsafe { realloc(ptr, size) };
    if block.is_null() && size != 0 {
        // SAFETY: `realloc` failed, so the old block still lives (or is null).
        unsafe { free(ptr) };
    }
    block
}

/// NetBSD: resizes the block that `*place` points to; returns the error and leaves `errno` alone. A size of zero frees
/// the block and leaves null.
#[unsafe(no_mangle)]
unsafe extern "C" fn reallocarr(place: *mut *mut u8, count: usize, size: usize) -> i32 {
    let Some(bytes) = count.checked_mul(size) else {
        return errno::EOVERFLOW;
    };
    errno::keeping(|| {
        // SAFETY: NetBSD's contract: `place` points to a block or to null (perhaps unaligned: it is a `void *` there).
        let old = unsafe { place.read_unaligned() };
        let mut new = core::ptr::null_mut();
        if bytes == 0 {
            // SAFETY: contract of this module.
            unsafe { free(old) };
        } else {
            // SAFETY: contract of this module.
            new = unsafe { realloc(old, bytes) };
            if new.is_null() {
                return errno::ENOMEM;
            }
        }
        // SAFETY: as for the read.
        unsafe { place.write_unaligned(new) };
        0
    })
}

/// macOS: `malloc_usable_size`.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_size(ptr: *mut u8) -> usize {
    // SAFETY: contract of this module.
    unsafe { malloc_usable_size(ptr) }
}

/// macOS: the usable size that a request of `size` bytes would get.
#[unsafe(no_mangle)]
extern "C" fn malloc_good_size(size: usize) -> usize {
    heap::good_size(size)
}

/// Release of a `valloc` block under its name of old SunOS.
#[unsafe(no_mangle)]
unsafe extern "C" fn vfree(ptr: *mut u8) {
    // SAFETY: contract of this module.
    unsafe { free(ptr) }
}
