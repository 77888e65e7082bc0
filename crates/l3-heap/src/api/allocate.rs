//! Requests: from the bin of their class, else by the slow path of their domain.

use core::ptr;

use super::{MIN_ALIGN, SIZE_MAX};
use crate::layout::{DOMAIN_ALIGN_MAX, MEDIUM_MAX, SLAB_MAX, SMALL_MAX};
use crate::small::thread_heap::current;
use crate::small::{class, run};
use crate::{medium, os, region, small, value};

/// A block of at least `size` bytes, aligned to 16; null when memory is out. A request of 0 bytes gets the smallest block.
///
/// O(1). Any thread, also before `main`, in thread-local destructors and in a child of `fork`; a signal handler may call
/// it unless it interrupted the fast half of this function itself.
///
/// ```
/// use stratalloc_heap::{allocate, allocate_zeroed, deallocate, owns, reallocate, usable_size};
///
/// let block = allocate(100);
/// assert!(!block.is_null() && block.addr() % 16 == 0 && owns(block));
/// // SAFETY: live, and at least 100 bytes long.
/// unsafe { block.write_bytes(7, 100) };
/// // SAFETY: live.
/// assert!(unsafe { usable_size(block) } >= 100);
/// // SAFETY: live; `block` is not used any more.
/// let longer = unsafe { reallocate(block, 100_000) };
/// // SAFETY: live; the contents came along.
/// assert_eq!(unsafe { longer.add(99).read() }, 7);
///
/// let zeros = allocate_zeroed(1 << 20);
/// // SAFETY: live, a MiB long.
/// assert_eq!(unsafe { zeros.add((1 << 20) - 1).read() }, 0);
/// for block in [longer, zeros] {
///     // SAFETY: live; not used any more.
///     unsafe { deallocate(block) };
/// }
/// ```
#[inline(always)]
#[must_use]
pub fn allocate(size: usize) -> *mut u8 {
    let block = allocate_fast(size);
    if block.is_null() { allocate_middle(size) } else { block }
}

/// The fast half of [`allocate`]: null when the request is above 1 KiB or its bin is empty. For callers with a slow path of
/// their own, which must end in [`allocate`].
///
/// ```
/// use stratalloc_heap::{allocate, allocate_fast, deallocate};
///
/// let block = match allocate_fast(24) {
///     none if none.is_null() => allocate(24), // the bin is empty
///     block => block,
/// };
/// assert!(!block.is_null());
/// assert!(allocate_fast(2000).is_null(), "never above 1 KiB");
/// // SAFETY: live; not used any more.
/// unsafe { deallocate(block) };
/// ```
#[inline(always)]
#[must_use]
pub fn allocate_fast(size: usize) -> *mut u8 {
    if size > class::FINE_MAX {
        return ptr::null_mut();
    }
    current().pop(class::of_fine(size)).cast()
}

/// Above 1 KiB the class comes from a table; and here arrives whoever found an empty bin.
#[inline(never)]
fn allocate_middle(size: usize) -> *mut u8 {
    if size <= SLAB_MAX {
        let class = class::of(size);
        let block = current().pop_any(class);
        if !block.is_null() {
            return block.cast();
        }
        return allocate_slow(0, class, MIN_ALIGN, false);
    }
    allocate_large(0, size, MIN_ALIGN, false)
}

/// An empty bin.
#[cold]
#[inline(never)]
fn allocate_slow(family: u32, class: usize, align: usize, zeroed: bool) -> *mut u8 {
    let taken = if family == 0 { small::take(class, align) } else { value::take(family, class, align) };
    let Some((block, zero)) = taken else {
        crate::usage::SLABS.failed();
        return ptr::null_mut();
    };
    if zeroed {
        let size = class::facts(class).size as usize;
        // A block that was never used holds nothing but a link in its first word.
        let len = if zero { size_of::<usize>() } else { size };
        // SAFETY: the block is ours and has `size` bytes.
        unsafe { block.write_bytes(0, len) };
    }
    block
}

