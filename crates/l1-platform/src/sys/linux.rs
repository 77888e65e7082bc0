//! Raw system calls of Linux.
//!
//! Nothing here goes through libc, so `errno` is never touched and nothing can be interposed: a `free` that purges
//! pages must leave the program's `errno` alone, and the first `malloc` of a process may come before libc is ready.
//! One file per architecture holds the numbers, the call, and the change of stacks; the kernel's answer becomes a `Result` here.
//!
//! Under Miri there is no kernel: [`call`] refuses everything with `ENOSYS`, and the callers' answers for "the kernel
//! does not say" apply. The few calls that must work there ([`write()`], ids, yielding, the end) have their own versions.

use core::ffi::CStr;

use super::{EINTR, Fd};
use crate::error::OsError;

#[cfg(all(target_arch = "aarch64", not(miri)))]
#[path = "aarch64.rs"]
mod arch;
#[cfg(miri)]
#[path = "miri.rs"]
mod arch;
#[cfg(all(target_arch = "x86", not(miri)))]
#[path = "x86.rs"]
mod arch;
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[path = "x86_64.rs"]
mod arch;

#[cfg(not(any(miri, target_arch = "x86_64", target_arch = "aarch64", target_arch = "x86")))]
compile_error!(
    "stratalloc-platform has system-call numbers for x86-64, aarch64 and x86 only: add src/sys/<arch>.rs"
);

pub(crate) use arch::{SIZE_IN_STAT, STACK_POINTER_IN_CONTEXT, call_on_stack, nr, signal_return};

/// The highest number that the kernel uses to say "this is an error" (`MAX_ERRNO`).
const MAX_ERROR: usize = 4095;

/// Calls the kernel and turns its answer into a value or an error.
///
/// Pointers are passed as exposed addresses (`expose_provenance`): the kernel may write through them, and the
/// compiler has to know that the memory has escaped.
///
/// # Safety
///
/// The call `number` with `args` must be one whose effect on this process's memory the caller may cause.
#[inline]
pub(crate) unsafe fn call(number: usize, args: [usize; 6]) -> Result<usize, OsError> {
    // SAFETY: this function's contract is the same.
    let answer = unsafe { arch::call(number, args) };
    if answer > usize::MAX - MAX_ERROR {
        Err(OsError::from_kernel(answer.wrapping_neg()))
    } else {
        Ok(answer)
    }
}

/// The descriptor as a register value: sign-extended, as the kernel expects `int` arguments.
#[inline]
pub(crate) fn word(fd: Fd) -> usize {
    (fd as isize).cast_unsigned()
}

/// `AT_FDCWD`: relative paths start at the working directory.
const AT_FDCWD: Fd = -100;
/// `O_LARGEFILE`, needed only where `off_t` has 32 bits; zero elsewhere, as in libc.
const O_LARGEFILE: usize = if cfg!(target_pointer_width = "32") { 0o100_000 } else { 0 };
/// `O_CLOEXEC`.
const O_CLOEXEC: usize = 0o2_000_000;
/// Open for reading.
pub(crate) const READ: usize = 0;
/// Create or empty, open for writing (`O_WRONLY | O_CREAT | O_TRUNC`).
pub(crate) const CREATE: usize = 0o1 | 0o100 | 0o1000;
/// Create if absent, open for writing at the end (`O_WRONLY | O_CREAT | O_APPEND`).
pub(crate) const APPEND: usize = 0o1 | 0o100 | 0o2000;

/// Opens `path`, close-on-exec, with mode 0644 if it is created.
pub(crate) fn open(path: &CStr, flags: usize) -> Result<Fd, OsError> {
    loop {
        let args =
            [word(AT_FDCWD), path.as_ptr().expose_provenance(), flags | O_CLOEXEC | O_LARGEFILE, 0o644, 0, 0];
        // SAFETY: openat reads the NUL-terminated `path` and writes no memory.
        match unsafe { call(nr::OPENAT, args) } {
            Ok(fd) => return Fd::try_from(fd).map_err(|_| OsError::INVALID),
            Err(error) if error.code() == EINTR => {}
            Err(error) => return Err(error),
        }
    }
}

/// Closes `fd`. Linux releases the descriptor even when it reports an error, so there is nothing to report.
pub(crate) fn close(fd: Fd) {
    // SAFETY: close touches no memory; `fd` is ours to close by this module's callers, who own it.
    let _ = unsafe { call(nr::CLOSE, [word(fd), 0, 0, 0, 0, 0]) };
}

