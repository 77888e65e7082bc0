//! glibc's second names of the family. A program or library that uses them beside the plain ones must meet one heap,
//! or it frees blocks of one allocator in the other.
//!
//! The contract of the `unsafe` functions is that of [`crate::malloc`].

use crate::{aligned, malloc};

/// Exports `$alias` as another name of a function that the other modules define.
macro_rules! alias {
    ($(#[$doc:meta] fn $alias:ident($($name:ident: $kind:ty),+) $(-> $result:ty)? = $target:path;)*) => {$(
        #[$doc]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $alias($($name: $kind),+) $(-> $result)? {
            #[allow(unused_unsafe, reason = "some of the targets are safe functions")]
            // SAFETY: contract of this module, which is that of the target.
            unsafe { $target($($name),+) }
        }
    )*};
}

alias! {
    /// Alias of `malloc`.
    fn __libc_malloc(size: usize) -> *mut u8 = malloc::malloc;
    /// Alias of `free`.
    fn __libc_free(ptr: *mut u8) = malloc::free;
    /// Alias of `cfree`.
    fn __libc_cfree(ptr: *mut u8) = malloc::free;
    /// Alias of `calloc`.
    fn __libc_calloc(count: usize, size: usize) -> *mut u8 = malloc::calloc;
    /// Alias of `realloc`.
    fn __libc_realloc(ptr: *mut u8, size: usize) -> *mut u8 = malloc::realloc;
    /// Alias of `memalign`.
    fn __libc_memalign(alignment: usize, size: usize) -> *mut u8 = aligned::memalign;
    /// Alias of `valloc`.
    fn __libc_valloc(size: usize) -> *mut u8 = aligned::valloc;
    /// Alias of `pvalloc`.
    fn __libc_pvalloc(size: usize) -> *mut u8 = aligned::pvalloc;
    /// Alias of `posix_memalign`.
    fn __posix_memalign(out: *mut *mut u8, alignment: usize, size: usize) -> i32 = aligned::posix_memalign;
}
