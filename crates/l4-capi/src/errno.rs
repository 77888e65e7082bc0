//! The error number: set on failure, untouched otherwise.

use crate::os;

/// Out of memory, or a size that no block can have.
pub(crate) const ENOMEM: i32 = 12;
/// An argument outside its domain.
pub(crate) const EINVAL: i32 = 22;
/// A product that does not fit (`reallocarr`).
pub(crate) const EOVERFLOW: i32 = 75;

/// The calling thread's `errno`.
pub(crate) fn get() -> i32 {
    // SAFETY: the C library returns the address of the calling thread's `errno`, which lives as long as the thread.
    unsafe { os::errno_location().read() }
}

/// Sets the calling thread's `errno`.
pub(crate) fn set(code: i32) {
    // SAFETY: as in `get`; no reference to the word exists.
    unsafe { os::errno_location().write(code) }
}

/// Null, with `errno` = `ENOMEM`: how every allocating function of C fails.
#[cold]
#[inline(never)]
pub(crate) fn out_of_memory() -> *mut u8 {
    set(ENOMEM);
    core::ptr::null_mut()
}

/// Runs `work` and puts `errno` back, for functions that may not change it at all.
pub(crate) fn keeping<T>(work: impl FnOnce() -> T) -> T {
    let before = get();
    let result = work();
    set(before);
    result
}
