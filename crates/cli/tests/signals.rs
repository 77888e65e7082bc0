//! Signals and job control pass through, once.
//!
//! Nothing here waits for time to pass: each step waits for a line that the program writes, or for a state that the
//! kernel reports.

mod harness;

use core::ffi::c_int;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, Stdio};

use harness::Folder;

/// Traps the named signal, says so, and reads on; ends with status 0 when its input ends.
const TRAP: &str =
    r#"trap "echo got" "$0"; echo ready; while read -r line || [ $? -gt 128 ]; do :; done; echo end"#;

struct Running {
    child: Child,
    input: ChildStdin,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { input: child.stdin.take().unwrap(), child, lines }
    }

    fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    fn kill(&self, signal: c_int) {
        // SAFETY: takes integers only; the process is our child, not yet waited for.
        unsafe { libc::kill(self.child.id().cast_signed(), signal) };
    }
}

#[test]
fn signal_to_the_command_reaches_the_program() {
    let folder = Folder::new("forward");
    for (name, signal) in
        [("TERM", libc::SIGTERM), ("INT", libc::SIGINT), ("HUP", libc::SIGHUP), ("USR1", libc::SIGUSR1)]
    {
        let mut running = Running::start(&mut folder.stratalloc(["run", "-q", "sh", "-c", TRAP, name]));
        assert_eq!(running.line().as_deref(), Some("ready"));
        running.kill(signal);
        assert_eq!(running.line().as_deref(), Some("got"), "{name}");
        let Running { mut child, input, mut lines } = running;
        drop(input);
        assert_eq!(lines.next().unwrap().unwrap(), "end");
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn untrapped_signal_ends_both() {
    let folder = Folder::new("untrapped");
    let mut running =
        Running::start(&mut folder.stratalloc(["run", "-q", "sh", "-c", "echo ready; read -r line"]));
    assert_eq!(running.line().as_deref(), Some("ready"));
    running.kill(libc::SIGTERM);
    assert_eq!(running.child.wait().unwrap().signal(), Some(libc::SIGTERM));
}

#[test]
fn killed_command_takes_the_program_along() {
    let folder = Folder::new("killed");
    let mut running =
        Running::start(&mut folder.stratalloc(["run", "-q", "sh", "-c", "echo ready; read -r line"]));
    assert_eq!(running.line().as_deref(), Some("ready"));
    running.kill(libc::SIGKILL);
    // The other end of the pipe closes when the program, too, is gone; our end of its input is still open.
    assert_eq!(running.line(), None);
    running.child.wait().unwrap();
}

#[test]
fn interrupted_comparison_stops() {
    let folder = Folder::new("interrupted");
    let mut command = folder.stratalloc(["run", "-q", "--compare", "--runs", "100", "--show-output"]);
    let mut running =
        Running::start(command.args(["sh", "-c", "trap 'exit 9' TERM; echo ready; read -r line"]));
    assert_eq!(running.line().as_deref(), Some("ready"));
    running.kill(libc::SIGTERM);
    assert_eq!(running.child.wait().unwrap().code(), Some(9));
    assert_eq!(running.line(), None, "no further run");
}

#[test]
fn stopped_program_without_a_terminal_can_be_continued_through_the_command() {
    let folder = Folder::new("continue");
    let mut command = folder.stratalloc(["run", "-q", "sh", "-c", "echo $$; kill -STOP $$; echo resumed"]);
    let session = || {
        // SAFETY: async-signal-safe; makes a session without a terminal.
        unsafe { libc::setsid() };
        Ok(())
    };
    // SAFETY: the closure makes one async-signal-safe call.
    let mut running = Running::start(unsafe { command.pre_exec(session) });
    let process: u32 = running.line().unwrap().parse().unwrap();
    await_state(process, 'T');
    running.kill(libc::SIGCONT);
    assert_eq!(running.line().as_deref(), Some("resumed"));
    assert!(running.child.wait().unwrap().success());
}

/// Returns when the kernel reports the state for a process that is not our child.
fn await_state(process: u32, state: char) {
    loop {
        let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        if text.rsplit(") ").next().unwrap().starts_with(state) {
            return;
        }
        std::thread::yield_now();
    }
}

/// At ctrl-C a terminal sends the signal and then drops what is on its way: that could be the answer to the signal.
fn keep_output_at_interrupt(terminal: &File) {
    let mut settings = core::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: a live local receives the settings of an open terminal.
    assert_eq!(unsafe { libc::tcgetattr(terminal.as_raw_fd(), settings.as_mut_ptr()) }, 0);
    // SAFETY: filled by the call above, which succeeded.
    let mut settings = unsafe { settings.assume_init() };
    settings.c_lflag |= libc::NOFLSH;
    // SAFETY: points to a live local.
    assert_eq!(unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw const settings) }, 0);
}

