//! The C library as this crate sees it: nothing here allocates, but for `dlopen` and `fwrite` where said.

use core::ffi::{c_char, c_int, c_long, c_ulong, c_void};

/// A stream of the C library; only its address is used.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct File {
    opaque: [u8; 0],
}

#[link(name = "c")]
unsafe extern "C" {
    #[link_name = "__errno_location"]
    pub(crate) safe fn errno_location() -> *mut c_int;
    pub(crate) safe fn abort() -> !;
    pub(crate) safe fn getppid() -> c_int;
    pub(crate) safe fn getauxval(kind: c_ulong) -> c_ulong;
    pub(crate) fn sbrk(step: isize) -> *mut u8;
    pub(crate) fn syscall(number: c_long, ...) -> c_long;
    /// May allocate the stream's buffer, through our `malloc`, when the stream has none yet.
    pub(crate) fn fwrite(bytes: *const u8, size: usize, count: usize, stream: *mut File) -> usize;
    pub(crate) fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut u8;
    /// May allocate, through our `malloc`.
    pub(crate) fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
}
