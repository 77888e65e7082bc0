//! POSIX thread keys.

use core::ffi::{c_int, c_uint, c_void};

use super::ExitFunction;

/// `pthread_key_t` of Linux libcs.
pub(super) type Key = c_uint;

#[cfg_attr(not(miri), link(name = "c"))]
unsafe extern "C" {
    fn pthread_key_create(key: *mut Key, destructor: Option<ExitFunction>) -> c_int;
    fn pthread_key_delete(key: Key) -> c_int;
    fn pthread_setspecific(key: Key, value: *const c_void) -> c_int;
}

/// A key whose values are given to `f` at the end of their threads; `None` if there is none left.
pub(super) fn create(f: ExitFunction) -> Option<Key> {
    let mut key: Key = 0;
    // SAFETY: `key` is valid to write to; `f` is called only with what `set` is given, whose contract allows it.
    (unsafe { pthread_key_create(&raw mut key, Some(f)) } == 0).then_some(key)
}

/// # Safety
///
/// Of [`create`], and not used any more.
pub(super) unsafe fn delete(key: Key) {
    // SAFETY: this function's contract.
    let _ = unsafe { pthread_key_delete(key) };
}

/// Sets the calling thread's value; `false` if libc has no memory for it.
///
/// # Safety
///
/// The key is of [`create`] and not deleted, and its function may be called with `value` at the end of this thread.
pub(super) unsafe fn set(key: Key, value: *mut c_void) -> bool {
    // SAFETY: this function's contract.
    unsafe { pthread_setspecific(key, value) == 0 }
}
