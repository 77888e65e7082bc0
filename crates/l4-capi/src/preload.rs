//! `STRATALLOC_ONLY_CHILD_OF=<pid>`: `stratalloc run` without `--follow` observes the one process that it starts.
//!
//! ```text
//!   stratalloc run (pid N) --> the program: child of N, summarised; may `exec` another program and stays observed
//!                                 +--> a process that it starts: not a child of N, so it leaves no summary and takes
//!                                      the library out of `LD_PRELOAD`: what it starts has the system's heap again
//! ```

use crate::os;
use core::ffi::c_char;
use core::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// Part of the file name of this library, under which `LD_PRELOAD` knows it.
const NAME: &[u8] = b"libstratalloc";

/// The process whose children are observed; 0 means that all are.
static OBSERVER: AtomicI32 = AtomicI32::new(0);

/// Remembers the value of the variable; what is no process number is as none.
pub(crate) fn observe_only_children_of(value: &[u8]) {
    let parse = |sum: i32, &digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| i32::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    OBSERVER.store(value.iter().try_fold(0, parse).unwrap_or(0), Relaxed);
}

/// Is this process to be observed? Asked again at exit, because a process that was forked inherits the answer.
pub(crate) fn is_observed() -> bool {
    let observer = OBSERVER.load(Relaxed);
    observer == 0 || os::getppid() == observer
}

/// Cuts this library out of one entry of the environment if the entry is `LD_PRELOAD`; true if nothing remains of it.
///
/// # Safety
///
/// `entry` is a string of the environment, which nobody else reads or writes meanwhile.
pub(crate) unsafe fn cut_out(entry: *mut c_char) -> bool {
    const VARIABLE: &[u8] = b"LD_PRELOAD=";
    // SAFETY: contract of this function: a string with a zero at its end.
    let length = unsafe { core::ffi::CStr::from_ptr(entry) }.count_bytes();
    // SAFETY: contract of this function: these bytes are ours, and a zero follows them.
    let bytes = unsafe { core::slice::from_raw_parts_mut(entry.cast::<u8>(), length + 1) };
    if !bytes.starts_with(VARIABLE) {
        return false;
    }
    let Some(value) = bytes.get_mut(VARIABLE.len()..) else {
        return false;
    };
    without_us(value) == 0
}

/// Moves the parts of a `:`- or blank-separated list, ended by a zero, that are not this library to its front; returns
/// the length of what remains.
fn without_us(list: &mut [u8]) -> usize {
    let end = list.len() - usize::from(!list.is_empty());
    let (mut from, mut kept) = (0, 0);
    while from < end {
        let rest = list.get(from..end).unwrap_or(&[]);
        let length = rest.iter().position(|&byte| byte == b':' || byte == b' ').unwrap_or(rest.len());
        let part = rest.get(..length).unwrap_or(&[]);
        let file = part.rsplit(|&byte| byte == b'/').next().unwrap_or(part);
        if !part.is_empty() && !file.starts_with(NAME) {
            if kept != 0 {
                put(list, kept, b':');
                kept += 1;
            }
            for index in from..from + length {
                let byte = list.get(index).copied().unwrap_or(0);
                put(list, kept, byte);
                kept += 1;
            }
        }
        from += length + 1;
    }
    put(list, kept, 0);
    kept
}

/// `list[index] = byte`, without a panic path.
fn put(list: &mut [u8], index: usize, byte: u8) {
    if let Some(place) = list.get_mut(index) {
        *place = byte;
    }
}
