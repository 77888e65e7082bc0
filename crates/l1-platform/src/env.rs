//! The environment, read in place: no copy, no allocation, no `getenv`. On Windows, whose environment is in UTF-16, a copy is made
//! once.

#[cfg(not(windows))]
#[path = "env/linux.rs"]
mod port;
#[cfg(windows)]
#[path = "env/windows.rs"]
mod port;

#[cfg(all(test, not(any(miri, windows))))]
pub(crate) use port::first_stack;

/// The value of the variable `name`.
///
/// Works before `main`, also in the first `malloc` that the dynamic linker makes before libc has set `environ`: the
/// strings are then found where the kernel put them, on the first stack.
///
/// The bytes belong to the environment. A program that changes its environment (`setenv`, `putenv`) in another thread,
/// or later, may change or free them, as with `getenv`: ask at the start, before the program's own code runs, and copy
/// what is to be kept.
///
/// On Windows names are the same in capital and small letters (of ASCII), and the environment is that of the first question, in UTF-8:
/// later changes are not seen. `None` also if there is no memory for the copy.
#[must_use]
pub fn var(name: &[u8]) -> Option<&'static [u8]> {
    port::var(name)
}

/// `value` if `entry` is `name=value`.
fn value_of<'a>(entry: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = entry.split_at_checked(name.len())?;
    let same = if cfg!(windows) { start.eq_ignore_ascii_case(name) } else { start == name };
    rest.strip_prefix(b"=").filter(|_| same)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn finds_every_variable_that_std_finds() {
        for (name, value) in std::env::vars_os() {
            assert_eq!(var(name.as_encoded_bytes()), Some(value.as_encoded_bytes()), "{name:?}");
        }
    }

    #[test]
    fn a_name_is_matched_whole() {
        assert_eq!(value_of(b"NAME=value=x", b"NAME"), Some(&b"value=x"[..]));
        assert_eq!(value_of(b"NAME=", b"NAME"), Some(&b""[..]));
        assert_eq!(value_of(b"NAMES=value", b"NAME"), None);
        assert_eq!(value_of(b"NAM=value", b"NAME"), None);
        assert_eq!(value_of(b"NAME", b"NAME"), None);
        assert!(cfg!(miri) || var(b"PATH").is_some());
        assert_eq!(var(b"STRATALLOC_SURELY_ABSENT"), None);
    }

    #[cfg(windows)]
    #[test]
    fn names_differ_in_more_than_case() {
        let whole = std::env::vars_os().find(|(name, _)| name.eq_ignore_ascii_case("path")).unwrap();
        assert_eq!(var(b"pAtH"), Some(whole.1.as_encoded_bytes()));
    }
}
