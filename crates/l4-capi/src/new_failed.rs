//! What `operator new` does when there is no memory: the loop over the new-handler, then the exception.
//!
//! ```text
//!   operator new(n) --no block--> new_failed(n, align)
//!                                  +--> handler = std::get_new_handler()
//!                                  |    none: jump to std::__throw_bad_alloc     (this frame is gone by then)
//!                                  |    call handler ---- may throw ------------> unwinds this frame by its CFI
//!                                  |    try again: block --> return it
//!                                  +----- no block
//! ```
//!
//! Only the frame of the loop can be on the stack while a C++ exception passes, and Rust compiled with `panic=abort`
//! lets none pass. So the loop is assembly, with the unwind table written by hand. The operators call it in tail
//! position, which leaves no frame of theirs in optimised builds; in others they have unwind tables without cleanups.
//!
//! The `nothrow` forms must also turn an exception of the handler into null. A C++ runtime does exactly that around
//! the throwing form, so they hand over to its own `operator new(n, nothrow)`, which calls our throwing one.

use crate::dynamic::in_cxx_runtime;
use crate::{errno, os, text};
use core::arch::naked_asm;
use core::ffi::CStr;
use core::mem::transmute;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use stratalloc_heap as heap;
use stratalloc_platform::weak_symbol;

/// `std::get_new_handler()`.
type GetNewHandler = extern "C" fn() -> usize;
/// `operator new(size, nothrow)`; `nothrow` is an empty object whose address means nothing.
type NewNoThrow = unsafe extern "C" fn(usize, *const u8) -> *mut u8;
/// `operator new(size, align, nothrow)`.
type NewAlignedNoThrow = unsafe extern "C" fn(usize, usize, *const u8) -> *mut u8;

/// The loop of the module's picture. `align` is a power of two.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn new_failed(size: usize, align: usize) -> *mut u8 {
    naked_asm!(
        ".cfi_startproc",
        "push rbx",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbx, -16",
        "push r12",
        ".cfi_def_cfa_offset 24",
        ".cfi_offset r12, -24",
        "sub rsp, 8",
        ".cfi_def_cfa_offset 32",
        "mov rbx, rdi",
        "mov r12, rsi",
        "2:",
        "call {new_handler}",
        "test rax, rax",
        "jz 3f",
        "call rax",
        "mov rdi, rbx",
        "mov rsi, r12",
        "call {again}",
        "test rax, rax",
        "jz 2b",
        ".cfi_remember_state",
        "add rsp, 8",
        ".cfi_def_cfa_offset 24",
        "pop r12",
        ".cfi_def_cfa_offset 16",
        "pop rbx",
        ".cfi_def_cfa_offset 8",
        "ret",
        ".cfi_restore_state",
        "3:",
        "call {thrower}",
        "add rsp, 8",
        ".cfi_def_cfa_offset 24",
        "pop r12",
        ".cfi_def_cfa_offset 16",
        "pop rbx",
        ".cfi_def_cfa_offset 8",
        "jmp rax",
        ".cfi_endproc",
        new_handler = sym new_handler,
        again = sym again,
        thrower = sym thrower,
    )
}

/// The loop of the module's picture. `align` is a power of two.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn new_failed(size: usize, align: usize) -> *mut u8 {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-32]!",
        ".cfi_def_cfa_offset 32",
        ".cfi_offset x29, -32",
        ".cfi_offset x30, -24",
        "stp x19, x20, [sp, #16]",
        ".cfi_offset x19, -16",
        ".cfi_offset x20, -8",
        "mov x29, sp",
        "mov x19, x0",
        "mov x20, x1",
        "2:",
        "bl {new_handler}",
        "cbz x0, 3f",
        "blr x0",
        "mov x0, x19",
        "mov x1, x20",
        "bl {again}",
        "cbz x0, 2b",
        ".cfi_remember_state",
        "ldp x19, x20, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        ".cfi_restore x19",
        ".cfi_restore x20",
        "ret",
        ".cfi_restore_state",
        "3:",
        "bl {thrower}",
        "ldp x19, x20, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        ".cfi_restore x19",
        ".cfi_restore x20",
        "br x0",
        ".cfi_endproc",
        new_handler = sym new_handler,
        again = sym again,
        thrower = sym thrower,
    )
}

