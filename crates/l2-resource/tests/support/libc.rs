//! The C library's malloc family, by its C names.

use core::ffi::{c_int, c_void};

use stratalloc_resource::conformance::MallocFamily;

unsafe extern "C" {
    pub(crate) fn malloc(size: usize) -> *mut c_void;
    pub(crate) fn free(block: *mut c_void);
    pub(crate) fn calloc(count: usize, size: usize) -> *mut c_void;
    pub(crate) fn realloc(block: *mut c_void, size: usize) -> *mut c_void;
    pub(crate) fn posix_memalign(out: *mut *mut c_void, align: usize, size: usize) -> c_int;
    pub(crate) fn aligned_alloc(align: usize, size: usize) -> *mut c_void;
    pub(crate) fn memalign(align: usize, size: usize) -> *mut c_void;
    pub(crate) fn valloc(size: usize) -> *mut c_void;
    pub(crate) fn pvalloc(size: usize) -> *mut c_void;
    pub(crate) fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void;
    pub(crate) fn malloc_usable_size(block: *mut c_void) -> usize;
    pub(crate) fn __errno_location() -> *mut c_int;
}

/// `cfree` and `free_sized` are not in every C library; by `free` they are right.
unsafe extern "C" fn cfree(block: *mut c_void) {
    // SAFETY: the same contract.
    unsafe { free(block) };
}

unsafe extern "C" fn free_sized(block: *mut c_void, _: usize) {
    // SAFETY: the same contract.
    unsafe { free(block) };
}

unsafe extern "C" fn free_aligned_sized(block: *mut c_void, _: usize, _: usize) {
    // SAFETY: the same contract.
    unsafe { free(block) };
}

/// All that it has.
pub(crate) fn family() -> MallocFamily {
    // SAFETY: the C library's functions are what C says.
    let mut libc = unsafe { MallocFamily::new("libc", malloc, free, calloc, realloc) };
    libc.posix_memalign = Some(posix_memalign);
    libc.aligned_alloc = Some(aligned_alloc);
    libc.memalign = Some(memalign);
    libc.valloc = Some(valloc);
    libc.pvalloc = Some(pvalloc);
    libc.reallocarray = Some(reallocarray);
    libc.malloc_usable_size = Some(malloc_usable_size);
    libc.errno = Some(__errno_location);
    libc.cfree = Some(cfree);
    libc.free_sized = Some(free_sized);
    libc.free_aligned_sized = Some(free_aligned_sized);
    libc
}