/// More than a slab serves.
#[cold]
#[inline(never)]
fn allocate_large(family: u32, size: usize, align: usize, zeroed: bool) -> *mut u8 {
    if align > SIZE_MAX || size > SIZE_MAX - align || !region::ready() {
        return ptr::null_mut();
    }
    if align > DOMAIN_ALIGN_MAX || size > MEDIUM_MAX {
        return os::allocate(family, size, align).unwrap_or(ptr::null_mut());
    }
    let found =
        if size <= SMALL_MAX { run::allocate(family, size, align) } else { medium::allocate(family, size) };
    let Some((block, zero)) = found else { return ptr::null_mut() };
    if zeroed && !zero {
        if size <= SMALL_MAX {
            // SAFETY: the run is ours and has at least `size` bytes.
            unsafe { block.write_bytes(0, size) };
        } else if let Some(offset) = region::offset_of(block) {
            medium::zero(offset, size);
        }
    }
    block
}

/// Like [`allocate`], and every byte of the request reads as zero. Pages known to be zero are not touched. See [`allocate`] for an example.
#[inline]
#[must_use]
pub fn allocate_zeroed(size: usize) -> *mut u8 {
    if size <= SLAB_MAX {
        let class = class::of(size);
        let block = current().pop_any(class).cast::<u8>();
        if !block.is_null() {
            // SAFETY: the block is ours and has at least `size` bytes.
            unsafe { block.write_bytes(0, size) };
            return block;
        }
        return allocate_slow(0, class, MIN_ALIGN, true);
    }
    allocate_large(0, size, MIN_ALIGN, true)
}

/// A block of at least `size` bytes whose address is a multiple of `align`, a power of two. Null when memory is out.
///
/// ```
/// use stratalloc_heap::{allocate_aligned, allocate_aligned_zeroed, deallocate_sized, reallocate_aligned};
///
/// let block = allocate_aligned(100, 4096);
/// assert_eq!(block.addr() % 4096, 0);
/// // SAFETY: live, of this alignment; `block` is not used any more.
/// let longer = unsafe { reallocate_aligned(block, 10_000, 4096) };
/// assert_eq!(longer.addr() % 4096, 0);
/// // SAFETY: live, with this size and alignment; not used any more.
/// unsafe { deallocate_sized(longer, 10_000, 4096) };
///
/// let zeros = allocate_aligned_zeroed(64, 64);
/// // SAFETY: live, and 64 bytes long.
/// assert_eq!(unsafe { zeros.cast::<[u8; 64]>().read() }, [0; 64]);
/// // SAFETY: as above.
/// unsafe { deallocate_sized(zeros, 64, 64) };
/// ```
#[inline]
#[must_use]
pub fn allocate_aligned(size: usize, align: usize) -> *mut u8 {
    if align <= MIN_ALIGN { allocate(size) } else { allocate_for(0, size, align, false) }
}

/// Like [`allocate_aligned`], and every byte of the request reads as zero. See [`allocate_aligned`] for an example.
#[inline]
#[must_use]
pub fn allocate_aligned_zeroed(size: usize, align: usize) -> *mut u8 {
    if align <= MIN_ALIGN { allocate_zeroed(size) } else { allocate_for(0, size, align, true) }
}

/// Serves any request for a family.
pub(crate) fn allocate_for(family: u32, size: usize, align: usize, zeroed: bool) -> *mut u8 {
    // Classes with slabs of their own are aligned as far as their size is: round the size up, then look for a class that is a multiple.
    if align <= SLAB_MAX && size <= SLAB_MAX {
        let class = if align <= MIN_ALIGN { class::of(size) } else { class::of_aligned(size, align) };
        if family == 0 && (align <= class::UNIT || !class::is_mixed(class)) {
            let block = current().pop_any(class).cast::<u8>();
            if !block.is_null() {
                if zeroed {
                    // SAFETY: the block is ours and has at least `size` bytes.
                    unsafe { block.write_bytes(0, size) };
                }
                return block;
            }
        }
        return allocate_slow(family, class, align, zeroed);
    }
    allocate_large(family, size.max(1), align, zeroed)
}
