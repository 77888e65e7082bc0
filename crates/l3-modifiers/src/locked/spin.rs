//! [`SpinLock`]: waiting by looking again.
//!
//! ```text
//!   free ── exchange false for true ──► held ── store(false) ──► free
//!             └─ it was true: look, without writing, until it is free
//! ```
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `acquire`: exchange that succeeds | **acquire** | `release` | what the last holder wrote |
//! | `acquire`: exchange that fails, loads while waiting | relaxed | – | a guess |
//! | `release`: store | **release** | exchange | what this holder wrote |

use stratalloc_primitives::const_unless_loom;
use stratalloc_primitives::primitive::atomic::{AtomicBool, Ordering};
use stratalloc_primitives::primitive::hint;

use super::RawLock;

/// Looks between two yields: about as long as the work under the lock takes.
const LOOKS: u32 = 128;

/// A lock of one byte for short work. Waits by looking again, and lets other threads run now and then where there is an operating system.
///
/// Not fair, and a waiter of high priority can keep a holder of low priority from running where the system has strict priorities; bring
/// another [`RawLock`] there. An example is at the trait.
#[derive(Debug)]
pub struct SpinLock {
    held: AtomicBool,
}

impl SpinLock {
    const_unless_loom! {
        /// A free one. See [`RawLock`] for an example.
        #[must_use]
        pub fn new() -> Self {
            Self { held: AtomicBool::new(false) }
        }
    }

    #[inline(always)]
    fn try_acquire(&self) -> bool {
        self.held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    fn acquire_slow(&self) {
        let mut looks = 0_u32;
        loop {
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(LOOKS) {
                yield_now()
            } else {
                hint::spin_loop()
            }
            // Loom may let a relaxed load see the past for ever; only the exchange decides.
            let seems_held = cfg!(not(loom)) && self.held.load(Ordering::Relaxed);
            if !seems_held && self.try_acquire() {
                return;
            }
        }
    }
}

#[cfg(all(any(target_os = "linux", windows), not(loom)))]
fn yield_now() {
    stratalloc_platform::thread::yield_now();
}

#[cfg(not(all(any(target_os = "linux", windows), not(loom))))]
fn yield_now() {
    hint::spin_loop();
}

impl Default for SpinLock {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: only the exchange that finds `false` returns, and `false` is written by the holder alone; acquire and release pair on the word.
unsafe impl RawLock for SpinLock {
    #[inline]
    fn acquire(&self) {
        if !self.try_acquire() {
            self.acquire_slow();
        }
    }

    #[inline]
    unsafe fn release(&self) {
        self.held.store(false, Ordering::Release);
    }
}
