//! Access to memory that may not be accessed: who tried, and where was its stack?
//!
//! ```text
//!   access ──► kernel ──► handler, on the thread's alternative stack ──► watcher: reports
//!                            │                                            (a function of a layer above)
//!                            └──► the handler from before: a crash reporter, Rust's own, or the end of the process
//! ```
//!
//! [`watch`] installs a handler for `SIGSEGV`, which stays for the life of the process. It calls the watcher, and then does what
//! would have been done without it: calls the handler that it replaced, or lets the fault happen again with the
//! system's own action, so that a core dump shows the culprit and the process ends by the signal.
//!
//! The earlier handler finds the signals held back that it asked for (`sa_mask`, `SA_NODEFER`). One that wants to be called once only (`SA_RESETHAND`) is:
//! the next fault is told to the watcher, too, and meets the system's own action.

use core::ffi::{c_int, c_void};
use core::mem;
use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use crate::error::OsError;
use crate::sys::{self, STACK_POINTER_IN_CONTEXT, nr};
use crate::{process, signals, thread};

mod once;

use once::Once;

/// A refused access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessFault {
    /// What was accessed.
    pub address: usize,
    /// The stack pointer of the code that did it.
    pub stack_pointer: usize,
}

/// What is told of each fault. Runs in a signal handler: it allocates nothing, waits for nothing and does not unwind.
pub type Watcher = fn(AccessFault);

const SIGSEGV: usize = 11;
/// The system's own action, and none at all.
const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
const SA_SIGINFO: usize = 4;
const SA_ONSTACK: usize = 0x0800_0000;
const SA_RESTORER: usize = 0x0400_0000;
const SA_NODEFER: usize = 0x4000_0000;
const SA_RESETHAND: usize = 0x8000_0000;

/// The kernel's `struct sigaction`; its set of signals has 64 bits on every architecture.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Action {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: [u32; 2],
}

/// The start of the kernel's `siginfo_t` for a fault. The address is aligned as a pointer.
#[repr(C)]
#[derive(Debug)]
struct Info {
    signal: c_int,
    error: c_int,
    code: c_int,
    address: usize,
}

/// The action that ours replaced. Written before our handler can run for the first time, and again only if somebody
/// else's installation came between question and answer; read by the handler. Relaxed: the kernel's call lies between.
struct Before {
    /// [`SIG_DFL`] again once a handler was called that wants no more than that.
    handler: AtomicUsize,
    flags: AtomicUsize,
    mask: [AtomicU32; 2],
}

static BEFORE: Before = Before {
    handler: AtomicUsize::new(SIG_DFL),
    flags: AtomicUsize::new(0),
    mask: [const { AtomicU32::new(0) }; 2],
};
static INSTALLED: Once = Once::new();
/// Null, or a [`Watcher`].
static WATCHER: AtomicPtr<()> = AtomicPtr::new(null_mut());

/// From now on `watcher` is told of every refused access of the process, before whoever was told until now.
///
/// One watcher at a time: the last one counts. The handler is installed by the first call only, so handlers that came later keep
/// their place in front of it. *Cost*: three system calls, two more the first time. Threads whose stack may overflow need an
/// [alternative stack](crate::alternative_stack). May be called before `main` and after `fork`.
///
/// # Errors
///
/// [`OsError::UNSUPPORTED`] where there are no signals.
pub fn watch(watcher: Watcher) -> Result<(), OsError> {
    WATCHER.store(watcher as *mut (), Ordering::Release);
    // A signal handler of this thread that calls this, too, would wait for the thread that it interrupts.
    signals::held_back(|| INSTALLED.call(process::id(), install, thread::yield_now))
}

fn install() -> Result<(), OsError> {
    // Asked first: a thread may fault as soon as the handler is there, and then has to know whom to pass it on to.
    remember(exchange(None)?);
    let restorer = sys::signal_return();
    let flags = SA_SIGINFO | SA_ONSTACK | if restorer.is_some() { SA_RESTORER } else { 0 };
    let handler: Handler = on_signal;
    let ours = Action {
        handler: (handler as *const ()).expose_provenance(),
        flags,
        restorer: restorer.map_or(0, <*const ()>::expose_provenance),
        mask: [0; 2],
    };
    exchange(Some(&ours)).map(remember)
}

fn remember(action: Action) {
    BEFORE.flags.store(action.flags, Ordering::Relaxed);
    for (place, part) in BEFORE.mask.iter().zip(action.mask) {
        place.store(part, Ordering::Relaxed);
    }
    BEFORE.handler.store(action.handler, Ordering::Relaxed);
}

