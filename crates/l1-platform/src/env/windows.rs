//! A copy of the environment in UTF-8, in pages of its own that stay for the life of the process.
//!
//! ```text
//!   COPY ──► │length│ NAME=value │0│ NAME=value │0│ … │
//! ```
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `COPY`: install | Release | load | the bytes |
//! | `COPY`: load | Acquire | install | same |

use core::ptr::{self, NonNull};
use core::slice;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::value_of;
use crate::{kernel32, page, vm};

/// What stands before the bytes: how many they are.
const HEAD: usize = size_of::<usize>();

static COPY: AtomicPtr<usize> = AtomicPtr::new(ptr::null_mut());

pub(super) fn var(name: &[u8]) -> Option<&'static [u8]> {
    let copy = NonNull::new(COPY.load(Ordering::Acquire)).or_else(install)?;
    // SAFETY: written by `make`, and never changed or unmapped since.
    let length = unsafe { copy.read() };
    // SAFETY: as above.
    let bytes = unsafe { copy.cast::<u8>().add(HEAD) };
    // SAFETY: as above: so many bytes stand there.
    let text = unsafe { slice::from_raw_parts(bytes.as_ptr(), length) };
    text.split(|&byte| byte == 0).find_map(|entry| value_of(entry, name))
}

/// Makes the copy, unless another thread is faster.
#[cold]
fn install() -> Option<NonNull<usize>> {
    let strings = NonNull::new(kernel32::GetEnvironmentStringsW())?;
    let made = make(strings);
    // SAFETY: what the system gave, not used any more. A refusal would leave it behind.
    let _ = unsafe { kernel32::FreeEnvironmentStringsW(strings.as_ptr()) };
    let (fresh, size) = made?;
    match COPY.compare_exchange(ptr::null_mut(), fresh.as_ptr(), Ordering::Release, Ordering::Acquire) {
        Ok(_) => Some(fresh),
        Err(other) => {
            // SAFETY: reserved by `make`, and nobody else knows it.
            let _ = unsafe { vm::release(fresh.cast(), size) };
            NonNull::new(other)
        }
    }
}

/// The copy and the size of its reservation.
fn make(strings: NonNull<u16>) -> Option<(NonNull<usize>, usize)> {
    // SAFETY: a block of the system's: strings that end with a zero each, and another zero behind the last one.
    let units = unsafe { block(strings) };
    let characters = || char::decode_utf16(units.iter().copied()).map(|unit| unit.unwrap_or('\u{fffd}'));
    let length: usize = characters().map(char::len_utf8).sum();
    let size = (HEAD + length).next_multiple_of(page::size());
    let copy = vm::reserve(size, page::size(), vm::Access::ReadWrite).ok()?;
    // SAFETY: reserved just now, longer than the head.
    unsafe { copy.cast::<usize>().write(length) };
    // SAFETY: as above.
    let bytes = unsafe { copy.add(HEAD) };
    // SAFETY: so many bytes are there, zeros, and nobody else knows them.
    let mut rest = unsafe { slice::from_raw_parts_mut(bytes.as_ptr(), length) };
    for character in characters() {
        let written = character.encode_utf8(rest).len();
        rest = rest.get_mut(written..)?;
    }
    Some((copy.cast(), size))
}

/// The block without the zero at its end.
///
/// # Safety
///
/// It ends with two zeros, and lives as long as the answer is used.
unsafe fn block<'a>(start: NonNull<u16>) -> &'a [u16] {
    let mut length = 0;
    let mut before = 0;
    loop {
        // SAFETY: the end has not been reached: this function's contract.
        let place = unsafe { start.add(length) };
        // SAFETY: as above.
        let unit = unsafe { place.read() };
        if before == 0 && unit == 0 {
            break;
        }
        (length, before) = (length + 1, unit);
    }
    // SAFETY: read just now, each of them.
    unsafe { slice::from_raw_parts(start.as_ptr(), length) }
}
