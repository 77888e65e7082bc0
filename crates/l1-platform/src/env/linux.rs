//! The array that libc keeps, and what the kernel left on the first stack.

use core::ffi::{CStr, c_char};
use core::ptr;

use super::value_of;

#[cfg_attr(not(miri), link(name = "c"))]
unsafe extern "C" {
    /// POSIX: the array of `NAME=value` strings, ended by a null pointer.
    static environ: *const *const c_char;
}

pub(super) fn var(name: &[u8]) -> Option<&'static [u8]> {
    // SAFETY: libc defines it with this type; a read by value.
    let array = unsafe { environ };
    if array.is_null() { first_stack::var(name) } else { in_array(array, name) }
}

/// Looks through a null-terminated array of strings.
fn in_array(mut entry: *const *const c_char, name: &[u8]) -> Option<&'static [u8]> {
    loop {
        // SAFETY: the array ends with a null pointer and we have not passed it.
        let text = unsafe { ptr::read(entry) };
        if text.is_null() {
            return None;
        }
        // SAFETY: entries are NUL-terminated strings that live as long as the environment is not changed (see `var`).
        let text = unsafe { CStr::from_ptr(text) }.to_bytes();
        if let Some(value) = value_of(text, name) {
            return Some(value);
        }
        // SAFETY: this entry was not the null pointer at the end, so there is a next one.
        entry = unsafe { entry.add(1) };
    }
}

/// The environment as `execve` left it: strings one after the other at the end of the main thread's stack.
pub(crate) mod first_stack {
    use core::{ptr, slice};

    use super::value_of;
    use crate::text;

    pub(super) fn var(name: &[u8]) -> Option<&'static [u8]> {
        let mut buffer = [0; 1024];
        let (start, end) = bounds(text::read_file(c"/proc/self/stat", &mut buffer)?)?;
        let length = end.checked_sub(start).filter(|&length| length != 0)?;
        // SAFETY: the kernel copied the environment to `start .. end` of this address space, where it stays mapped and
        // readable for the life of the process (it is part of the main thread's stack).
        let block = unsafe { slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(start), length) };
        block.split(|&byte| byte == 0).find_map(|entry| value_of(entry, name))
    }

    /// qemu's user mode leaves these fields out (and accepts advice that it does not follow): for tests.
    #[cfg(all(test, not(miri)))]
    pub(crate) fn emulated() -> bool {
        let mut buffer = [0; 1024];
        text::read_file(c"/proc/self/stat", &mut buffer).and_then(bounds).is_none()
    }

    /// Fields 50 and 51 (`env_start`, `env_end`) of `/proc/self/stat`, counted from 1. The second field is the
    /// program's name in parentheses and may contain anything: count from the last parenthesis.
    fn bounds(stat: &[u8]) -> Option<(usize, usize)> {
        let name_end = stat.iter().rposition(|&byte| byte == b')')?;
        let mut fields = stat.get(name_end + 2..)?.split(|&byte| byte == b' ');
        let mut next = |skip| usize::try_from(text::number(fields.nth(skip)?)?.0).ok();
        // Field 3 is the first here.
        Some((next(50 - 3)?, next(0)?))
    }

    #[cfg(all(test, not(miri)))]
    mod tests {
        extern crate alloc;
        extern crate std;
        use super::*;
        use std::os::unix::ffi::OsStrExt;

        #[test]
        fn finds_what_the_process_was_started_with() {
            if emulated() {
                return;
            }
            // `std` reads the current environment; nothing in these tests changes PATH.
            let path = std::env::var_os("PATH").unwrap();
            assert_eq!(var(b"PATH"), Some(path.as_bytes()));
            assert_eq!(var(b"STRATALLOC_SURELY_ABSENT"), None);
        }

        #[test]
        fn odd_program_names_do_not_shift_the_fields() {
            let mut text = alloc::string::String::from("1 (a) b) R");
            for field in 4..=52 {
                text.push_str(&alloc::format!(" {field}"));
            }
            assert_eq!(bounds(text.as_bytes()), Some((50, 51)));
            assert_eq!(bounds(b"1 (a"), None);
            assert_eq!(bounds(b"1 (a) R 1 2"), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_environment_has_nothing() {
        let empty: [*const c_char; 1] = [ptr::null()];
        assert_eq!(in_array(empty.as_ptr(), b"PATH"), None);
    }
}
