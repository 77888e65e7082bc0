//! Refused accesses, each in a child process: the watcher is told, then whoever was to be told before, and the signal ends it.
#![cfg(all(target_os = "linux", not(miri)))]

mod this_program;

use core::ffi::c_int;
use core::fmt::Write;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use stratalloc_platform::access_fault::{self, AccessFault};
use stratalloc_platform::alternative_stack::AlternativeStack;
use stratalloc_platform::vm::{self, Access};
use stratalloc_platform::{page, process, report, stack};
use this_program::this_program;

const SIGSEGV: c_int = 11;
/// Names the test whose fault this process is to commit.
const VARIABLE: &str = "STRATALLOC_FAULT";

unsafe extern "C" {
    fn signal(number: c_int, handler: usize) -> usize;
    fn sigaction(number: c_int, new: *const Action, before: *mut Action) -> c_int;
    fn sigprocmask(how: c_int, new: *const [u32; 32], before: *mut [u32; 32]) -> c_int;
    safe fn raise(number: c_int) -> c_int;
}

/// libc's `struct sigaction`.
#[repr(C)]
struct Action {
    handler: extern "C" fn(c_int),
    mask: [u32; 32],
    flags: c_int,
    restorer: usize,
}

const NODEFER: c_int = 0x4000_0000;
const RESETHAND: c_int = c_int::MIN;

/// Installs `handler` for refused accesses, with these flags, and with the signals of `mask` held back.
fn install(handler: extern "C" fn(c_int), flags: c_int, mask: u32) {
    let mut set = [0; 32];
    set[0] = mask;
    let action = Action { handler, mask: set, flags, restorer: 0 };
    // SAFETY: a handler of the right type; nothing is written.
    assert_eq!(unsafe { sigaction(SIGSEGV, &raw const action, core::ptr::null_mut()) }, 0);
}

/// Tells which of the first 32 signals are held back.
extern "C" fn tell_mask(_: c_int) {
    let mut held = [0; 32];
    // SAFETY: asks; the set has libc's size.
    unsafe { sigprocmask(0, core::ptr::null(), &raw mut held) };
    let _ = writeln!(report::stderr(), "held back: {:#x}", held[0]);
}

/// Runs `fault` in a child process, this test program again, and returns how it ended and what it said.
fn child(test: &str, fault: impl FnOnce()) -> (ExitStatus, String) {
    child_of(test, 0, |_| fault())
}

