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
    pub(crate) fn syscall(number: c_long, ...) -> c_long;
    /// May allocate the stream's buffer, through our `malloc`, when the stream has none yet.
    pub(crate) fn fwrite(bytes: *const u8, size: usize, count: usize, stream: *mut File) -> usize;
    pub(crate) fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut u8;
    /// May allocate, through our `malloc`.
    pub(crate) fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
}

/// Ends the process and all of its threads. The kernel's call, not the C library's function, which this library replaces.
pub(crate) fn exit_group(status: c_int) -> ! {
    #[cfg(target_arch = "x86_64")]
    const EXIT_GROUP: c_long = 231;
    #[cfg(target_arch = "aarch64")]
    const EXIT_GROUP: c_long = 94;
    loop {
        // SAFETY: touches no memory; does not come back.
        unsafe { syscall(EXIT_GROUP, status) };
    }
}

/// Runs `work` with every signal of this thread held back until it is done.
pub(crate) fn without_signals(work: impl FnOnce()) {
    #[cfg(target_arch = "x86_64")]
    const RT_SIGPROCMASK: c_long = 14;
    #[cfg(target_arch = "aarch64")]
    const RT_SIGPROCMASK: c_long = 135;
    const SET_MASK: c_int = 2;
    let every = u64::MAX;
    let mut before = 0_u64;
    let nowhere = core::ptr::null_mut::<u64>();
    // SAFETY: reads and writes 8 bytes, the kernel's size of a set of signals. (It leaves out what cannot be held back.)
    unsafe { syscall(RT_SIGPROCMASK, SET_MASK, &raw const every, &raw mut before, size_of::<u64>()) };
    work();
    // SAFETY: reads 8 bytes.
    unsafe { syscall(RT_SIGPROCMASK, SET_MASK, &raw const before, nowhere, size_of::<u64>()) };
}
