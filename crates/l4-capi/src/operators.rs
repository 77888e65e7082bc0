//! The C++ operators: 8 `new`, 12 `delete`, under their Itanium names.
//!
//! Exported beside `malloc` because the way through libstdc++'s own operators costs 2–3 % of an allocating program.
//! Sized forms of `delete` do not trust the size: mismatches exist in real programs, and the heap needs none.
//!
//! Contract of the `delete` forms: the pointer is null, or was returned by a `new` form and not deleted since.

use crate::malloc::free;
use crate::new_failed::{new_failed, nothrow_aligned_failed, nothrow_failed, thrower};
use core::mem::transmute;
use stratalloc_heap as heap;

/// Alignment of what the forms without `std::align_val_t` return.
const DEFAULT_NEW_ALIGNMENT: usize = 16;

/// The throwing form without alignment.
#[inline(always)]
fn new(size: usize) -> *mut u8 {
    let block = heap::allocate_fast(size);
    if block.is_null() { new_slow(size) } else { block }
}

/// An empty bin or a large request: a tail call, so that the fast half keeps no frame.
#[cold]
#[inline(never)]
fn new_slow(size: usize) -> *mut u8 {
    let block = heap::allocate(size);
    if block.is_null() {
        // SAFETY: the alignment is a power of two.
        return unsafe { new_failed(size, DEFAULT_NEW_ALIGNMENT) };
    }
    block
}

/// The throwing form with alignment; `bad_alloc` at once for an alignment that is not a power of two, like libstdc++.
#[inline(always)]
fn new_aligned(size: usize, align: usize) -> *mut u8 {
    if !align.is_power_of_two() {
        // SAFETY: `thrower` returns the address of a function without arguments that does not return.
        let throw = unsafe { transmute::<usize, extern "C" fn() -> *mut u8>(thrower()) };
        return throw();
    }
    let block = heap::allocate_aligned(size, align);
    if block.is_null() {
        // SAFETY: the alignment is a power of two.
        return unsafe { new_failed(size, align) };
    }
    block
}

/// The `nothrow` form without alignment.
#[inline(always)]
fn new_nothrow(size: usize, array: bool) -> *mut u8 {
    let block = heap::allocate_fast(size);
    if block.is_null() { new_nothrow_slow(size, array) } else { block }
}

/// As [`new_slow`].
#[cold]
#[inline(never)]
fn new_nothrow_slow(size: usize, array: bool) -> *mut u8 {
    let block = heap::allocate(size);
    if block.is_null() {
        // SAFETY: any size is allowed.
        return unsafe { nothrow_failed(size, array) };
    }
    block
}

/// The `nothrow` form with alignment.
#[inline(always)]
fn new_aligned_nothrow(size: usize, align: usize, array: bool) -> *mut u8 {
    if !align.is_power_of_two() {
        return core::ptr::null_mut();
    }
    let block = heap::allocate_aligned(size, align);
    if block.is_null() {
        // SAFETY: the alignment is a power of two.
        return unsafe { nothrow_aligned_failed(size, align, array) };
    }
    block
}

/// Exports `new` forms.
macro_rules! news {
    ($(#[$doc:meta] fn $name:ident($($argument:ident: $kind:ty),+) = $body:expr;)*) => {$(
        #[$doc]
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, reason = "Itanium names")]
        extern "C" fn $name($($argument: $kind),+) -> *mut u8 {
            $body
        }
    )*};
}

news! {
    /// `operator new(size_t)`
    fn _Znwm(size: usize) = new(size);
    /// `operator new[](size_t)`
    fn _Znam(size: usize) = new(size);
    /// `operator new(size_t, std::nothrow_t const&)`
    fn _ZnwmRKSt9nothrow_t(size: usize, _nothrow: *const u8) = new_nothrow(size, false);
    /// `operator new[](size_t, std::nothrow_t const&)`
    fn _ZnamRKSt9nothrow_t(size: usize, _nothrow: *const u8) = new_nothrow(size, true);
    /// `operator new(size_t, std::align_val_t)`
    fn _ZnwmSt11align_val_t(size: usize, align: usize) = new_aligned(size, align);
    /// `operator new[](size_t, std::align_val_t)`
    fn _ZnamSt11align_val_t(size: usize, align: usize) = new_aligned(size, align);
    /// `operator new(size_t, std::align_val_t, std::nothrow_t const&)`
    fn _ZnwmSt11align_val_tRKSt9nothrow_t(size: usize, align: usize, _nothrow: *const u8)
        = new_aligned_nothrow(size, align, false);
    /// `operator new[](size_t, std::align_val_t, std::nothrow_t const&)`
    fn _ZnamSt11align_val_tRKSt9nothrow_t(size: usize, align: usize, _nothrow: *const u8)
        = new_aligned_nothrow(size, align, true);
}

/// Exports `delete` forms: all of them are `free`.
macro_rules! deletes {
    ($(#[$doc:meta] fn $name:ident(ptr $(, $hint:ident: $kind:ty)*);)*) => {$(
        #[$doc]
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, reason = "Itanium names")]
        unsafe extern "C" fn $name(ptr: *mut u8 $(, $hint: $kind)*) {
            // SAFETY: contract of this module.
            unsafe { free(ptr) }
        }
    )*};
}

deletes! {
    /// `operator delete(void*)`
    fn _ZdlPv(ptr);
    /// `operator delete[](void*)`
    fn _ZdaPv(ptr);
    /// `operator delete(void*, size_t)`
    fn _ZdlPvm(ptr, _size: usize);
    /// `operator delete[](void*, size_t)`
    fn _ZdaPvm(ptr, _size: usize);
    /// `operator delete(void*, std::nothrow_t const&)`
    fn _ZdlPvRKSt9nothrow_t(ptr, _nothrow: *const u8);
    /// `operator delete[](void*, std::nothrow_t const&)`
    fn _ZdaPvRKSt9nothrow_t(ptr, _nothrow: *const u8);
    /// `operator delete(void*, std::align_val_t)`
    fn _ZdlPvSt11align_val_t(ptr, _align: usize);
    /// `operator delete[](void*, std::align_val_t)`
    fn _ZdaPvSt11align_val_t(ptr, _align: usize);
    /// `operator delete(void*, size_t, std::align_val_t)`
    fn _ZdlPvmSt11align_val_t(ptr, _size: usize, _align: usize);
    /// `operator delete[](void*, size_t, std::align_val_t)`
    fn _ZdaPvmSt11align_val_t(ptr, _size: usize, _align: usize);
    /// `operator delete(void*, std::align_val_t, std::nothrow_t const&)`
    fn _ZdlPvSt11align_val_tRKSt9nothrow_t(ptr, _align: usize, _nothrow: *const u8);
    /// `operator delete[](void*, std::align_val_t, std::nothrow_t const&)`
    fn _ZdaPvSt11align_val_tRKSt9nothrow_t(ptr, _align: usize, _nothrow: *const u8);
}