/// The current new-handler, 0 if there is none or no C++ runtime.
extern "C" fn new_handler() -> usize {
    let mut get = weak_symbol!("_ZSt15get_new_handlerv").addr();
    if get == 0 {
        get = in_cxx_runtime(c"_ZSt15get_new_handlerv");
    }
    if get == 0 {
        return 0;
    }
    // SAFETY: the address of `std::get_new_handler`, which takes nothing and returns a pointer or null.
    let get = unsafe { transmute::<usize, GetNewHandler>(get) };
    get()
}

/// One more attempt after the handler ran.
extern "C" fn again(size: usize, align: usize) -> *mut u8 {
    heap::allocate_aligned(size, align)
}

/// The function that throws `std::bad_alloc`, or one that says why it cannot and aborts.
///
/// Under glibc's `malloc` a failed `new` leaves `ENOMEM` behind; so here.
pub(crate) extern "C" fn thrower() -> usize {
    errno::set(errno::ENOMEM);
    let mut throw = weak_symbol!("_ZSt17__throw_bad_allocv").addr();
    if throw == 0 {
        throw = in_cxx_runtime(c"_ZSt17__throw_bad_allocv");
    }
    if throw == 0 {
        throw = (no_exceptions as extern "C" fn() -> !) as usize;
    }
    throw
}

/// `operator new` failed in a program without a C++ runtime: there is nothing to throw with.
extern "C" fn no_exceptions() -> ! {
    text::complaint()
        .str("operator new: out of memory, and no C++ runtime to throw std::bad_alloc; aborting\n");
    os::abort()
}

/// The rest of `operator new(size, nothrow)`: see the module. `array` tells which of the two forms was called.
#[cold]
#[inline(never)]
pub(crate) unsafe fn nothrow_failed(size: usize, array: bool) -> *mut u8 {
    static NEXT: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    let name = if array { c"_ZnamRKSt9nothrow_t" } else { c"_ZnwmRKSt9nothrow_t" };
    let runtime = runtime_operator(&NEXT[usize::from(array)], name);
    if runtime == 0 {
        return errno::out_of_memory();
    }
    // SAFETY: the runtime's operator of this very name, so of this type.
    let runtime = unsafe { transmute::<usize, NewNoThrow>(runtime) };
    // SAFETY: `operator new` accepts any size; the second argument is a reference to an empty object.
    unsafe { runtime(size, (&raw const NEXT).cast()) }
}

/// The rest of `operator new(size, align, nothrow)`; `align` is a power of two.
#[cold]
#[inline(never)]
pub(crate) unsafe fn nothrow_aligned_failed(size: usize, align: usize, array: bool) -> *mut u8 {
    static NEXT: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    let name =
        if array { c"_ZnamSt11align_val_tRKSt9nothrow_t" } else { c"_ZnwmSt11align_val_tRKSt9nothrow_t" };
    let runtime = runtime_operator(&NEXT[usize::from(array)], name);
    if runtime == 0 {
        return errno::out_of_memory();
    }
    // SAFETY: the runtime's operator of this very name, so of this type.
    let runtime = unsafe { transmute::<usize, NewAlignedNoThrow>(runtime) };
    // SAFETY: `operator new` accepts any size and power of two; the third argument refers to an empty object.
    unsafe { runtime(size, align, (&raw const NEXT).cast()) }
}

/// The C++ runtime's definition of an operator that we define too; remembered in `cache`, 0 if there is none.
fn runtime_operator(cache: &AtomicUsize, name: &CStr) -> usize {
    let mut found = cache.load(Relaxed);
    if found == 0 {
        found = in_cxx_runtime(name);
        cache.store(found, Relaxed);
    }
    found
}
