//! Threads: identity, yielding, and a word at their end.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::{sys, weak_symbol};

#[cfg(not(windows))]
#[path = "thread/posix_key.rs"]
mod key;
#[cfg(windows)]
#[path = "thread/windows_key.rs"]
mod key;

use key::Key;

/// The kernel's id of the calling thread: unique among the living threads of the machine; reused after its end.
#[must_use]
pub fn id() -> u32 {
    sys::thread_id()
}

/// Lets another runnable thread have the processor.
pub fn yield_now() {
    sys::yield_now();
}

/// Waits for another thread, for the `look`-th time in a row: yields the first thousand times, sleeps for a millisecond each time
/// from then on. (A thread that only yields may keep the one that it waits for from running, if that has a lower priority.)
pub fn wait(look: u32) {
    if look < YIELDS { sys::yield_now() } else { sys::nap() }
}

/// How often [`wait`] yields before it sleeps.
const YIELDS: u32 = 1000;

/// The function that runs at the end of a thread that has armed a hook; gets the armed value.
pub type ExitFunction = unsafe extern "C" fn(*mut c_void);

/// A function to call at the end of each thread that asked: a POSIX thread key, made at first use. (On Windows, which does not know of
/// ends, one that is made the same by a callback of the loader.)
///
/// ```text
/// thread ends:  thread_local! destructors  →  round 1 of key destructors: f(value)  →  round 2 … 4 for keys armed again
/// ```
///
/// It runs after `thread_local!` destructors (which may allocate) and among those of other keys, in no order that one
/// could count on: other keys' destructors may allocate *after* ours ran. A hook that is armed again inside its own
/// function is called again, at most 4 times in all (`PTHREAD_DESTRUCTOR_ITERATIONS`).
///
/// The key is never deleted: a process has few hooks, and deleting would race with ending threads.
#[derive(Debug)]
pub struct ExitHook {
    /// The key plus one; zero until installed. Written once, by the winner of a compare-exchange. The key is plain data
    /// that libc synchronises for itself, so relaxed would do; acquire and release cost nothing here and let a caller
    /// rely on what it wrote before `install`.
    key: AtomicUsize,
}

impl ExitHook {
    /// A hook that is not installed.
    #[must_use]
    pub const fn new() -> Self {
        Self { key: AtomicUsize::new(0) }
    }

    /// Creates the key, once; `false` if the process has no key left (1024 in glibc, 1088 in Windows). Every thread must pass the same
    /// `f`: the first one's is used.
    ///
    /// May be called from any number of threads at once; who comes second deletes its key and uses the first.
    /// Does not allocate. Not for signal handlers.
    pub fn install(&self, f: ExitFunction) -> bool {
        if self.key.load(Ordering::Acquire) != 0 {
            return true;
        }
        // `f` is called only with what `arm` was given, whose contract allows it.
        let Some(key) = key::create(f) else { return false };
        self.adopt(key);
        true
    }

    /// Makes a fresh key the hook's, or deletes it if another thread was first.
    fn adopt(&self, key: Key) {
        // A key is an index into a table of 1024 (glibc, musl: 128; Windows: 1088): no overflow.
        let word = key as usize + 1;
        if self.key.compare_exchange(0, word, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: created by our caller; no other thread has seen it.
            unsafe { key::delete(key) };
        }
    }

    /// Asks for `f(value)` at the end of the calling thread; null takes the request back. `false` if the hook is not
    /// installed or libc has no memory for the key.
    ///
    /// glibc allocates (`calloc`) for the first key ≥ 32 that a thread sets: a heap must be ready for this thread before
    /// it arms its hook.
    ///
    /// # Safety
    ///
    /// `f`, as installed, may be called with `value` at the end of this thread.
    pub unsafe fn arm(&self, value: *mut c_void) -> bool {
        let word = self.key.load(Ordering::Acquire);
        let Some(key) = word.checked_sub(1).and_then(|key| Key::try_from(key).ok()) else { return false };
        // SAFETY: the key was created by `install` and is never deleted; what libc does with
        // `value` at the end is the caller's promise.
        unsafe { key::set(key, value) }
    }
}

/// Asks for `f(value)` at the end of the calling thread by the way of C++'s `thread_local` destructors
/// (`__cxa_thread_atexit_impl`, glibc ≥ 2.18): for processes that have no key left for an [`ExitHook`]. It runs before the
/// destructors of keys, and before those of `thread_local`s that were registered earlier. `false` where libc has no such
/// call. Allocates (`calloc`).
///
/// # Safety
///
/// `f(value)` may be called at the end of this thread; the object that contains `f` is never unloaded.
pub unsafe fn at_thread_exit(f: ExitFunction, value: *mut c_void) -> bool {
    type Register = unsafe extern "C" fn(ExitFunction, *mut c_void, *mut c_void) -> c_int;
    let address = weak_symbol!("__cxa_thread_atexit_impl");
    if address.is_null() {
        return false;
    }
    // SAFETY: the symbol, where it exists, is a function of this type.
    let register = unsafe { core::mem::transmute::<*const (), Register>(address) };
    // Any address inside the object names it; glibc would take null for one it had looked up before.
    // SAFETY: the caller's contract.
    unsafe { register(f, value, f as *mut c_void) == 0 }
}

impl Default for ExitHook {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use core::sync::atomic::AtomicBool;
    use std::sync::Barrier;

