//! A call on another stack: for what may run on nearly none, as on that of a signal handler.
//!
//! ```text
//!   caller's stack            other stack
//!   │ …        │          ┌──────────────┐ top   work's frames
//!   │ call_on  │ ── sp ─▶ │ …            │
//!   │          │ ◀─ sp ── └──────────────┘
//! ```

use crate::sys;

/// Calls `work` on the stack that ends at `top`, and returns when it does. Under Miri and on Windows, on the caller's.
///
/// May be called before `main`, in a signal handler, after `fork`.
///
/// # Safety
///
/// - `top` is one past the end of writable memory, a multiple of 16, with room for `work` and every signal handler that may
///   interrupt it on this stack.
/// - Nobody else uses that memory until the call returns.
/// - `work` does not unwind.
pub unsafe fn call_on(top: *mut u8, work: extern "C" fn()) {
    // SAFETY: this function's contract is the same.
    unsafe { sys::call_on_stack(top, work) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm;
    use core::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    #[cfg_attr(any(miri, windows), ignore = "on the caller's stack there")]
    fn the_work_runs_there_and_comes_back() {
        const SIZE: usize = 256 << 10;
        static SEEN: AtomicUsize = AtomicUsize::new(0);
        extern "C" fn look() {
            // 16-byte vectors would fault on a stack that is not aligned.
            let mut local = [0_u128; 4];
            SEEN.store(core::hint::black_box(&raw mut local).addr(), Ordering::Relaxed);
        }
        let stack = vm::reserve(SIZE, crate::page::size(), vm::Access::ReadWrite).unwrap();
        let top = stack.as_ptr().wrapping_add(SIZE);
        let kept = core::hint::black_box(42);
        // SAFETY: the stack was made above, is large enough, and nobody else's; `look` does not unwind.
        unsafe { call_on(top, look) };
        let seen = SEEN.load(Ordering::Relaxed);
        assert!(stack.as_ptr().addr() < seen && seen < top.addr(), "{seen:x}");
        assert_eq!(kept, 42, "back on our own stack");
        // SAFETY: reserved above; nothing runs there any more.
        assert_eq!(unsafe { vm::release(stack, SIZE) }, Ok(()));
    }
}
