//! x86-64: `syscall`; arguments in rdi, rsi, rdx, r10, r8, r9; the instruction destroys rcx and r11.

use core::arch::{asm, naked_asm};

/// Numbers from the kernel's `arch/x86/entry/syscalls/syscall_64.tbl`.
pub(crate) mod nr {
    pub(crate) const READ: usize = 0;
    pub(crate) const WRITE: usize = 1;
    pub(crate) const CLOSE: usize = 3;
    pub(crate) const FSTAT: usize = 5;
    pub(crate) const MMAP: usize = 9;
    pub(crate) const MPROTECT: usize = 10;
    pub(crate) const MUNMAP: usize = 11;
    pub(crate) const RT_SIGACTION: usize = 13;
    pub(crate) const RT_SIGPROCMASK: usize = 14;
    pub(crate) const SCHED_YIELD: usize = 24;
    pub(crate) const MREMAP: usize = 25;
    pub(crate) const MINCORE: usize = 27;
    pub(crate) const MADVISE: usize = 28;
    pub(crate) const NANOSLEEP: usize = 35;
    pub(crate) const GETPID: usize = 39;
    pub(crate) const KILL: usize = 62;
    pub(crate) const FCNTL: usize = 72;
    pub(crate) const FTRUNCATE: usize = 77;
    pub(crate) const GETRUSAGE: usize = 98;
    pub(crate) const SIGALTSTACK: usize = 131;
    pub(crate) const GETTID: usize = 186;
    pub(crate) const SCHED_GETAFFINITY: usize = 204;
    pub(crate) const EXIT_GROUP: usize = 231;
    pub(crate) const TGKILL: usize = 234;
    pub(crate) const MBIND: usize = 237;
    pub(crate) const OPENAT: usize = 257;
    pub(crate) const UNLINKAT: usize = 263;
    pub(crate) const MOVE_PAGES: usize = 279;
    pub(crate) const FALLOCATE: usize = 285;
    pub(crate) const PRLIMIT64: usize = 302;
    pub(crate) const GETCPU: usize = 309;
    pub(crate) const MEMFD_CREATE: usize = 319;
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
    // SAFETY: the effect is the caller's to answer for; registers follow the psABI's kernel interface (A.2.1), rcx
    // and r11 are given up, the stack is not touched.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => answer,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            in("r9") f,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    answer
}

/// Where a signal handler's context holds the stack pointer: `uc_mcontext.gregs[REG_RSP]`.
pub(crate) const STACK_POINTER_IN_CONTEXT: usize = 40 + 15 * 8;

/// Where a signal handler returns to: this kernel has no code of its own for it (`SA_RESTORER`). Debuggers know the frame of a
/// handler by exactly these two instructions.
pub(crate) fn signal_return() -> Option<*const ()> {
    #[unsafe(naked)]
    unsafe extern "C" fn restorer() {
        naked_asm!("mov rax, 15", "syscall")
    }
    Some(restorer as *const ())
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
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdi",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}