/// Removes the name `path` of a file, which goes when nobody has it open or mapped any more.
pub(crate) fn remove(path: &CStr) -> Result<(), OsError> {
    let args = [word(AT_FDCWD), path.as_ptr().expose_provenance(), 0, 0, 0, 0];
    // SAFETY: unlinkat reads the NUL-terminated `path` and writes no memory.
    unsafe { call(nr::UNLINKAT, args) }.map(drop)
}

/// Sets aside space for the first `size` bytes of a file, and makes it so long if it is shorter. Interrupted calls are repeated.
pub(crate) fn allocate(fd: Fd, size: usize) -> Result<(), OsError> {
    // A kernel with 32 bits takes each of the two 64-bit numbers in two registers.
    let args = if cfg!(target_pointer_width = "32") {
        [word(fd), 0, 0, 0, size, 0]
    } else {
        [word(fd), 0, 0, size, 0, 0]
    };
    loop {
        // SAFETY: fallocate changes the file's space and touches no memory.
        match unsafe { call(nr::FALLOCATE, args) } {
            Err(error) if error.code() == EINTR => {}
            answer => return answer.map(drop),
        }
    }
}

/// Reads into `buffer`; zero means end of file. Interrupted calls are repeated.
pub(crate) fn read(fd: Fd, buffer: &mut [u8]) -> Result<usize, OsError> {
    loop {
        let args = [word(fd), buffer.as_mut_ptr().expose_provenance(), buffer.len(), 0, 0, 0];
        // SAFETY: read writes at most `buffer.len()` bytes into `buffer`, which is borrowed exclusively.
        match unsafe { call(nr::READ, args) } {
            Err(error) if error.code() == EINTR => {}
            answer => return answer,
        }
    }
}

#[cfg(not(miri))]
pub(super) fn write(fd: Fd, bytes: &[u8]) -> Result<usize, OsError> {
    let args = [word(fd), bytes.as_ptr().expose_provenance(), bytes.len(), 0, 0, 0];
    // SAFETY: write reads `bytes.len()` bytes from `bytes` and writes no memory.
    unsafe { call(nr::WRITE, args) }
}

#[cfg(miri)]
pub(super) use arch::write;

/// Process id, asked each time: a child of `fork` must not see its parent's.
#[cfg(not(miri))]
pub(crate) fn process_id() -> u32 {
    // SAFETY: getpid takes no argument and touches no memory.
    let id = unsafe { call(nr::GETPID, [0; 6]) };
    id.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(0)
}

/// Thread id of the kernel.
#[cfg(not(miri))]
pub(crate) fn thread_id() -> u32 {
    // SAFETY: gettid takes no argument and touches no memory.
    let id = unsafe { call(nr::GETTID, [0; 6]) };
    id.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(0)
}

/// Lets another runnable thread have the processor.
#[cfg(not(miri))]
pub(crate) fn yield_now() {
    // SAFETY: sched_yield takes no argument and touches no memory. It cannot fail on Linux.
    let _ = unsafe { call(nr::SCHED_YIELD, [0; 6]) };
}

/// Waits a millisecond, or until a signal comes.
#[cfg(not(miri))]
pub(crate) fn nap() {
    // A `struct timespec`: seconds and nanoseconds.
    let time: [isize; 2] = [0, 1_000_000];
    let args = [time.as_ptr().expose_provenance(), 0, 0, 0, 0, 0];
    // SAFETY: nanosleep reads the time, and writes nothing where the second argument is null.
    let _ = unsafe { call(nr::NANOSLEEP, args) };
}

/// Ends all threads of the process.
#[cfg(not(miri))]
pub(crate) fn exit_group(status: i32) -> ! {
    loop {
        // SAFETY: exit_group touches no memory, and does not come back.
        let _ = unsafe { call(nr::EXIT_GROUP, [word(status), 0, 0, 0, 0, 0]) };
    }
}

#[cfg(miri)]
pub(crate) use arch::{exit_group, nap, process_id, thread_id, yield_now};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "no kernel")]
    fn errors_are_the_top_of_the_number_range() {
        const EBADF: i32 = 9;
        let mut byte = [0];
        assert_eq!(read(-1, &mut byte).map_err(OsError::code), Err(EBADF));
    }
}
