//! The few system calls of the launcher, and the records they fill.

use core::arch::{asm, global_asm};

/// Call numbers on x86-64.
#[cfg(target_arch = "x86_64")]
pub(crate) mod number {
    pub(crate) const WRITE: usize = 1;
    pub(crate) const SETITIMER: usize = 38;
    pub(crate) const CLONE: usize = 56;
    pub(crate) const EXECVE: usize = 59;
    pub(crate) const WAIT4: usize = 61;
    pub(crate) const PRCTL: usize = 157;
    pub(crate) const CLOCK_GETTIME: usize = 228;
    pub(crate) const EXIT_GROUP: usize = 231;
}

/// Call numbers of the generic table, here for aarch64.
#[cfg(target_arch = "aarch64")]
pub(crate) mod number {
    pub(crate) const WRITE: usize = 64;
    pub(crate) const SETITIMER: usize = 103;
    pub(crate) const CLONE: usize = 220;
    pub(crate) const EXECVE: usize = 221;
    pub(crate) const WAIT4: usize = 260;
    pub(crate) const PRCTL: usize = 167;
    pub(crate) const CLOCK_GETTIME: usize = 113;
    pub(crate) const EXIT_GROUP: usize = 94;
}

// The entry point: the kernel's stack pointer becomes the first argument, and the stack is aligned for a call.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {}", sym crate::launch);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x0, sp", "bl {}", sym crate::launch);

/// One system call; the result is negative for an error.
///
/// # Safety
/// The call and its arguments must be such that the kernel touches only memory that the caller may give it.
pub(crate) unsafe fn call(number: usize, arguments: [usize; 5]) -> isize {
    let result: isize;
    let [a, b, c, d, e] = arguments;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel's calling convention; it clobbers rcx and r11 and what the caller gave it.
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
             in("r8") e, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel's calling convention; it clobbers what the caller gave it.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a => result, in("x1") b, in("x2") c, in("x3") d, in("x4") e,
             options(nostack));
    }
    result
}

/// `struct rusage` of 64-bit Linux.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Rusage {
    pub(crate) user: [i64; 2],
    pub(crate) system: [i64; 2],
    pub(crate) peak_kib: i64,
    /// Sizes that Linux does not keep.
    unused_sizes: [i64; 3],
    pub(crate) minor_faults: i64,
    pub(crate) major_faults: i64,
    /// Swaps, block input and output, messages, signals.
    unused_counts: [i64; 6],
    pub(crate) voluntary_switches: i64,
    pub(crate) involuntary_switches: i64,
}

const _: () = assert!(size_of::<Rusage>() == 144);

/// `struct timespec` of 64-bit Linux.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Timespec {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: i64,
}

/// `struct itimerval` of 64-bit Linux.
#[repr(C)]
pub(crate) struct Timer {
    pub(crate) interval: [i64; 2],
    pub(crate) value: [i64; 2],
}
