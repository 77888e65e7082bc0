//! A stack for what may run on nearly none: `_exit` is called from signal handlers, whose alternate stack has room
//! for them but not for the heap's figures.
//!
//! A mapping, made when a summary is asked for. As a static it would part the others, and the pages of a small program
//! that never uses it would be one more.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use stratalloc_platform::{page, stack, vm};

/// Bytes. The writing of a summary uses a third of it in a release build, and no handler of a signal comes on top.
const SIZE: usize = 64 << 10;

/// One past the stack's last byte. Null: no stack.
static TOP: AtomicPtr<u8> = AtomicPtr::new(null_mut());

/// Makes the stack; called once, at load. Without memory there will be none.
pub(crate) fn prepare() {
    if let Ok(start) = vm::reserve(SIZE, page::size(), vm::Access::ReadWrite) {
        TOP.store(start.as_ptr().wrapping_add(SIZE), Relaxed);
    }
}

/// Runs `work` on the process's own stack, or on the caller's if there is none.
///
/// # Safety
///
/// One call at a time in an address space, with all signals held back; `work` does not unwind.
pub(crate) unsafe fn run(work: extern "C" fn()) {
    let top = TOP.load(Relaxed);
    if top.is_null() {
        return work();
    }
    // SAFETY: the stack is writable, ends on a page, is large enough and nobody else's; `work` as promised.
    unsafe { stack::call_on(top, work) };
}
