//! 32-bit x86: `int 0x80`; number in eax, arguments in ebx, ecx, edx, esi, edi, ebp; every other register is kept.
//!
//! The compiler keeps esi and ebp for itself, so they are saved on the stack by hand. The vdso's `sysenter` gate is
//! faster by some 100 ns and needs the auxiliary vector: not worth it on a path that is slow already.

use core::arch::{asm, naked_asm};

/// Numbers from the kernel's `arch/x86/entry/syscalls/syscall_32.tbl`. `MMAP` is `mmap2`: its offset counts pages,
/// which makes no difference to anonymous memory.
pub(crate) mod nr {
    pub(crate) const READ: usize = 3;
    pub(crate) const WRITE: usize = 4;
    pub(crate) const CLOSE: usize = 6;
    pub(crate) const GETPID: usize = 20;
    pub(crate) const KILL: usize = 37;
    pub(crate) const GETRUSAGE: usize = 77;
    pub(crate) const MUNMAP: usize = 91;
    pub(crate) const FTRUNCATE: usize = 93;
    pub(crate) const MPROTECT: usize = 125;
    pub(crate) const SCHED_YIELD: usize = 158;
    pub(crate) const NANOSLEEP: usize = 162;
    pub(crate) const MREMAP: usize = 163;
    pub(crate) const RT_SIGACTION: usize = 174;
    pub(crate) const RT_SIGPROCMASK: usize = 175;
    pub(crate) const SIGALTSTACK: usize = 186;
    pub(crate) const MMAP: usize = 192;
    /// `fstat64`.
    pub(crate) const FSTAT: usize = 197;
    pub(crate) const MINCORE: usize = 218;
    pub(crate) const MADVISE: usize = 219;
    pub(crate) const FCNTL: usize = 221;
    pub(crate) const GETTID: usize = 224;
    pub(crate) const SCHED_GETAFFINITY: usize = 242;
    pub(crate) const EXIT_GROUP: usize = 252;
    pub(crate) const TGKILL: usize = 270;
    pub(crate) const MBIND: usize = 274;
    pub(crate) const OPENAT: usize = 295;
    pub(crate) const UNLINKAT: usize = 301;
    pub(crate) const MOVE_PAGES: usize = 317;
    pub(crate) const GETCPU: usize = 318;
    pub(crate) const FALLOCATE: usize = 324;
    pub(crate) const PRLIMIT64: usize = 340;
    pub(crate) const MEMFD_CREATE: usize = 356;
}

/// Where `struct stat` of `FSTAT` has the size of the file, a 64-bit number.
pub(crate) const SIZE_IN_STAT: usize = 44;

/// One system call; the raw answer.
///
/// # Safety
///
/// As for [`super::call`].
#[inline]
pub(super) unsafe fn call(number: usize, args: [usize; 6]) -> usize {
    let [a, b, c, d, e, f] = args;
    let rest = [d, f, number];
    let answer;
    // SAFETY: the effect is the caller's to answer for; esi and ebp are restored before the block ends; eax points
    // to `rest`, which outlives the block; no operand is addressed through the stack pointer after the pushes.
    unsafe {
        asm!(
            "push esi",
            "push ebp",
            "mov esi, [eax]",
            "mov ebp, [eax + 4]",
            "mov eax, [eax + 8]",
            "int 0x80",
            "pop ebp",
            "pop esi",
            inlateout("eax") rest.as_ptr() => answer,
            in("ebx") a,
            in("ecx") b,
            in("edx") c,
            in("edi") e,
            options(preserves_flags),
        );
    }
    answer
}

/// Where a signal handler's context holds the stack pointer: `uc_mcontext.gregs[REG_ESP]`.
pub(crate) const STACK_POINTER_IN_CONTEXT: usize = 20 + 7 * 4;

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
        "push ebp",
        ".cfi_def_cfa_offset 8",
        ".cfi_offset ebp, -8",
        "mov ebp, esp",
        ".cfi_def_cfa_register ebp",
        "mov eax, [ebp + 12]",
        "mov esp, [ebp + 8]",
        "call eax",
        "mov esp, ebp",
        "pop ebp",
        ".cfi_def_cfa esp, 4",
        "ret",
        ".cfi_endproc",
    )
}
