//! The ways a process ends that run no destructor of a library, and yet are no signal.
//!
//! ```text
//!   return of main, exit ── destructors (start.rs) ──┐
//!   quick_exit ──────────── at_quick_exit ───────────┼──▶ summary::write, once ──▶ the kernel
//!   _exit, _Exit ────────── replaced here ───────────┘
//!   a signal, exit_group by hand, exec, glibc's own calls of _exit (daemon) ─────▶ the kernel
//! ```
//!
//! The last row leaves no summary: a preloaded library has no business with a program's signals, and glibc calls its own
//! `_exit` directly. That is also why `exit`, which ends by it, does not come here a second time.
//!
//! Without a summary to write nothing is registered, and `_exit` is one load, one branch and the system call.

use crate::{os, summary};
use core::ffi::{c_int, c_void};
use core::ptr;
use stratalloc_platform::process;

/// Prepares for the ends that have to be announced; called at load, when a summary is wanted and no other thread exists.
///
/// The registrations are the first of the process: so ours is the last function that `quick_exit` calls, and they take no
/// memory (glibc has room for 32 and 48). Should one fail, that end leaves no summary.
pub(crate) fn watch() {
    static OBJECT: u8 = 0;
    // Any address inside this object names it; it is never unloaded.
    let object = (&raw const OBJECT).cast_mut().cast::<c_void>();
    // SAFETY: a function that may be called at any end of the process, and an object that stays.
    unsafe { os::at_quick_exit(at_quick_exit, ptr::null_mut(), object) };
    // SAFETY: a function that may be called in any child, and an object that stays.
    unsafe { os::register_atfork(None, None, Some(summary::belongs_to_this_process), object) };
}

/// Runs behind everything that the program registered for `quick_exit`.
extern "C" fn at_quick_exit(_: *mut c_void) {
    summary::write();
}

/// Ends the process at once, as POSIX has it: no handler runs, no stream is flushed. Also for signal handlers.
#[unsafe(no_mangle)]
extern "C" fn _exit(status: c_int) -> ! {
    summary::write();
    process::exit_at_once(status)
}

/// C's name of [`_exit`].
#[unsafe(no_mangle)]
extern "C" fn _Exit(status: c_int) -> ! {
    _exit(status)
}
