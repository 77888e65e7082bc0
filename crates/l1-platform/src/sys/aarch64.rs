//! aarch64: `svc 0`; number in x8, arguments in x0 … x5, answer in x0; every other register is kept.

use core::arch::{asm, naked_asm};

/// Numbers from the kernel's `include/uapi/asm-generic/unistd.h`.
pub(crate) mod nr {
    pub(crate) const FCNTL: usize = 25;
    pub(crate) const UNLINKAT: usize = 35;
    pub(crate) const FTRUNCATE: usize = 46;
    pub(crate) const FALLOCATE: usize = 47;
    pub(crate) const OPENAT: usize = 56;
    pub(crate) const CLOSE: usize = 57;
    pub(crate) const READ: usize = 63;
    pub(crate) const WRITE: usize = 64;
    pub(crate) const FSTAT: usize = 80;
    pub(crate) const EXIT_GROUP: usize = 94;
    pub(crate) const NANOSLEEP: usize = 101;
    pub(crate) const SCHED_GETAFFINITY: usize = 123;
    pub(crate) const SCHED_YIELD: usize = 124;
    pub(crate) const KILL: usize = 129;
    pub(crate) const TGKILL: usize = 131;
    pub(crate) const SIGALTSTACK: usize = 132;
    pub(crate) const RT_SIGACTION: usize = 134;
    pub(crate) const RT_SIGPROCMASK: usize = 135;
    pub(crate) const GETRUSAGE: usize = 165;
    pub(crate) const GETCPU: usize = 168;
    pub(crate) const GETPID: usize = 172;
    pub(crate) const GETTID: usize = 178;
    pub(crate) const MUNMAP: usize = 215;
    pub(crate) const MREMAP: usize = 216;
    pub(crate) const MMAP: usize = 222;
    pub(crate) const MPROTECT: usize = 226;
    pub(crate) const MINCORE: usize = 232;
    pub(crate) const MADVISE: usize = 233;
    pub(crate) const MBIND: usize = 235;
    pub(crate) const MOVE_PAGES: usize = 239;
    pub(crate) const PRLIMIT64: usize = 261;
    pub(crate) const MEMFD_CREATE: usize = 279;
}

/// Where `struct stat` of `FSTAT` has the size of the file, a 64-bit number.
pub(crate) const SIZE_IN_STAT: usize = 48;

/// One system call; the raw answer.
///
/// # Safety
///
/// As for [`super::call`].
#[inline]
pub(super) unsafe fn call(number: usize, args: [usize; 6]) -> usize {
    let [a, b, c, d, e, f] = args;
    let answer;
    // SAFETY: the effect is the caller's to answer for; registers follow the kernel's AArch64 interface, which keeps
    // everything but x0; the stack is not touched.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => answer,
            in("x1") b,
            in("x2") c,
            in("x3") d,
            in("x4") e,
            in("x5") f,
            options(nostack, preserves_flags),
        );
    }
    answer
}

/// Where a signal handler's context holds the stack pointer: `uc_mcontext.sp`, behind the fault's address and 31 registers.
pub(crate) const STACK_POINTER_IN_CONTEXT: usize = 176 + 8 + 31 * 8;

/// Signal handlers return to the kernel's own code.
pub(crate) fn signal_return() -> Option<*const ()> {
    None
}

/// Calls `work` with the stack pointer at `top`. The unwind table leads a debugger back to the caller's stack.
///
/// # Safety
///
/// As for [`crate::stack::call_on`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call_on_stack(top: *mut u8, work: extern "C" fn()) {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        ".cfi_def_cfa_register x29",
        "mov sp, x0",
        "blr x1",
        "mov sp, x29",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa sp, 0",
        "ret",
        ".cfi_endproc",
    )
}