/// As [`child`], for one of several cases of a test, whose number the fault gets.
fn child_of(test: &str, case: usize, fault: impl FnOnce(usize)) -> (ExitStatus, String) {
    if let Ok(wanted) = std::env::var(VARIABLE) {
        if let Some(case) = wanted.strip_prefix(test) {
            fault(case.trim().parse().unwrap());
        }
        std::process::exit(0);
    }
    let (mut child, name) = (this_program(), format!("{test} {case}"));
    let output = child.args(["--exact", test, "--nocapture"]).env(VARIABLE, name).output().unwrap();
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn tell(fault: AccessFault) {
    let AccessFault { address, stack_pointer } = fault;
    let _ = writeln!(report::stderr(), "told of {:#x} from a stack at {stack_pointer:#x}", address & 0xFFF);
}

/// A page that may not be accessed, with one before it that may.
fn closed_page() -> NonNull<u8> {
    let page = page::size();
    let range = vm::reserve(2 * page, page, Access::None).unwrap();
    // SAFETY: reserved above.
    unsafe { vm::commit(range, page) }.unwrap();
    // SAFETY: inside the reservation.
    unsafe { range.add(page) }
}

fn touch(address: *mut u8) {
    // SAFETY: not given: the fault is the test's purpose.
    unsafe { address.write_volatile(1) };
}

#[test]
fn a_fault_is_told_and_ends_the_process_by_its_signal() {
    let (status, said) = child("a_fault_is_told_and_ends_the_process_by_its_signal", || {
        access_fault::watch(tell).unwrap();
        access_fault::watch(tell).unwrap();
        touch(closed_page().as_ptr().wrapping_add(0x123));
    });
    assert_eq!(status.signal(), Some(SIGSEGV), "{said}");
    assert_eq!(said.matches("told of 0x123 from a stack at 0x").count(), 1, "{said}");
}

#[test]
fn the_handler_from_before_is_called_after_the_watcher() {
    extern "C" fn earlier(number: c_int) {
        let _ = writeln!(report::stderr(), "earlier handler of {number}");
        process::exit_at_once(7);
    }
    let (status, said) = child("the_handler_from_before_is_called_after_the_watcher", || {
        // SAFETY: installs a handler of the right type, which only writes and ends the process.
        unsafe { signal(SIGSEGV, (earlier as extern "C" fn(c_int) as *const ()).expose_provenance()) };
        access_fault::watch(tell).unwrap();
        touch(closed_page().as_ptr());
    });
    assert_eq!(status.code(), Some(7), "{said}");
    let told = said.find("told of 0x0").expect("the watcher's line");
    assert!(said.find("earlier handler of 11").is_some_and(|earlier| told < earlier), "{said}");
}

#[test]
fn the_handler_from_before_finds_the_signals_held_back_that_it_asked_for() {
    extern "C" fn earlier(number: c_int) {
        tell_mask(number);
        process::exit_at_once(7);
    }
    const USER_1: u32 = 1 << 9;
    const FAULT: u32 = 1 << (SIGSEGV - 1);
    let test = "the_handler_from_before_finds_the_signals_held_back_that_it_asked_for";
    const CASES: [(c_int, u32, u32); 4] =
        [(0, USER_1, USER_1 | FAULT), (NODEFER, USER_1, USER_1), (NODEFER, FAULT, FAULT), (NODEFER, 0, 0)];
    for (case, (_, _, held)) in CASES.into_iter().enumerate() {
        let (status, said) = child_of(test, case, |case| {
            let (flags, mask, _) = CASES[case];
            install(earlier, flags, mask);
            access_fault::watch(tell).unwrap();
            touch(closed_page().as_ptr());
        });
        assert_eq!(status.code(), Some(7), "{said}");
        assert!(said.contains(&format!("held back: {held:#x}\n")), "{held:#x}: {said}");
    }
}

#[test]
fn a_handler_that_wants_to_be_called_once_is() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn earlier(_: c_int) {
        let _ = writeln!(report::stderr(), "earlier handler");
        if CALLS.fetch_add(1, Ordering::Relaxed) != 0 {
            process::exit_at_once(7);
        }
    }
    let (status, said) = child("a_handler_that_wants_to_be_called_once_is", || {
        install(earlier, RESETHAND, 0);
        access_fault::watch(tell).unwrap();
        // The handler returns without a change, so the access is tried again.
        touch(closed_page().as_ptr());
    });
    assert_eq!(status.signal(), Some(SIGSEGV), "{said}");
    assert_eq!(
        (said.matches("told of 0x0").count(), said.matches("earlier handler").count()),
        (2, 1),
        "{said}"
    );
}

#[test]
fn a_signal_that_was_sent_is_no_fault_and_ends_the_process_all_the_same() {
    let (status, said) =
        child("a_signal_that_was_sent_is_no_fault_and_ends_the_process_all_the_same", || {
            const DEFAULT: usize = 0;
            // SAFETY: the system's own action instead of that of Rust's runtime.
            unsafe { signal(SIGSEGV, DEFAULT) };
            access_fault::watch(tell).unwrap();
            raise(SIGSEGV);
            let _ = writeln!(report::stderr(), "still here");
        });
    assert_eq!(status.signal(), Some(SIGSEGV), "{said}");
    assert!(!said.contains("told of") && !said.contains("still here"), "{said}");
}

#[test]
fn an_overflow_is_told_on_the_alternative_stack() {
    const SIZE: usize = 64 << 10;
    #[expect(unconditional_recursion, reason = "the overflow is the test's purpose")]
    fn deeper(depth: usize) -> usize {
        core::hint::black_box([depth; 100])[depth % 100] + deeper(depth + 1)
    }
    extern "C" fn overflow() {
        core::hint::black_box(deeper(0));
    }
    let (status, said) = child("an_overflow_is_told_on_the_alternative_stack", || {
        let _stack = AlternativeStack::install().unwrap();
        access_fault::watch(tell).unwrap();
        let page = page::size();
        let range = vm::reserve(page + SIZE, page, Access::None).unwrap();
        // SAFETY: inside the reservation.
        let start = unsafe { range.add(page) };
        // SAFETY: as above.
        unsafe { vm::commit(start, SIZE) }.unwrap();
        // SAFETY: writable, nobody else's; the call ends the process.
        unsafe { stack::call_on(start.as_ptr().wrapping_add(SIZE), overflow) };
    });
    assert_eq!(status.signal(), Some(SIGSEGV), "{said}");
    assert_eq!(said.matches("told of").count(), 1, "{said}");
}
