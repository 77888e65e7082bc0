//! A stack for what may run on nearly none: `_exit` is called from signal handlers, whose alternate stack has room
//! for them but not for the heap's figures.
//!
//! ```text
//!   caller's stack            own stack
//!   │ …        │          ┌──────────────┐ TOP   work's frames
//!   │ on       │ ── sp ─▶ │ …            │
//!   │          │ ◀─ sp ── └──────────────┘
//! ```
//!
//! A mapping, made when a summary is asked for. As a static it would part the others, and the pages of a small program
//! that never uses it would be one more.

use core::arch::naked_asm;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use stratalloc_platform::{page, vm};

/// Bytes. The writing of a summary uses a third of it in a release build, and no handler of a signal comes on top.
const SIZE: usize = 64 << 10;

/// One past the stack's last byte: a multiple of 16, and what both architectures want to find at a call. Null: no stack.
static TOP: AtomicPtr<u8> = AtomicPtr::new(null_mut());

/// Makes the stack; called once, at load. Without memory there will be none.
pub(crate) fn prepare() {
    if let Ok(stack) = vm::reserve(SIZE, page::size(), vm::Access::ReadWrite) {
        TOP.store(stack.as_ptr().wrapping_add(SIZE), Relaxed);
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
    // SAFETY: the stack is writable, large enough and nobody else's; `work` as promised.
    unsafe { switch(top, work) };
}

/// Calls `work` with the stack pointer at `top`.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn switch(top: *mut u8, work: extern "C" fn()) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp", // so a debugger finds its way back
        "mov rsp, rdi",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Calls `work` with the stack pointer at `top`.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn switch(top: *mut u8, work: extern "C" fn()) {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        ".cfi_def_cfa_register x29", // so a debugger finds its way back
        "mov sp, x0",
        "blr x1",
        "mov sp, x29",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa sp, 0",
        "ret",
        ".cfi_endproc",
    )
}
