//! Thread keys with a function for the end, as POSIX has them, made of Windows' keys without one.
//!
//! ```text
//!   .CRT$XLB: std's destructors   .CRT$XLY: at_end   ──►  for each key with a function: its value, if it has one
//!   └──── the loader calls these, in the order of their names, at the end of each thread ────┘
//! ```
//!
//! Not the functions of fiber-local keys (`FlsAlloc`): the system calls these before the loader's, and so before
//! `thread_local!` destructors, which may allocate.
//!
//! **KEY.** A function stands in `FUNCTIONS` at its key's index from before the key is known to anybody until it is deleted. The
//! system sets a key's values to null, in all threads, when it gives the key out; so a thread at its end that still sees a
//! function of before finds no value to give it.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `FUNCTIONS`: store, load | Relaxed | – | nothing: a thread's own `set` comes after `create`, and its end after both |
//! | `USED`: `fetch_max`, load | Relaxed | – | as above |

use core::ffi::c_void;
use core::mem::transmute;
use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::ExitFunction;
use crate::kernel32;

/// An index of `TlsAlloc`.
pub(super) type Key = u32;

/// So many keys can a process have (64 in the thread's block, 1024 more).
const KEYS: usize = 64 + 1024;
/// How often a function may arm its hook again: as often as POSIX promises at least (`PTHREAD_DESTRUCTOR_ITERATIONS`).
const ROUNDS: usize = 4;

/// Null, or an [`ExitFunction`]: KEY.
static FUNCTIONS: [AtomicPtr<()>; KEYS] = [const { AtomicPtr::new(null_mut()) }; KEYS];
/// One more than the highest index that ever had a function.
static USED: AtomicUsize = AtomicUsize::new(0);

type LoaderCallback = unsafe extern "system" fn(*mut c_void, u32, *mut c_void);

/// The linker sorts by the part after the dollar sign: behind that of `std`, which is `XLB`.
#[unsafe(link_section = ".CRT$XLY")]
static CALLBACK: LoaderCallback = at_end;

unsafe extern "C" {
    /// The C runtime's: the image's record of thread-local data, which names the callbacks.
    #[link_name = "_tls_used"]
    static TLS_USED: u8;
}

/// A key whose values are given to `f` at the end of their threads; `None` if there is none left.
pub(super) fn create(f: ExitFunction) -> Option<Key> {
    // Read, so that no linker takes them for unused.
    // SAFETY: a static of ours.
    let _ = unsafe { (&raw const CALLBACK).read_volatile() };
    // SAFETY: a static of the C runtime, larger than a byte.
    let _ = unsafe { (&raw const TLS_USED).read_volatile() };
    let key = kernel32::TlsAlloc();
    // `TLS_OUT_OF_INDEXES` lies beyond the table, too.
    let place = FUNCTIONS.get(key as usize)?;
    place.store(f as *mut (), Ordering::Relaxed);
    USED.fetch_max(key as usize + 1, Ordering::Relaxed);
    Some(key)
}

/// # Safety
///
/// Of [`create`], and not used any more.
pub(super) unsafe fn delete(key: Key) {
    if let Some(place) = FUNCTIONS.get(key as usize) {
        place.store(null_mut(), Ordering::Relaxed);
    }
    // SAFETY: this function's contract.
    let _ = unsafe { kernel32::TlsFree(key) };
}

/// Sets the calling thread's value; `false` if the system has no memory for it.
///
/// # Safety
///
/// The key is of [`create`] and not deleted, and its function may be called with `value` at the end of this thread.
pub(super) unsafe fn set(key: Key, value: *mut c_void) -> bool {
    // SAFETY: this function's contract.
    unsafe { kernel32::TlsSetValue(key, value) != 0 }
}

/// # Safety
///
/// The loader calls it.
unsafe extern "system" fn at_end(_image: *mut c_void, reason: u32, _reserved: *mut c_void) {
    const THREAD_ENDS: u32 = 3;
    // Not at the end of the process, as on Linux: its other threads have been ended wherever they were, with whatever they held.
    let mut rounds = if reason == THREAD_ENDS { ROUNDS } else { 0 };
    while rounds > 0 && one_round() {
        rounds -= 1;
    }
}

/// Gives each function its value, once: whether there was any.
fn one_round() -> bool {
    let mut any = false;
    let used = USED.load(Ordering::Relaxed);
    for (key, place) in (0..).zip(FUNCTIONS.iter().take(used)) {
        let function = place.load(Ordering::Relaxed);
        if function.is_null() {
            continue;
        }
        let value = kernel32::TlsGetValue(key);
        if value.is_null() {
            continue;
        }
        any = true;
        // SAFETY: a key of ours that is not deleted, or else no value would be there: KEY.
        let _ = unsafe { kernel32::TlsSetValue(key, ptr::null()) };
        // SAFETY: not null, so `create` stored it.
        let function = unsafe { transmute::<*mut (), ExitFunction>(function) };
        // SAFETY: the value was armed for this thread: the contract of `set`.
        unsafe { function(value) };
    }
    any
}
