//! What `/proc` tells of a process.

use core::ffi::CStr;

use crate::sys::{self, nr};
use crate::text;

/// When the calling process began, in ticks.
pub(super) fn own_start(id: u32) -> Option<u32> {
    if is_shifted() { None } else { Some(stat(id)?.start) }
}

pub(super) fn is_running(id: u32, start: u32) -> bool {
    match stat(id) {
        // A main thread that has ended is a zombie while its process goes on with other threads.
        Some(stat) => stat.start == start && !(matches!(stat.state, b'Z' | b'X') && stat.threads <= 1),
        // Hidden, or gone between two looks, or never there.
        None => exists(id),
    }
}

/// What `/proc/ID/stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: u8,
    threads: u64,
    start: u32,
}

fn stat(id: u32) -> Option<Stat> {
    let mut path = *b"/proc/\0\0\0\0\0\0\0\0\0\0/stat\0";
    let mut digits = [0; 10];
    let (mut rest, mut first) = (id, digits.len());
    while rest > 0 || first == digits.len() {
        first -= 1;
        digits[first] = b'0' + u8::try_from(rest % 10).ok()?;
        rest /= 10;
    }
    let digits = digits.get(first..)?;
    let end = 6 + digits.len();
    path.get_mut(6..end)?.copy_from_slice(digits);
    path.get_mut(end..end + 6)?.copy_from_slice(b"/stat\0");
    let mut buffer = [0; 512];
    parse(text::read_file(CStr::from_bytes_until_nul(&path).ok()?, &mut buffer)?)
}

/// `id (name) state parent …`: the name may have spaces and parentheses; threads and start are the fields 20 and 22.
fn parse(text: &[u8]) -> Option<Stat> {
    let name_end = text.iter().rposition(|&byte| byte == b')')?;
    let mut fields = text.get(name_end + 2..)?.split(|&byte| byte == b' ');
    let state = *fields.next()?.first()?;
    let (threads, _) = text::number(fields.nth(16)?)?;
    let (start, _) = text::number(fields.nth(1)?)?;
    Some(Stat { state, threads, start: u32::try_from(start & 0xffff_ffff).ok()? })
}

/// Whether this process is told other times since the machine's start than most.
fn is_shifted() -> bool {
    let mut buffer = [0; 128];
    // Kernels without time namespaces (before 5.5) have no such file.
    text::read_file(c"/proc/self/timens_offsets", &mut buffer).is_some_and(shifts_boottime)
}

/// `monotonic SECONDS NANOSECONDS`, and a line `boottime` likewise: the clock by which starts are told.
fn shifts_boottime(text: &[u8]) -> bool {
    let mut lines = text.split(|&byte| byte == b'\n');
    let shift = lines.find_map(|line| line.strip_prefix(b"boottime"));
    shift.is_some_and(|shift| shift.iter().any(|byte| !matches!(byte, b' ' | b'0')))
}

/// Whether there is a process of this id, or the kernel does not say.
fn exists(id: u32) -> bool {
    const ESRCH: i32 = 3;
    // An id of 0 would mean the caller's group.
    if id == 0 {
        return false;
    }
    // SAFETY: kill with signal 0 sends nothing and touches no memory.
    let answer = unsafe { sys::call(nr::KILL, [id as usize, 0, 0, 0, 0, 0]) };
    answer.err().is_none_or(|error| error.code() != ESRCH)
}

#[cfg(all(test, not(miri)))]
mod tests {
    extern crate alloc;
    extern crate std;

    use super::super::Mark;
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_name_of_a_process_may_be_anything() {
        let text = b"7 (a) b) (c) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 4294967299 5 6";
        assert_eq!(parse(text), Some(Stat { state: b'S', threads: 3, start: 3 }));
        assert_eq!(parse(b"7 (a) S 1"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn a_shift_is_a_number_that_is_not_zero() {
        let none = b"monotonic          -5         0\nboottime            0         0\n";
        assert!(!shifts_boottime(none) && !shifts_boottime(b"") && !shifts_boottime(b"monotonic 1 1"));
        assert!(shifts_boottime(b"monotonic           0         0\nboottime         1000         0\n"));
        assert!(shifts_boottime(b"boottime           -1         0\n"));
        assert!(shifts_boottime(b"boottime            0 500000000\n"));
    }

    /// Who is told another start than the others are would be taken for dead by them.
    #[test]
    fn whoever_is_in_a_shifted_time_namespace_gets_no_mark() {
        const SHIFTED: &str = "STRATALLOC_SHIFTED";
        if std::env::var_os(SHIFTED).is_some() {
            assert_eq!(Mark::own(), None);
            std::println!("no mark");
            return;
        }
        let shifted = || {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--time", "--boottime", "1000", "--fork"]);
            command.arg(std::env::current_exe().unwrap());
            command
        };
        let may = shifted().arg("--list").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !may.is_ok_and(|status| status.success()) {
            std::eprintln!(
                "not tried: this user may not make a time namespace, or start an emulated program in it"
            );
            return;
        }
        let name = "process::mark::port::tests::whoever_is_in_a_shifted_time_namespace_gets_no_mark";
        let output = shifted().args(["--exact", name, "--nocapture"]).env(SHIFTED, "1").output().unwrap();
        let said = alloc::string::String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("no mark"), "{said}");
    }

    #[test]
    fn a_killed_process_does_not_run_before_and_after_it_is_waited_for() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mark = {
            let start = stat(child.id()).unwrap().start;
            Mark::of(child.id(), start).unwrap()
        };
        assert!(mark.is_running());
        child.kill().unwrap();
        while mark.is_running() {
            std::thread::yield_now();
        }
        assert_eq!(stat(child.id()).map(|stat| stat.state), Some(b'Z'), "not waited for yet");
        child.wait().unwrap();
        assert!(!mark.is_running());
    }
}
