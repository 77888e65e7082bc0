//! Aligned requests, each with its own rules for a bad alignment.
//!
//! | function | alignment that is not a power of two | alignment 0 | too large |
//! | --- | --- | --- | --- |
//! | `posix_memalign` | `EINVAL` returned (also if not a multiple of 8) | `EINVAL` | `ENOMEM` returned |
//! | `memalign`, `aligned_alloc` | rounded up to one, as glibc 2.36 does | as `malloc` | null, `EINVAL` above 2^63 |
//!
//! `aligned_alloc` accepts a size that is not a multiple of the alignment (C17 made that valid).

use crate::errno;
use crate::malloc::or_out_of_memory;
use stratalloc_heap as heap;
use stratalloc_platform::page;

/// Every block has at least this alignment.
const MALLOC_ALIGNMENT: usize = 16;

/// A block aligned to `alignment`, rounded up to a power of two if it is none.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn memalign(alignment: usize, size: usize) -> *mut u8 {
    if alignment <= MALLOC_ALIGNMENT {
        return or_out_of_memory(heap::allocate(size));
    }
    let Some(alignment) = alignment.checked_next_power_of_two() else {
        errno::set(errno::EINVAL);
        return core::ptr::null_mut();
    };
    or_out_of_memory(heap::allocate_aligned(size, alignment))
}

/// C11: as [`memalign`], like glibc before 2.38.
#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut u8 {
    memalign(alignment, size)
}

/// POSIX: the error is returned; `errno` stays, and so does `*out` unless there is a block.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn posix_memalign(out: *mut *mut u8, alignment: usize, size: usize) -> i32 {
    if !alignment.is_power_of_two() || alignment < size_of::<*mut u8>() {
        return errno::EINVAL;
    }
    // The heap's attempts may leave an `errno` behind when they all fail.
    let block = if alignment <= MALLOC_ALIGNMENT {
        heap::allocate(size)
    } else {
        heap::allocate_aligned(size, alignment)
    };
    if block.is_null() {
        return errno::ENOMEM;
    }
    // SAFETY: POSIX: the caller passes a valid place for the pointer.
    unsafe { out.write(block) };
    0
}

/// A block aligned to the page.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn valloc(size: usize) -> *mut u8 {
    or_out_of_memory(heap::allocate_aligned(size, page::size()))
}

/// Whole pages: the size is rounded up, zero gives one page.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn pvalloc(size: usize) -> *mut u8 {
    let page = page::size();
    match size.max(1).checked_next_multiple_of(page) {
        Some(bytes) => or_out_of_memory(heap::allocate_aligned(bytes, page)),
        None => errno::out_of_memory(),
    }
}
