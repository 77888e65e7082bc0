//! The memory summary: `STRATALLOC_SUMMARY=<prefix>` makes the process leave `<prefix>.<pid>` when it ends.
//!
//! The file has lines `key value`, ASCII, numbers in decimal; readers ignore keys that they do not know. Which ends
//! there are is in [`ends`]; a signal leaves no summary. The prefix is copied at load: programs rewrite their
//! environment, some (to change their title) in place. Nothing is said if the file cannot be written: the reader sees
//! that it is missing, and the program's standard error is the program's.
//!
//! **Children.** A forked child that is observed (see [`preload`]) leaves a summary of its own. A `vfork` child has a
//! number of its own too, but runs in its parent's memory until it calls `exec` or `_exit`: it may write nothing
//! there. Only a fork runs the handlers of `pthread_atfork`, and one of them renews [`OWNER`]; so a process that is
//! not the owner is in somebody else's memory (or was made by a bare `clone`), and leaves nothing.
//!
//! Runs in signal handlers: no lock, no allocation, a stack of its own. Other threads may go on meanwhile; the
//! figures are then those of about that moment.

use crate::report::{self, line};
use crate::text::Text;
use crate::{ends, own_stack, preload};
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use stratalloc_platform::report::{Report, file_create, file_open};
use stratalloc_platform::{clock, process, signals};

/// Longest path that is remembered, with the dot, the number and the zero at the end.
const CAPACITY: usize = 1024;
/// `.`, ten digits, zero.
const SUFFIX: usize = 12;

/// The prefix, written once at load by one thread, before the program's own code runs.
static mut PATH: [u8; CAPACITY] = [0; CAPACITY];
/// Length of the prefix; 0 means that no summary is wanted. Published after the bytes.
static LENGTH: AtomicUsize = AtomicUsize::new(0);
/// The process whose memory this is, if it has still to leave a summary; else 0. The process that takes its number out
/// writes: once, however many ends it comes to (`_exit` in a destructor, in two threads at once).
static OWNER: AtomicU32 = AtomicU32::new(0);
/// When the library was loaded.
static STARTED: AtomicU64 = AtomicU64::new(0);

/// Remembers that a summary is wanted and where. An empty or overlong prefix is as none.
pub(crate) fn ask_for(prefix: &[u8]) {
    let place = &raw mut PATH;
    if prefix.len() > CAPACITY - SUFFIX {
        return;
    }
    // SAFETY: called at load, when no other thread exists and nobody reads yet.
    let path = unsafe { &mut *place };
    for (to, &from) in path.iter_mut().zip(prefix) {
        *to = from;
    }
    STARTED.store(clock::monotonic_nanos(), Relaxed);
    LENGTH.store(prefix.len(), Relaxed);
    if !prefix.is_empty() {
        belongs_to_this_process();
        own_stack::prepare();
        ends::watch();
    }
}

/// Makes the calling process the owner. Runs at load, and in the child of a fork, which has one thread.
pub(crate) extern "C" fn belongs_to_this_process() {
    OWNER.store(process::id(), Relaxed);
}

/// Writes the summary if one is wanted, and of this process, and has not been written.
#[inline]
pub(crate) fn write() {
    if OWNER.load(Relaxed) != 0 {
        write_slow();
    }
}

#[cold]
#[inline(never)]
fn write_slow() {
    if OWNER.compare_exchange(process::id(), 0, Relaxed, Relaxed).is_ok() && preload::is_observed() {
        // SAFETY: whoever took the owner's number out is alone, also in a child, whose stack is its own; signals are held
        // back; nothing here unwinds.
        signals::held_back(|| unsafe { own_stack::run(write_file) });
    }
}

/// Writes the file.
extern "C" fn write_file() {
    let length = LENGTH.load(Relaxed);
    let place = &raw const PATH;
    // SAFETY: written once, at load, in the thread that all others descend from.
    let mut path = unsafe { *place };
    let suffix = path.get_mut(length..).unwrap_or(&mut []);
    append_number(suffix, process::id());
    let Some(path) = path.split_inclusive(|&byte| byte == 0).next() else {
        return;
    };
    let Ok(file) = file_create(path) else {
        return;
    };
    let mut out = Text::Descriptor(Report::new(file.fd()));
    process_lines(&mut out);
    report::statistics(&mut out);
}

/// What the process is and has used.
fn process_lines(out: &mut Text) {
    let mut name = [0; 16];
    let length = process::comm(&mut name);
    let usage = process::usage();
    let time = clock::monotonic_nanos().saturating_sub(STARTED.load(Relaxed));
    line(out, "", "version", 1);
    out.str("program ").quoted(name.get(..length).unwrap_or(&[])).str("\n");
    line(out, "", "time_ms", time / 1_000_000);
    line(out, "", "peak_rss_kib", peak_resident_kib().unwrap_or(usage.max_rss_kib));
    line(out, "", "resident_bytes", process::resident_bytes());
    line(out, "", "minor_faults", usage.minor_faults);
    line(out, "", "major_faults", usage.major_faults);
}

/// `VmHWM` of `/proc/self/status`: the peak of this program alone. `getrusage` begins with the peak of whatever called
/// `exec`, which is larger than a small program.
fn peak_resident_kib() -> Option<u64> {
    let mut buffer = [0; 4096];
    let length = file_open(b"/proc/self/status\0").ok()?.read(&mut buffer).ok()?;
    let text = buffer.get(..length)?;
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"VmHWM:"))?;
    let digits = line.iter().filter(|byte| byte.is_ascii_digit());
    Some(digits.fold(0_u64, |value, &digit| value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))))
}

/// Appends `.<number>`; the bytes behind it are zero already.
fn append_number(place: &mut [u8], number: u32) {
    let mut digits = [0; 10];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    let leading = digits.iter().take(9).take_while(|&&digit| digit == b'0').count();
    let text = core::iter::once(b'.').chain(digits.into_iter().skip(leading));
    for (to, from) in place.iter_mut().zip(text) {
        *to = from;
    }
}
