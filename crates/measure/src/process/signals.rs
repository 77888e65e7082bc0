//! Signals and waiting: the few calls of the system that the standard library does not offer, each in a safe shell.
//!
//! Everything `unsafe` of this crate is in this file. A call that fails is an [`io::Error`].

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use core::time::Duration;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::{c_int, pid_t};

/// `SI_KERNEL`: the kernel itself sent the signal (for a terminal's signals: to the whole foreground group).
const SENT_BY_KERNEL: c_int = 0x80;

/// A signal taken off the queue, with what is needed to pass it on faithfully.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// The signal's number.
    pub(crate) signal: c_int,
    /// Whether the kernel sent it; a terminal's signals come so, and reach every process of the foreground group.
    pub(crate) from_kernel: bool,
    /// The process that sent it; 0 when no process did.
    pub(crate) sender: pid_t,
    /// The value that `sigqueue` gave it, when it came that way.
    pub(crate) value: Option<usize>,
}

/// A set of signals.
#[derive(Clone, Copy)]
pub(crate) struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// The set of `signals`.
    pub(crate) fn of(signals: impl IntoIterator<Item = c_int>) -> SignalSet {
        let mut set = MaybeUninit::uninit();
        // SAFETY: `sigemptyset` initialises the set that it is given; the pointer is to our own local.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: initialised by the call above.
        let mut set = unsafe { set.assume_init() };
        for signal in signals {
            // SAFETY: `set` is initialised; an invalid number is refused by the call with EINVAL.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        SignalSet(set)
    }

    /// Makes this set the mask of the calling thread; `how` is `SIG_BLOCK` or `SIG_SETMASK`. Returns the mask before.
    pub(crate) fn apply(&self, how: c_int) -> SignalSet {
        let mut before = SignalSet::of([]);
        // SAFETY: both sets are initialised and live through the call; safe after `fork` too (async-signal-safe).
        unsafe { libc::pthread_sigmask(how, &raw const self.0, &raw mut before.0) };
        before
    }

    /// Waits until a signal of the set is pending and takes it; `patience` of zero only looks. `None`: no signal came in time.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Option<Received> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let limit = patience.map(|time| libc::timespec {
            tv_sec: time.as_secs().cast_signed(),
            tv_nsec: time.subsec_nanos().into(),
        });
        loop {
            let limit = limit.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
            // SAFETY: the set is initialised, `info` is writable, `limit` is null or points to a live timespec.
            let signal = unsafe { libc::sigtimedwait(&raw const self.0, info.as_mut_ptr(), limit) };
            if signal > 0 {
                // SAFETY: zeroed at the start (all of its fields are integers and pointers) and filled by the kernel.
                let info = unsafe { info.assume_init() };
                return Some(Received::from(signal, &info));
            }
            if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
                return None;
            }
        }
    }
}

impl Received {
    fn from(signal: c_int, info: &libc::siginfo_t) -> Received {
        let sent =
            info.si_code == libc::SI_USER || info.si_code == libc::SI_TKILL || info.si_code == libc::SI_QUEUE;
        let sender = sent.then(|| {
            // SAFETY: the codes of `sent` say that the pid field of the union is the one in use.
            unsafe { info.si_pid() }
        });
        let value = (info.si_code == libc::SI_QUEUE).then(|| {
            // SAFETY: SI_QUEUE says that the value field of the union is the one in use.
            unsafe { info.si_value() }.sival_ptr.addr()
        });
        Received { signal, from_kernel: info.si_code == SENT_BY_KERNEL, sender: sender.unwrap_or(0), value }
    }

    /// Sends the same signal, with the same value if it had one, to `process`. A process that is gone is no error.
    pub(crate) fn pass_on(&self, process: pid_t) {
        let Some(value) = self.value else { return send(process, self.signal) };
        let value = libc::sigval { sival_ptr: core::ptr::without_provenance_mut(value) };
        // SAFETY: takes integers only; the receiver never dereferences the value for us.
        unsafe { libc::sigqueue(process, self.signal, value) };
    }
}

/// Sends `signal` to `process`; a process that is gone is no error.
pub(crate) fn send(process: pid_t, signal: c_int) {
    // SAFETY: takes integers only.
    unsafe { libc::kill(process, signal) };
}

/// Every signal that another process may send on purpose and that a program may catch: all but the faults of the
/// program itself, the two that nobody can catch, and `SIGCHLD`, which is about our own child.
pub(crate) fn forwardable() -> impl Iterator<Item = c_int> {
    const OWN: [c_int; 12] = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGCHLD,
        libc::SIGPIPE,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGSYS,
        libc::SIGABRT,
        libc::SIGXFSZ,
    ];
    // The numbers between the classic signals and SIGRTMIN belong to the C library.
    (1..32).filter(|signal| !OWN.contains(signal)).chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
}