/// The command as the only job of a terminal of its own; returns our end of that terminal.
fn on_terminal(mut command: Command) -> (Child, File) {
    let (mut ours, mut theirs) = (0, 0);
    let null = core::ptr::null_mut();
    // SAFETY: two live locals receive the descriptors; null stands for "not wanted" and "as usual".
    let opened = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, null, null.cast(), null.cast()) };
    assert_eq!(opened, 0);
    // SAFETY: just opened, and owned by nobody else.
    let ours = unsafe { File::from_raw_fd(ours) };
    // SAFETY: just opened, and owned by nobody else.
    let theirs = unsafe { File::from_raw_fd(theirs) };
    keep_output_at_interrupt(&theirs);
    let (terminal, other) = (theirs.as_raw_fd(), ours.as_raw_fd());
    let setup = move || {
        // SAFETY: async-signal-safe.
        unsafe { libc::setsid() };
        // SAFETY: as above; the descriptor is open in the child.
        unsafe { libc::ioctl(terminal, libc::TIOCSCTTY, 0) };
        // SAFETY: as above; the child does not need the test's end.
        unsafe { libc::close(other) };
        Ok(())
    };
    let again = |file: &File| Stdio::from(file.try_clone().unwrap());
    command.stdin(again(&theirs)).stdout(again(&theirs)).stderr(again(&theirs));
    // SAFETY: the closure makes only async-signal-safe calls.
    let child = unsafe { command.pre_exec(setup) }.spawn().unwrap();
    (child, ours)
}

/// Reads until the text has been seen; a terminal's output ends with an error when the last user closes it.
fn read_until(lines: &mut impl BufRead, text: &str) {
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line).unwrap_or(0) == 0 {
            panic!("the terminal closed before {text}");
        }
        if line.contains(text) {
            return;
        }
    }
}

#[test]
fn stopped_job_is_seen_stopped_and_continues_as_one() {
    let folder = Folder::new("job");
    let (child, terminal) =
        on_terminal(folder.stratalloc(["run", "-q", "sh", "-c", "kill -STOP $$; echo resumed"]));
    let process = child.id().cast_signed();
    let mut status = 0;
    // SAFETY: a live local receives the status.
    assert_eq!(unsafe { libc::waitpid(process, &raw mut status, libc::WUNTRACED) }, process);
    assert!(libc::WIFSTOPPED(status), "{status:x}");
    // SAFETY: takes integers only; as a shell continues a job: the whole group.
    unsafe { libc::kill(-process, libc::SIGCONT) };
    read_until(&mut BufReader::new(&terminal), "resumed");
    // SAFETY: a live local receives the status.
    assert_eq!(unsafe { libc::waitpid(process, &raw mut status, 0) }, process);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:x}");
}

#[test]
fn control_c_of_the_terminal_reaches_the_program_and_spares_the_command() {
    let folder = Folder::new("control-c");
    let script =
        r#"trap "echo got" INT; echo ready; while read -r line || [ $? -gt 128 ]; do :; done; exit 4"#;
    let (mut child, terminal) = on_terminal(folder.stratalloc(["run", "sh", "-c", script]));
    let mut lines = BufReader::new(&terminal);
    read_until(&mut lines, "ready");
    (&terminal).write_all(b"\x03").unwrap();
    read_until(&mut lines, "got");
    (&terminal).write_all(b"\x04").unwrap();
    // To the end: a terminal that is closed earlier ends its session.
    let mut rest = String::new();
    while lines.read_line(&mut rest).unwrap_or(0) > 0 {}
    assert_eq!(child.wait().unwrap().code(), Some(4));
    // The colours show that the summary goes to a terminal.
    assert!(rest.contains("\x1b[1mstratalloc: "), "{rest:?}");
}
