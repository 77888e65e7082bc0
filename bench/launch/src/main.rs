//! `bench-launch SECONDS PROGRAM ARGUMENTS…`: runs a program, then prints what the kernel counted for it.
//!
//! The kernel starts a child's peak resident size from that of the process it was forked from, so a launcher with a
//! run-time and a heap puts a floor under every figure. This one has neither: no libc, no loader, a handful of pages.
//!
//! ```text
//!   driver ──spawn──► bench-launch ──clone──► (copy) ──execve──► runner
//!                         └── wait4 ◄── status, rusage ─────────────┘
//!   stdout:  what the runner printed, then
//!            launched STATUS USER_US SYSTEM_US PEAK_KIB MINOR MAJOR VOLUNTARY INVOLUNTARY WALL_NS
//! ```
//!
//! The child is killed by an alarm after SECONDS, and when the launcher dies. The environment is passed on.

#![no_std]
#![no_main]

mod system;

use system::{Rusage, Timer, Timespec, call, number};

/// Signal numbers and option values of Linux, the same on every architecture that `system` knows.
const SIGCHLD: usize = 17;
const SIGKILL: usize = 9;
const PR_SET_PDEATHSIG: usize = 1;
const CLOCK_MONOTONIC: usize = 1;
const STDOUT: usize = 1;

/// Where the entry point leads: `stack` holds the argument count, the arguments, a null, the environment.
///
/// # Safety
/// `stack` is the stack pointer that the kernel gave to a new program.
#[unsafe(no_mangle)]
unsafe extern "C" fn launch(stack: *const usize) -> ! {
    // SAFETY: the kernel put the argument count there.
    let count = unsafe { stack.read() };
    if count < 3 {
        say(b"usage: bench-launch SECONDS PROGRAM [ARGUMENTS]\n");
        exit(2);
    }
    // SAFETY: the words after the count are the arguments: at least 3, the first of them this program's own name.
    let arguments = unsafe { stack.add(1) };
    // SAFETY: as above: the second argument.
    let seconds = unsafe { arguments.add(1) };
    // SAFETY: as above.
    let seconds = unsafe { seconds.read() };
    // SAFETY: as above: the third.
    let program = unsafe { arguments.add(2) };
    // SAFETY: the environment follows the arguments and their null.
    let environment = unsafe { arguments.add(count + 1) };

    // SAFETY: arguments are strings that end with a zero.
    let seconds = unsafe { parse(seconds as *const u8) };
    let start = now();
    // SAFETY: a plain fork: no shared memory, no new stack.
    let child = unsafe { call(number::CLONE, [SIGCHLD, 0, 0, 0, 0]) };
    if child == 0 {
        // SAFETY: `program` points to the argument list, whose first entry is the path.
        unsafe { become_program(seconds, program, environment) };
    }
    if child < 0 {
        say(b"bench-launch: cannot fork\n");
        exit(2);
    }
    let mut status = 0_i32;
    let mut usage = Rusage::default();
    let arguments = [child.cast_unsigned(), address(&raw mut status), 0, address(&raw mut usage), 0];
    // SAFETY: both results are written to live locals of the right layout.
    let waited = unsafe { call(number::WAIT4, arguments) };
    if waited < 0 {
        say(b"bench-launch: cannot wait\n");
        exit(2);
    }
    report(i64::from(status), &usage, now() - start);
    exit(0)
}

/// The copy's way: arm the alarm, tie the life to the parent's, and become the program.
///
/// # Safety
/// `program` and `environment` are lists of strings as `execve` takes them.
unsafe fn become_program(seconds: i64, program: *const usize, environment: *const usize) -> ! {
    let timer = Timer { interval: [0, 0], value: [seconds, 0] };
    // SAFETY: the timer is read only. Timers outlive `execve`.
    unsafe { call(number::SETITIMER, [0, address(&raw const timer), 0, 0, 0]) };
    // SAFETY: no memory involved.
    unsafe { call(number::PRCTL, [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]) };
    // SAFETY: this function's contract.
    let path = unsafe { program.read() };
    // SAFETY: this function's contract.
    unsafe { call(number::EXECVE, [path, address(program), address(environment), 0, 0]) };
    say(b"bench-launch: cannot execute the program\n");
    exit(127)
}

/// Prints the line of figures.
fn report(status: i64, usage: &Rusage, wall: i64) {
    let micros = |time: [i64; 2]| time[0] * 1_000_000 + time[1];
    let figures = [
        status,
        micros(usage.user),
        micros(usage.system),
        usage.peak_kib,
        usage.minor_faults,
        usage.major_faults,
        usage.voluntary_switches,
        usage.involuntary_switches,
        wall,
    ];
    say(b"launched");
    for figure in figures {
        say_number(figure);
    }
    say(b"\n");
}

/// A space and a number in decimal.
fn say_number(value: i64) {
    // 20 digits hold any 64-bit number; one more byte for the space.
    let mut text = [b' '; 21];
    let mut first = text.len();
    let mut rest = value.unsigned_abs();
    loop {
        first -= 1;
        // A digit fits a byte.
        text[first] = b'0' + (rest % 10).to_le_bytes()[0];
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    say(&text[first - 1..]);
}

/// Writes to standard output; there is nobody to tell when that fails.
fn say(text: &[u8]) {
    // SAFETY: the text is read only.
    unsafe { call(number::WRITE, [STDOUT, address(text.as_ptr()), text.len(), 0, 0]) };
}

/// Nanoseconds of the monotonic clock.
fn now() -> i64 {
    let mut time = Timespec::default();
    // SAFETY: the result is written to a live local of the right layout.
    unsafe { call(number::CLOCK_GETTIME, [CLOCK_MONOTONIC, address(&raw mut time), 0, 0, 0]) };
    time.seconds * 1_000_000_000 + time.nanoseconds
}

/// A number in decimal; parsing stops at the first other character.
///
/// # Safety
/// `text` ends with a zero.
unsafe fn parse(mut text: *const u8) -> i64 {
    let mut value = 0;
    loop {
        // SAFETY: not past the terminating zero, which ends the loop.
        let digit = unsafe { text.read() };
        if !digit.is_ascii_digit() {
            return value;
        }
        value = value * 10 + i64::from(digit - b'0');
        // SAFETY: the text goes on at least to its zero.
        text = unsafe { text.add(1) };
    }
}

fn address<T>(pointer: *const T) -> usize {
    pointer.expose_provenance()
}

fn exit(code: usize) -> ! {
    loop {
        // SAFETY: does not return.
        unsafe { call(number::EXIT_GROUP, [code, 0, 0, 0, 0]) };
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Unreachable: nothing here indexes out of bounds or overflows in a release build; the compiler wants a handler.
    exit(3)
}