/// Sets the disposition of `signal` (`SIG_DFL` or `SIG_IGN`) and returns the one before.
pub(crate) fn set_disposition(signal: c_int, disposition: libc::sighandler_t) -> libc::sighandler_t {
    // SAFETY: installs no handler of ours, only one of the two constants or what the process had at its start;
    // async-signal-safe.
    unsafe { libc::signal(signal, disposition) }
}

/// The disposition of `SIGPIPE` with which the command was started.
///
/// Rust's runtime ignores the signal before `main`, so the answer must be kept before the runtime runs: a program
/// started through us must see what it would have seen without us.
pub(crate) fn original_sigpipe() -> libc::sighandler_t {
    ORIGINAL_SIGPIPE.load(Relaxed)
}

static ORIGINAL_SIGPIPE: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);

extern "C" fn keep_sigpipe() {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only asks; `action` is writable.
    unsafe { libc::sigaction(libc::SIGPIPE, core::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeroed at the start, a struct of integers and an optional function pointer.
    let action = unsafe { action.assume_init() };
    ORIGINAL_SIGPIPE.store(action.sa_sigaction, Relaxed);
}

// The section takes pointers to functions that the loader calls before `main`; the function uses nothing of Rust's
// runtime.
#[unsafe(link_section = ".init_array")]
#[used]
static KEEP_SIGPIPE: extern "C" fn() = keep_sigpipe;

/// What the child of a launch sets right before it becomes the program.
#[derive(Clone, Copy)]
pub(crate) struct ChildSetup {
    /// The signal mask of our own parent's making.
    pub(crate) mask: SignalSet,
    /// The disposition of `SIGCHLD` with which we were started.
    pub(crate) sigchld: libc::sighandler_t,
    /// The disposition of `SIGPIPE` with which we were started.
    pub(crate) sigpipe: libc::sighandler_t,
}

/// Adds `setup` to `command`. This also makes the standard library use `fork` and not `vfork`, which the measurement
/// relies on: see the parent module.
pub(crate) fn prepare_child(command: &mut Command, setup: ChildSetup) {
    let parent = std::process::id().cast_signed();
    let closure = move || {
        set_disposition(libc::SIGCHLD, setup.sigchld);
        set_disposition(libc::SIGPIPE, setup.sigpipe);
        // A launcher that is killed the hard way takes the program along: nobody else knows of it.
        // SAFETY: takes integers only.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        // SAFETY: takes nothing.
        if unsafe { libc::getppid() } != parent {
            return Err(io::Error::from_raw_os_error(libc::ECANCELED));
        }
        setup.mask.apply(libc::SIG_SETMASK);
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes only async-signal-safe calls and allocates nothing.
    unsafe { command.pre_exec(closure) };
}

/// What `wait4` said about a child.
#[derive(Debug)]
pub(crate) enum ChildState {
    /// It ended by itself, with this status.
    Exited(c_int, Box<libc::rusage>),
    /// A signal ended it.
    Signalled(c_int, Box<libc::rusage>),
    /// It is stopped, and can go on.
    Stopped,
    /// Nothing new.
    Same,
}

/// Asks, without waiting, what became of the child.
pub(crate) fn child_state(process: pid_t) -> io::Result<ChildState> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to live locals of the right types.
    let found =
        unsafe { libc::wait4(process, &raw mut status, libc::WNOHANG | libc::WUNTRACED, usage.as_mut_ptr()) };
    if found < 0 {
        return Err(io::Error::last_os_error());
    }
    if found == 0 {
        return Ok(ChildState::Same);
    }
    // SAFETY: a struct of integers, zeroed at the start.
    let usage = Box::new(unsafe { usage.assume_init() });
    Ok(if libc::WIFEXITED(status) {
        ChildState::Exited(libc::WEXITSTATUS(status), usage)
    } else if libc::WIFSIGNALED(status) {
        ChildState::Signalled(libc::WTERMSIG(status), usage)
    } else if libc::WIFSTOPPED(status) {
        ChildState::Stopped
    } else {
        ChildState::Same
    })
}

/// Stops the calling process, as a terminal's ctrl-Z does; returns when it is continued.
pub(crate) fn stop_self() {
    // SAFETY: takes an integer only.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Ends the calling process by `signal`, so that its parent sees the same end as the program's, without a second core
/// file. Returns when the signal does not end a process (the first process of a container is immune).
pub fn end_by(signal: c_int) {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: points to a live local.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    set_disposition(signal, libc::SIG_DFL);
    SignalSet::of([signal]).apply(libc::SIG_UNBLOCK);
    // SAFETY: takes an integer only.
    unsafe { libc::raise(signal) };
}

/// The name of a signal, as `SIGTERM`; its number where it has no name of its own.
pub fn signal_name(signal: c_int) -> String {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
        "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
        "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let index = usize::try_from(signal).ok().and_then(|number| number.checked_sub(1));
    match index.and_then(|index| NAMES.get(index)) {
        Some(name) => format!("SIG{name}"),
        None => format!("signal {signal}"),
    }
}

/// The size of a page of the system.
pub(crate) fn page_size() -> u64 {
    // SAFETY: takes an integer only.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}
