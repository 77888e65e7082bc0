//! Configuration: `STRATALLOC_CONF="key:value,…"` and `STRATALLOC_<KEY>=value`, read once, when the library is loaded.
//!
//! The single variables come after the string, so they win. What the keys are is the heap's business; a key or value
//! that it refuses is reported in one line on standard error and ignored. A privileged process ignores them all.

use crate::{preload, summary, text};
use core::ffi::{CStr, c_char};
use stratalloc_heap as heap;

/// All names of ours begin so.
const PREFIX: &[u8] = b"STRATALLOC_";
/// Names behind the prefix that are not keys of the heap: the string, the summary's path, the command line's own.
const RESERVED: [&[u8]; 5] = [b"CONF", b"SUMMARY", b"LIBRARY", b"ONLY_CHILD_OF", b"PEERS"];

unsafe extern "C" {
    /// The environment: pointers to `NAME=value`, the last one null.
    static mut environ: *mut *mut c_char;
}

/// Applies everything that the environment says about stratalloc.
#[inline(never)]
pub(crate) fn read_environment() {
    if let Some(path) = variable(b"SUMMARY") {
        summary::ask_for(path);
    }
    if let Some(observer) = variable(b"ONLY_CHILD_OF") {
        preload::observe_only_children_of(observer);
    }
    if let Some(string) = variable(b"CONF") {
        apply_string(string);
    }
    for (name, value) in ours() {
        if !RESERVED.contains(&name) {
            apply_variable(name, value);
        }
    }
    if !preload::is_observed() {
        drop_preload();
    }
}

/// Takes this library out of what the processes started by this one will preload.
fn drop_preload() {
    // SAFETY: as in `entries`.
    let mut place = unsafe { environ };
    while let Some(entry) = entry_at(place) {
        // SAFETY: a string of the environment, at load, when nobody else looks at it.
        if unsafe { preload::cut_out(entry) } {
            remove(place);
        } else {
            // SAFETY: the entry was not the null at the end, so there is another one.
            place = unsafe { place.add(1) };
        }
    }
}

/// Removes the entry at `place` from the environment by moving those behind it.
fn remove(mut place: *mut *mut c_char) {
    while entry_at(place).is_some() {
        // SAFETY: the entry here was not the null at the end, so there is another one.
        let following = unsafe { place.add(1) };
        // SAFETY: an entry or the null at the end.
        let moved = unsafe { following.read() };
        // SAFETY: a place in the environment, which nobody else looks at yet.
        unsafe { place.write(moved) };
        place = following;
    }
}

/// The entry at a place in the environment; none at its end, or if there is no environment.
fn entry_at(place: *mut *mut c_char) -> Option<*mut c_char> {
    if place.is_null() {
        return None;
    }
    // SAFETY: not behind the null at the end, because every caller stops there.
    let entry = unsafe { place.read() };
    (!entry.is_null()).then_some(entry)
}

/// The pairs of `key:value,key:value`; blanks around them and empty pairs are allowed.
fn apply_string(string: &'static [u8]) {
    for pair in string.split(|&byte| byte == b',') {
        let pair = pair.trim_ascii();
        if pair.is_empty() {
            continue;
        }
        match cut(pair, b':') {
            Some((key, value)) => apply(key.trim_ascii(), value.trim_ascii()),
            None => complain(pair, "has no value (want key:value)"),
        }
    }
}

/// `STRATALLOC_SOME_KEY=value` is the pair `some_key:value`.
fn apply_variable(name: &[u8], value: &[u8]) {
    let mut buffer = [0; 64];
    let Some(key) = buffer.get_mut(..name.len()) else {
        return complain(name, "is unknown");
    };
    key.copy_from_slice(name);
    key.make_ascii_lowercase();
    apply(key, value);
}

/// Hands one pair to the heap.
fn apply(key: &[u8], value: &[u8]) {
    match heap::configure(key, value) {
        Ok(()) => {}
        Err(heap::ConfigError::UnknownKey) => complain(key, "is unknown"),
        Err(heap::ConfigError::NotANumber) => complain(key, "has a value that is no number"),
        Err(heap::ConfigError::OutOfRange) => complain(key, "has a value outside its range"),
    }
}

/// One line about one setting.
#[cold]
#[inline(never)]
fn complain(key: &[u8], what: &str) {
    text::complaint().str("the setting '").quoted(key).str("' ").str(what).str("; ignored\n");
}

/// The value of the variable with the prefix and `name`; the first one counts, as for `getenv`.
fn variable(name: &[u8]) -> Option<&'static [u8]> {
    ours().find(|&(found, _)| found == name).map(|(_, value)| value)
}

/// Name (behind the prefix) and value of each variable of ours.
fn ours() -> impl Iterator<Item = (&'static [u8], &'static [u8])> {
    entries().filter_map(|entry| cut(entry.strip_prefix(PREFIX)?, b'='))
}

/// Every entry of the environment as it was when the library was loaded.
fn entries() -> impl Iterator<Item = &'static [u8]> {
    // SAFETY: the C library has set this before any constructor but its own runs, and no thread changes it yet.
    let mut next = unsafe { environ };
    core::iter::from_fn(move || {
        let entry = entry_at(next)?;
        // SAFETY: the entry was not the null at the end, so there is another one.
        next = unsafe { next.add(1) };
        // SAFETY: an entry is a string with a zero at its end, and lives on the stack of the process.
        Some(unsafe { CStr::from_ptr(entry) }.to_bytes())
    })
}

/// The parts before and behind the first `at`.
fn cut(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|&byte| byte == at)?;
    Some((bytes.get(..position)?, bytes.get(position + 1..)?))
}
