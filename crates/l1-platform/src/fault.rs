//! Fault injection: the N-th call to the operating system is refused.
//!
//! A heap that runs out of memory once a year runs out in a place that nobody has tried. With the feature
//! `fault-injection` each function of [`vm`](crate::vm) asks here before it asks the kernel; a test arms one call
//! with a number, runs its workload, and sees what the upper layer makes of the refusal. Without the feature the
//! question is an inlined `Ok(())` and this module exports nothing.
//!
//! ```text
//! arm(Call::Map, 3, 2):   mmap  1 ok   2 ok   3 ENOMEM   4 ENOMEM   5 ok …
//! ```
//!
//! The state is one per process: tests that arm run one at a time.

#[cfg(feature = "fault-injection")]
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::error::OsError;

/// The calls that can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `mmap`: [`reserve`](crate::vm::reserve), [`reserve_huge`](crate::vm::reserve_huge), [`map_at`](crate::vm::map_at).
    Map,
    /// `munmap`: [`release`](crate::vm::release) and the trimming inside `reserve`.
    Unmap,
    /// `mprotect`: [`commit`](crate::vm::commit), [`protect`](crate::vm::protect).
    Protect,
    /// `madvise`: [`purge`](crate::vm::purge), [`advise_huge`](crate::vm::advise_huge), [`prefault`](crate::vm::prefault),
    /// [`install_guard`](crate::vm::install_guard).
    Advise,
    /// `mremap`: [`remap`](crate::vm::remap), [`move_pages`](crate::vm::move_pages).
    Remap,
}

#[cfg(feature = "fault-injection")]
impl Call {
    /// Every call, for tests that go through all.
    pub const ALL: [Self; 5] = [Self::Map, Self::Unmap, Self::Protect, Self::Advise, Self::Remap];
}

/// Calls seen and calls to refuse, for one [`Call`].
///
/// Invariant: the call with 1-based number `n` is refused iff `first != 0 && n - first < refusals`.
/// The three words are written by `arm` and `disarm` while no other thread is in the platform (stated there), so
/// every access is relaxed: only the count itself must be exact, and one `fetch_add` makes it so.
#[cfg(feature = "fault-injection")]
struct Site {
    seen: AtomicUsize,
    first: AtomicUsize,
    refusals: AtomicUsize,
}

#[cfg(feature = "fault-injection")]
static SITES: [Site; 5] =
    [const { Site { seen: AtomicUsize::new(0), first: AtomicUsize::new(0), refusals: AtomicUsize::new(0) } };
        5];

#[cfg(feature = "fault-injection")]
fn site(call: Call) -> &'static Site {
    match call {
        Call::Map => &SITES[0],
        Call::Unmap => &SITES[1],
        Call::Protect => &SITES[2],
        Call::Advise => &SITES[3],
        Call::Remap => &SITES[4],
    }
}

/// From now on the `nth` call of this kind (1 = the next one) is refused, and so are those after it until `repeat`
/// calls have been refused; `usize::MAX` means until [`disarm`]. Several kinds may be armed at once.
///
/// Sets the count of this kind to zero. Threads that are inside a function of `vm` meanwhile may be counted or not.
#[cfg(feature = "fault-injection")]
pub fn arm(call: Call, nth: usize, repeat: usize) {
    let site = site(call);
    site.first.store(0, Ordering::Relaxed);
    site.seen.store(0, Ordering::Relaxed);
    site.refusals.store(repeat, Ordering::Relaxed);
    site.first.store(nth, Ordering::Relaxed);
}

/// Nothing is refused any more. The counts go on.
#[cfg(feature = "fault-injection")]
pub fn disarm() {
    for site in &SITES {
        site.first.store(0, Ordering::Relaxed);
    }
}

/// How many calls of this kind were asked for since it was last armed, or since the start: refused ones included.
#[cfg(feature = "fault-injection")]
#[must_use]
pub fn count(call: Call) -> usize {
    site(call).seen.load(Ordering::Relaxed)
}

/// Is the call that is about to be made to be refused?
#[cfg(feature = "fault-injection")]
pub(crate) fn check(call: Call) -> Result<(), OsError> {
    let site = site(call);
    let number = site.seen.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    let first = site.first.load(Ordering::Relaxed);
    let refused = first != 0 && number >= first && number - first < site.refusals.load(Ordering::Relaxed);
    if refused { Err(OsError::OUT_OF_MEMORY) } else { Ok(()) }
}

/// Never: the feature is off.
#[cfg(not(feature = "fault-injection"))]
#[inline(always)]
pub(crate) fn check(_call: Call) -> Result<(), OsError> {
    Ok(())
}