/// Installs `new`, if there is one, as the action for refused accesses, and returns the one before.
fn exchange(new: Option<&Action>) -> Result<Action, OsError> {
    let mut before = Action { handler: SIG_DFL, flags: 0, restorer: 0, mask: [0; 2] };
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let size = size_of_val(&before.mask);
    let args = [SIGSEGV, new.expose_provenance(), (&raw mut before).expose_provenance(), size, 0, 0];
    // SAFETY: rt_sigaction reads one `struct sigaction`, if there is one, and writes one. The handlers that are installed
    // here are `on_signal`, and the system's own.
    unsafe { sys::call(nr::RT_SIGACTION, args) }.map(|_| before)
}

type Handler = unsafe extern "C" fn(c_int, *mut Info, *mut c_void);
type PlainHandler = unsafe extern "C" fn(c_int);

/// # Safety
///
/// The kernel calls it: `info` and `context` are its records of a `SIGSEGV`.
unsafe extern "C" fn on_signal(signal: c_int, info: *mut Info, context: *mut c_void) {
    // SAFETY: this function's contract.
    let is_fault = unsafe { (*info).code } > 0;
    let watcher = WATCHER.load(Ordering::Acquire);
    if is_fault && !watcher.is_null() {
        // SAFETY: not null, so it was stored by `watch`, which stores nothing but watchers.
        let watcher = unsafe { mem::transmute::<*mut (), Watcher>(watcher) };
        let stack_pointer = context.cast::<u8>().wrapping_add(STACK_POINTER_IN_CONTEXT).cast::<usize>();
        // SAFETY: the kernel's record holds that register there.
        let stack_pointer = unsafe { stack_pointer.read() };
        // SAFETY: of a fault, so its address is told.
        let address = unsafe { (*info).address };
        watcher(AccessFault { address, stack_pointer });
    }
    match earlier() {
        // Nobody can ignore a fault; only a signal that was sent.
        SIG_IGN if !is_fault => {}
        SIG_DFL | SIG_IGN => end(is_fault),
        // SAFETY: same contract; the address is that of the handler that the kernel named.
        handler => unsafe { pass_on(handler, signal, info, context) },
    }
}

/// The handler of the earlier action. One that wants to be called once is told to one caller only, as by the kernel.
fn earlier() -> usize {
    if BEFORE.flags.load(Ordering::Relaxed) & SA_RESETHAND == 0 {
        BEFORE.handler.load(Ordering::Relaxed)
    } else {
        BEFORE.handler.swap(SIG_DFL, Ordering::Relaxed)
    }
}

/// The system's own action: at the return of the handler the fault happens again, or the signal, sent again, arrives.
fn end(is_fault: bool) {
    let default = Action { handler: SIG_DFL, flags: 0, restorer: 0, mask: [0; 2] };
    // There is nobody to tell of a refusal. (The kernel has no reason for one.)
    let _ = exchange(Some(&default));
    if !is_fault {
        let args = [process::id() as usize, thread::id() as usize, SIGSEGV, 0, 0, 0];
        // SAFETY: sends a signal to the calling thread, which was about to end by it.
        let _ = unsafe { sys::call(nr::TGKILL, args) };
    }
}

/// # Safety
///
/// `handler` is the address of a function that the kernel was to call for this signal, with the flags in [`BEFORE`].
unsafe fn pass_on(handler: usize, signal: c_int, info: *mut Info, context: *mut c_void) {
    let function = ptr::with_exposed_provenance::<()>(handler);
    let flags = BEFORE.flags.load(Ordering::Relaxed);
    let [low, high] = BEFORE.mask.each_ref().map(|part| u64::from(part.load(Ordering::Relaxed)));
    let back = low | high << 32;
    // For us the kernel holds this signal back. At our return it makes all as it was.
    let through = if flags & SA_NODEFER != 0 { signals::bit(SIGSEGV) & !back } else { 0 };
    signals::change(back, through);
    if flags & SA_SIGINFO != 0 {
        // SAFETY: this function's contract, and the flag says which of two types it has.
        let function = unsafe { mem::transmute::<*const (), Handler>(function) };
        // SAFETY: called as the kernel would have.
        unsafe { function(signal, info, context) }
    } else {
        // SAFETY: as above.
        let function = unsafe { mem::transmute::<*const (), PlainHandler>(function) };
        // SAFETY: as above.
        unsafe { function(signal) }
    }
}
