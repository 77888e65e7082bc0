//! Miri: no kernel. Everything is refused but the few calls that upper layers cannot do without.

extern crate std;

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU32, Ordering};

use super::Fd;
use crate::error::OsError;

#[path = "no_kernel.rs"]
mod no_kernel;

pub(crate) use no_kernel::{SIZE_IN_STAT, STACK_POINTER_IN_CONTEXT, nr, signal_return};

/// Every call answers `-ENOSYS`.
///
/// # Safety
///
/// None is needed; the real versions need theirs.
pub(super) unsafe fn call(_number: usize, _args: [usize; 6]) -> usize {
    const ENOSYS: usize = 38;
    ENOSYS.wrapping_neg()
}

unsafe extern "C" {
    #[link_name = "write"]
    fn libc_write(fd: c_int, bytes: *const c_void, size: usize) -> isize;
}

/// Through Miri's own `write`.
pub(crate) fn write(fd: Fd, bytes: &[u8]) -> Result<usize, OsError> {
    // SAFETY: `bytes` is readable for its length.
    let taken = unsafe { libc_write(fd, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(taken).map_err(|_| OsError::INVALID)
}

pub(crate) fn process_id() -> u32 {
    std::process::id()
}

pub(crate) fn exit_group(status: i32) -> ! {
    std::process::exit(status)
}

/// Threads are numbered as they ask.
pub(crate) fn thread_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    std::thread_local! {
        // Only uniqueness matters, which one fetch_add gives by itself.
        static MINE: u32 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    MINE.try_with(|id| *id).unwrap_or(0)
}

pub(crate) fn yield_now() {
    std::thread::yield_now();
}

/// Time passes as others run.
pub(crate) fn nap() {
    std::thread::yield_now();
}

/// There is one stack only.
///
/// # Safety
///
/// None is needed; the real versions need theirs.
pub(crate) unsafe extern "C" fn call_on_stack(_top: *mut u8, work: extern "C" fn()) {
    work();
}