    #[test]
    fn every_thread_has_its_own_id_and_keeps_it() {
        let mine = id();
        let other = std::thread::spawn(|| {
            yield_now();
            assert_eq!(id(), id());
            id()
        });
        let other = other.join().unwrap();
        assert!(mine != other && mine != 0 && other != 0);
        assert_eq!(mine, id());
        // The main thread's id is the process's, but tests run in others.
        assert_ne!(mine, crate::process::id());
    }

    unsafe extern "C" fn count(counter: *mut c_void) {
        // SAFETY: armed only with pointers to counters that outlive their threads.
        let counter = unsafe { &*counter.cast::<AtomicUsize>() };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn pointer(counter: &'static AtomicUsize) -> *mut c_void {
        core::ptr::from_ref(counter).cast_mut().cast()
    }

    #[test]
    fn an_armed_hook_runs_once_at_the_end_of_its_thread_only() {
        static HOOK: ExitHook = ExitHook::new();
        static COUNTER: AtomicUsize = AtomicUsize::new(0);
        // SAFETY: not installed: nothing is called.
        assert!(!unsafe { HOOK.arm(pointer(&COUNTER)) });
        assert!(HOOK.install(count));
        let run = |arm: bool, take_back: bool| {
            let body = move || {
                // SAFETY: `count` accepts a static counter.
                assert!(!arm || unsafe { HOOK.arm(pointer(&COUNTER)) });
                // SAFETY: null is never passed on.
                assert!(!take_back || unsafe { HOOK.arm(core::ptr::null_mut()) });
            };
            std::thread::spawn(body).join().unwrap();
            COUNTER.load(Ordering::Relaxed)
        };
        assert_eq!(run(false, false), 0);
        assert_eq!(run(true, false), 1);
        assert_eq!(run(true, true), 1);
        assert_eq!(run(true, false), 2);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri repeats for ever")]
    fn a_hook_armed_again_in_its_own_function_runs_again_but_not_for_ever() {
        static HOOK: ExitHook = ExitHook::new();
        static COUNTER: AtomicUsize = AtomicUsize::new(0);
        unsafe extern "C" fn again(counter: *mut c_void) {
            // SAFETY: as this function's.
            unsafe { count(counter) };
            // SAFETY: the same value as before.
            unsafe { HOOK.arm(counter) };
        }
        assert!(HOOK.install(again));
        // SAFETY: a static counter.
        std::thread::spawn(|| assert!(unsafe { HOOK.arm(pointer(&COUNTER)) })).join().unwrap();
        let times = COUNTER.load(Ordering::Relaxed);
        assert!((2..=4).contains(&times), "{times}");
    }

    #[test]
    fn the_hook_runs_after_thread_local_destructors() {
        static HOOK: ExitHook = ExitHook::new();
        static LOCAL_GONE: AtomicBool = AtomicBool::new(false);
        static IN_ORDER: AtomicBool = AtomicBool::new(false);
        struct Local;
        impl Drop for Local {
            fn drop(&mut self) {
                LOCAL_GONE.store(true, Ordering::Relaxed);
            }
        }
        std::thread_local!(static LOCAL: Local = const { Local });
        unsafe extern "C" fn at_end(_: *mut c_void) {
            IN_ORDER.store(LOCAL_GONE.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        assert!(HOOK.install(at_end));
        let body = || {
            // SAFETY: `at_end` ignores its argument.
            assert!(unsafe { HOOK.arm(core::ptr::dangling_mut()) });
            LOCAL.with(|_| ());
        };
        std::thread::spawn(body).join().unwrap();
        // Miri runs `std`'s destructors by a key of their own, in no order.
        assert!(IN_ORDER.load(Ordering::Relaxed) || cfg!(miri));
    }

    #[test]
    fn who_comes_second_deletes_its_key() {
        let hook = ExitHook::new();
        assert!(hook.install(count));
        let first = hook.key.load(Ordering::Relaxed);
        hook.adopt(key::create(count).unwrap());
        assert_eq!(hook.key.load(Ordering::Relaxed), first);
        // The libc gives deleted keys out again, to other tests too, so a second deletion would be no proof: more
        // losers than a process can have keys are.
        for _ in 0..2000 {
            hook.adopt(key::create(count).unwrap());
        }
    }

    #[test]
    fn racing_installers_use_one_key() {
        const THREADS: usize = 4;
        const ROUNDS: usize = if cfg!(miri) { 4 } else { 64 };
        static COUNTER: AtomicUsize = AtomicUsize::new(0);
        static HOOKS: [ExitHook; ROUNDS] = [const { ExitHook::new() }; ROUNDS];
        for (round, hook) in HOOKS.iter().enumerate() {
            let barrier = Barrier::new(THREADS);
            std::thread::scope(|scope| {
                let install = || {
                    barrier.wait();
                    assert!(hook.install(count));
                    // SAFETY: a static counter.
                    assert!(unsafe { hook.arm(pointer(&COUNTER)) });
                };
                let threads = [(); THREADS].map(|()| scope.spawn(install));
                // `join` waits for the end of the thread, destructors included; the scope's end does not.
                for thread in threads {
                    thread.join().unwrap();
                }
            });
            assert_eq!(COUNTER.load(Ordering::Relaxed), THREADS * (round + 1));
        }
    }
}
