//! A stack for signal handlers: where the thread's own has ended, nothing else can run.
//!
//! ```text
//!   │ guard │ 64 KiB for handlers that asked for it (SA_ONSTACK) │
//!
//!   the kernel's: one per thread  ──►  the latest  ── before ──►  the one before it  ── before ──►  …
//! ```
//!
//! Whoever installs one remembers the one before, and puts it back: we do, Rust's runtime and libraries in C do. So one may be unmapped
//! only while it is the kernel's; from any other moment on somebody may remember it.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use crate::error::OsError;
use crate::sys::{self, nr};
use crate::{page, vm};

/// What a handler may use. The kernel's own record of the interrupted thread takes up to 12 KiB of it on today's processors.
const SIZE: usize = 64 << 10;

/// The kernel's `stack_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Stack {
    start: *mut u8,
    flags: i32,
    size: usize,
}

/// This thread's stack for signal handlers, until it is dropped; then the one before is again.
///
/// Memory: a mapping of its own with a guard below. Dropped while a later one is installed (so also in `stack = AlternativeStack::install()?`,
/// which drops the old value after it has made the new one), it stays mapped to the end of the process: the later one may
/// put it back. Not for signal handlers themselves.
#[derive(Debug)]
pub struct AlternativeStack {
    range: NonNull<u8>,
    /// Above the guard.
    start: *mut u8,
    before: Stack,
    // The kernel keeps one per thread: whoever installs it also takes it away. A pointer is not `Send`.
    thread: PhantomData<*mut ()>,
}

impl AlternativeStack {
    /// Makes one and installs it for the calling thread.
    ///
    /// # Errors
    ///
    /// The system's, if it has no memory or no mapping left; [`OsError::UNSUPPORTED`] where there are no signals.
    pub fn install() -> Result<Self, OsError> {
        let guard = page::size();
        let range = vm::reserve(guard + SIZE, guard, vm::Access::None)?;
        // SAFETY: inside the reservation.
        let start = unsafe { range.add(guard) };
        // SAFETY: reserved above, nobody else knows it.
        let committed = unsafe { vm::commit(start, SIZE) };
        let new = Stack { start: start.as_ptr(), flags: 0, size: SIZE };
        match committed.and_then(|()| exchange(Some(&new))) {
            Ok(before) => Ok(Self { range, start: new.start, before, thread: PhantomData }),
            Err(error) => {
                release(range);
                Err(error)
            }
        }
    }
}

impl Drop for AlternativeStack {
    fn drop(&mut self) {
        // Not the kernel's: a later one is, whose owner remembers this one; or none is, and what was before may be gone, too.
        let is_installed = exchange(None).is_ok_and(|now| now.start == self.start);
        // Refused (`EPERM`) only while a handler runs on it: then it has to stay.
        if is_installed && exchange(Some(&self.before)).is_ok() {
            release(self.range);
        }
    }
}

/// Gives back a range that no handler runs on. Should the system refuse, it stays behind.
fn release(range: NonNull<u8>) {
    // SAFETY: reserved by `install` with this size, and no longer the stack of any thread.
    let _ = unsafe { vm::release(range, page::size() + SIZE) };
}

/// Installs a stack for the calling thread, if one is given, and returns the one before.
fn exchange(new: Option<&Stack>) -> Result<Stack, OsError> {
    let mut before = Stack { start: ptr::null_mut(), flags: 0, size: 0 };
    if let Some(new) = new {
        new.start.expose_provenance();
    }
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let args = [new.expose_provenance(), (&raw mut before).expose_provenance(), 0, 0, 0, 0];
    // SAFETY: sigaltstack reads one `stack_t`, if there is one, and writes one. What it names is the caller's, or was the thread's before.
    unsafe { sys::call(nr::SIGALTSTACK, args) }.map(|_| before)
}

#[cfg(test)]
mod tests {
    //! Not covered: that handlers run there (`tests/access_fault.rs`).
    use super::*;
    use crate::probe;

    fn now() -> usize {
        exchange(None).unwrap().start.addr()
    }

    #[test]
    #[cfg_attr(any(miri, windows), ignore = "no signals")]
    fn it_is_the_thread_s_until_dropped_and_then_the_one_before_is() {
        let first = now();
        let mine = AlternativeStack::install().unwrap();
        assert_eq!(now(), mine.range.as_ptr().addr() + page::size());
        drop(mine);
        assert_eq!(now(), first);
    }

    #[test]
    #[cfg_attr(any(miri, windows), ignore = "no signals")]
    fn one_that_is_dropped_before_a_later_one_is_still_memory_when_that_puts_it_back() {
        let older = AlternativeStack::install().unwrap();
        let later = AlternativeStack::install().unwrap();
        let (start, later_s) = (older.start.addr(), later.start.addr());
        drop(older);
        assert_eq!(now(), later_s, "the later one stays the thread's");
        drop(later);
        assert_eq!(now(), start);
        assert!(probe::word_at(start).is_some());
    }

    #[test]
    #[cfg_attr(any(miri, windows), ignore = "no signals")]
    fn nothing_comes_back_where_somebody_has_taken_all_away() {
        const DISABLED: i32 = 2; // SS_DISABLE
        let mine = AlternativeStack::install().unwrap();
        // As Rust's runtime does at the end of a thread, before it unmaps its own.
        exchange(Some(&Stack { start: ptr::null_mut(), flags: DISABLED, size: 0 })).unwrap();
        drop(mine);
        assert_eq!(now(), 0);
    }

    #[cfg(any(miri, windows))]
    #[test]
    fn without_signals_it_is_refused() {
        assert_eq!(AlternativeStack::install().err(), Some(OsError::UNSUPPORTED));
        assert_eq!(crate::access_fault::watch(|_| {}), Err(OsError::UNSUPPORTED));
    }
}
