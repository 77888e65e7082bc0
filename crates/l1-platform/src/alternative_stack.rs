//! A stack for signal handlers: where the thread's own has ended, nothing else can run.
//!
//! ```text
//!   │ guard │ 64 KiB for handlers that asked for it (SA_ONSTACK) │
//! ```

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
/// Memory: a mapping of its own with a guard below. Not for signal handlers themselves.
#[derive(Debug)]
pub struct AlternativeStack {
    range: NonNull<u8>,
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
        match committed.and_then(|()| replace(&new)) {
            Ok(before) => Ok(Self { range, before, thread: PhantomData }),
            Err(error) => {
                release(range);
                Err(error)
            }
        }
    }
}

impl Drop for AlternativeStack {
    fn drop(&mut self) {
        // Refused (`EPERM`) only while a handler runs on it: then it has to stay.
        if replace(&self.before).is_ok() {
            release(self.range);
        }
    }
}

/// Gives back a range that no handler runs on. Should the system refuse, it stays behind.
fn release(range: NonNull<u8>) {
    // SAFETY: reserved by `install` with this size, and no longer the stack of any thread.
    let _ = unsafe { vm::release(range, page::size() + SIZE) };
}

/// Installs a stack for the calling thread and returns the one before.
fn replace(new: &Stack) -> Result<Stack, OsError> {
    let mut before = Stack { start: ptr::null_mut(), flags: 0, size: 0 };
    let args = [ptr::from_ref(new).expose_provenance(), (&raw mut before).expose_provenance(), 0, 0, 0, 0];
    new.start.expose_provenance();
    // SAFETY: sigaltstack reads one `stack_t` and writes one. What it names is the caller's, or was the thread's before.
    unsafe { sys::call(nr::SIGALTSTACK, args) }.map(|_| before)
}

#[cfg(test)]
mod tests {
    //! Not covered: that handlers run there (`tests/access_fault.rs`).
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "no signals")]
    fn it_is_the_thread_s_until_dropped_and_then_the_one_before_is() {
        let now = || {
            // Asks by putting in what is there.
            let probe = AlternativeStack::install().unwrap();
            probe.before.start
        };
        let first = now();
        let mine = AlternativeStack::install().unwrap();
        assert_eq!(now().addr(), mine.range.as_ptr().addr() + page::size());
        drop(mine);
        assert_eq!(now(), first);
    }
}
