//! The C library as this crate sees it: nothing here allocates, but for `dlopen` and `fwrite` where said.

use core::ffi::{c_char, c_int, c_ulong, c_void};

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
    /// What `at_quick_exit` of the C library's static part calls.
    #[link_name = "__cxa_at_quick_exit"]
    pub(crate) fn at_quick_exit(
        f: extern "C" fn(*mut c_void),
        value: *mut c_void,
        object: *mut c_void,
    ) -> c_int;
    /// What `pthread_atfork` of the C library's static part calls.
    #[link_name = "__register_atfork"]
    pub(crate) fn register_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
        object: *mut c_void,
    ) -> c_int;
    pub(crate) fn sbrk(step: isize) -> *mut u8;
    /// May allocate the stream's buffer, through our `malloc`, when the stream has none yet.
    pub(crate) fn fwrite(bytes: *const u8, size: usize, count: usize, stream: *mut File) -> usize;
    pub(crate) fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut u8;
    /// May allocate, through our `malloc`.
    pub(crate) fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
}
