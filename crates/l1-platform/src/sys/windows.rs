//! Windows: no call by number; files, ids, yielding and the end of the process by the functions that it has for them.

use core::ffi::CStr;
use core::ptr::{self, null, null_mut};

use super::Fd;
use crate::error::OsError;
use crate::kernel32::{self, Handle, done, refusal};

#[path = "no_kernel.rs"]
mod no_kernel;

pub(crate) use no_kernel::{STACK_POINTER_IN_CONTEXT, nr, signal_return};

/// There are no such calls.
///
/// # Safety
///
/// None is needed; Linux' version needs its own.
#[inline]
pub(crate) unsafe fn call(_number: usize, _args: [usize; 6]) -> Result<usize, OsError> {
    Err(OsError::UNSUPPORTED)
}

/// Open for reading.
pub(crate) const READ: usize = 0;
/// Create or empty, open for writing.
pub(crate) const CREATE: usize = 1;
/// Create if absent, open for writing at the end.
pub(crate) const APPEND: usize = 2;

/// The longest path, in UTF-16 units; it lies on the stack meanwhile.
const LONGEST_PATH: usize = 1024;
/// `INVALID_HANDLE_VALUE`.
const NO_FILE: isize = -1;

/// The handle behind a number: the system says that no more than 32 bits of one count, as a signed number.
fn handle(fd: Fd) -> Handle {
    match u32::try_from(fd) {
        // STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE: -10, -11, -12. (No other handle is so small.)
        Ok(standard @ 0..=2) => kernel32::GetStdHandle(0_u32.wrapping_sub(10 + standard)),
        _ => ptr::without_provenance_mut((fd as isize).cast_unsigned()),
    }
}

/// Opens `path`, in UTF-8, not inherited by child processes. Others may read, write and remove the file meanwhile, as on Linux.
pub(crate) fn open(path: &CStr, flags: usize) -> Result<Fd, OsError> {
    const GENERIC_READ: u32 = 0x8000_0000;
    const GENERIC_WRITE: u32 = 0x4000_0000;
    const FILE_APPEND_DATA: u32 = 4;
    const CREATE_ALWAYS: u32 = 2;
    const OPEN_EXISTING: u32 = 3;
    const OPEN_ALWAYS: u32 = 4;
    const SHARE_ALL: u32 = 1 | 2 | 4;
    const ATTRIBUTE_NORMAL: u32 = 0x80;

    let (access, disposition) = match flags {
        CREATE => (GENERIC_WRITE, CREATE_ALWAYS),
        APPEND => (FILE_APPEND_DATA, OPEN_ALWAYS),
        _ => (GENERIC_READ, OPEN_EXISTING),
    };
    let mut wide = [0_u16; LONGEST_PATH];
    let path = wide_path(path, &mut wide)?.as_ptr();
    // SAFETY: CreateFileW reads the NUL-terminated path; the null pointers stand for no security and no template.
    let file = unsafe {
        kernel32::CreateFileW(path, access, SHARE_ALL, null(), disposition, ATTRIBUTE_NORMAL, null_mut())
    };
    match file.addr().cast_signed() {
        NO_FILE => Err(refusal()),
        number => Fd::try_from(number).map_err(|_| OsError::INVALID),
    }
}

/// The path in UTF-16, with a NUL behind it.
fn wide_path<'a>(path: &CStr, wide: &'a mut [u16; LONGEST_PATH]) -> Result<&'a [u16], OsError> {
    let path = path.to_str().map_err(|_| OsError::INVALID)?;
    let mut places = wide.iter_mut();
    for unit in path.encode_utf16().chain([0]) {
        *places.next().ok_or(OsError::INVALID)? = unit;
    }
    Ok(wide)
}

/// Closes `fd`.
pub(crate) fn close(fd: Fd) {
    // SAFETY: the handle is ours to close by this module's callers, who own it. There is nobody to tell of a refusal.
    let _ = unsafe { kernel32::CloseHandle(handle(fd)) };
}

/// A length as Windows counts: what is more goes another time.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Reads into `buffer`; zero means end of file.
pub(crate) fn read(fd: Fd, buffer: &mut [u8]) -> Result<usize, OsError> {
    /// The other end of a pipe is closed: its end.
    const BROKEN_PIPE: i32 = 109;
    let (start, mut count) = (buffer.as_mut_ptr().cast(), 0);
    // SAFETY: ReadFile writes at most as many bytes as `buffer`, which is borrowed exclusively, has, and their number.
    let read =
        unsafe { kernel32::ReadFile(handle(fd), start, length(buffer.len()), &raw mut count, null_mut()) };
    match done(read) {
        Err(error) if error.code() == BROKEN_PIPE => Ok(0),
        answer => answer.map(|()| count as usize),
    }
}

pub(super) fn write(fd: Fd, bytes: &[u8]) -> Result<usize, OsError> {
    let (start, mut count) = (bytes.as_ptr().cast(), 0);
    // SAFETY: WriteFile reads at most as many bytes as `bytes` has, and writes their number.
    let written =
        unsafe { kernel32::WriteFile(handle(fd), start, length(bytes.len()), &raw mut count, null_mut()) };
    done(written).map(|()| count as usize)
}

/// Process id.
pub(crate) fn process_id() -> u32 {
    kernel32::GetCurrentProcessId()
}

/// Thread id of the kernel.
pub(crate) fn thread_id() -> u32 {
    kernel32::GetCurrentThreadId()
}

/// Lets another runnable thread have the processor.
pub(crate) fn yield_now() {
    let _ = kernel32::SwitchToThread();
}

/// Waits a millisecond, or as long as the system's clock ticks.
pub(crate) fn nap() {
    kernel32::Sleep(1);
}

/// Ends all threads of the process, without a word to its libraries.
pub(crate) fn exit_group(status: i32) -> ! {
    loop {
        // SAFETY: ends this process, and touches no memory before.
        let _ = unsafe { kernel32::TerminateProcess(kernel32::GetCurrentProcess(), status.cast_unsigned()) };
    }
}

/// On the caller's stack: Windows wants to know of every stack that a thread runs on (to grow it, to find handlers of exceptions).
///
/// # Safety
///
/// None is needed; Linux' version needs its own.
pub(crate) unsafe extern "C" fn call_on_stack(_top: *mut u8, work: extern "C" fn()) {
    work();
}
