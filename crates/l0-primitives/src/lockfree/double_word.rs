//! Two words that change together: a pointer and a version, compared and exchanged in one step.
//!
//! ```text
//!               offset 0        8               16        what changes both at once
//!   Wide       │ pointer      │ version       │            x86-64: lock cmpxchg16b · aarch64: caspal or ldaxp/stlxp
//!   Packed     │ pointer 32 ∥ version 32     │            32-bit targets with a 64-bit CAS
//!   Locked     │ pointer      │ version       │ lock │     everywhere: a spin lock of three instructions
//!   Native      = the best of them on this machine
//! ```
//!
//! # Contract of [`DoubleWord`]
//!
//! * **PAIR-SWAP** `compare_exchange_weak(current, new)` replaces the pair by `new` in one step and returns
//!   true only if it was `current`; it acquires and releases. It may return false for no reason.
//! * **PAIR-SEEN** `observe` returns halves that may be from different moments. Each was really there, and
//!   was acquired: what happened before it was written is visible. A caller who puts a *new version into
//!   every pair* learns from a successful exchange that the halves did belong together, and that the pair did
//!   not change in between.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `observe`, both loads | **acquire** | the exchange that wrote the half | the record behind the pointer; the link of this version |
//! | `Wide`, `Packed`: exchange | **acquire + release** | each other, `observe` | everything before |
//! | `Locked`: taking the lock | **acquire** | giving it back | the pair as the last holder left it |
//! | `Locked`: stores of the halves | **release** | `observe` | as the exchange |
//! | `Locked`: giving the lock back | **release** | taking it | the pair |
//!
//! # Progress
//!
//! `Wide` and `Packed` are lock-free (`ldaxp`/`stlxp` as far as the processor's exclusive monitor is).
//! **`Locked` is not**: a thread suspended inside its three instructions delays all others, a signal handler
//! that interrupts it there and uses the same pair waits for ever, and so does the child of a fork at that
//! moment. It is correct everywhere, and is what remains on 64-bit machines without a double-word exchange
//! (x86-64 before 2006, riscv64), under Miri and under loom. Why no packed 48 + 16-bit word instead: 2¹⁶
//! versions repeat within a millisecond, so it would be lock-free and wrong. The heap does not depend on any
//! of this: its own stacks are [`IndexStack`](super::IndexStack)s.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[cfg(all(target_pointer_width = "64", not(miri), not(loom)))]
mod wide;

use crate::const_unless_loom;
use crate::primitive::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use crate::primitive::hint::spin_loop;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[cfg(all(target_pointer_width = "64", not(miri), not(loom)))]
pub use wide::Wide;

/// A pointer with its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The first half.
    pub pointer: *mut u8,
    /// The second half.
    pub version: usize,
}

impl Versioned {
    /// `pointer` under the version after this one.
    #[inline(always)]
    #[must_use]
    pub const fn next(self, pointer: *mut u8) -> Self {
        Self { pointer, version: self.version.wrapping_add(1) }
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "the contract of `DoubleWord` is kept in this file only")]
    pub trait Sealed {}
}

/// A [`Versioned`] that threads share; the contract is the [module](self)'s.
pub trait DoubleWord: sealed::Sealed + Send + Sync {
    /// The halves, perhaps from different moments (PAIR-SEEN).
    fn observe(&self) -> Versioned;

    /// Replaces `current` by `new` in one step (PAIR-SWAP).
    fn compare_exchange_weak(&self, current: Versioned, new: Versioned) -> bool;
}

/// The two halves in memory, where one 16-byte instruction reaches both.
#[derive(Debug)]
#[cfg_attr(target_pointer_width = "64", repr(C, align(16)))]
#[cfg_attr(not(target_pointer_width = "64"), repr(C))]
struct Pair {
    pointer: AtomicPtr<u8>,
    version: AtomicUsize,
}

impl Pair {
    const_unless_loom! {
        fn null() -> Self {
            Self { pointer: AtomicPtr::new(core::ptr::null_mut()), version: AtomicUsize::new(0) }
        }
    }

    #[inline(always)]
    fn observe(&self) -> Versioned {
        // Acquire twice: the pointer's for the record behind it (which `next_of` will read even if the pair
        // is torn), the version's for the link that belongs to this version.
        Versioned {
            pointer: self.pointer.load(Ordering::Acquire),
            version: self.version.load(Ordering::Acquire),
        }
    }
}

/// The pair under a spin lock: correct on every target, not lock-free.
#[derive(Debug)]
pub struct Locked {
    pair: Pair,
    lock: AtomicBool,
}

impl Locked {
    const_unless_loom! {
        /// A null pointer of version 0. All bits are zero.
        #[must_use]
        pub fn null() -> Self {
            Self { pair: Pair::null(), lock: AtomicBool::new(false) }
        }
    }

    fn lock(&self) {
        // Acquire: the pair as the last holder left it.
        while self.lock.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            spin_loop();
        }
    }
}

impl sealed::Sealed for Locked {}

impl DoubleWord for Locked {
    #[inline]
    fn observe(&self) -> Versioned {
        self.pair.observe()
    }

    fn compare_exchange_weak(&self, current: Versioned, new: Versioned) -> bool {
        self.lock();
        // Relaxed: only holders of the lock write, and we hold it.
        let seen = Versioned {
            pointer: self.pair.pointer.load(Ordering::Relaxed),
            version: self.pair.version.load(Ordering::Relaxed),
        };
        let equal = seen == current;
        if equal {
            // Release: `observe` reads without the lock.
            self.pair.pointer.store(new.pointer, Ordering::Release);
            self.pair.version.store(new.version, Ordering::Release);
        }
        self.lock.store(false, Ordering::Release);
        equal
    }
}

/// The pair in one 64-bit word of a 32-bit machine.
#[cfg(all(target_pointer_width = "32", target_has_atomic = "64", not(loom)))]
#[derive(Debug)]
pub struct Packed {
    // Low half: the pointer's address, its provenance exposed. High half: the version.
    word: crate::primitive::atomic::AtomicU64,
}

#[cfg(all(target_pointer_width = "32", target_has_atomic = "64", not(loom)))]
impl Packed {
    /// A null pointer of version 0. All bits are zero.
    #[must_use]
    pub const fn null() -> Self {
        Self { word: crate::primitive::atomic::AtomicU64::new(0) }
    }

    fn pack(pair: Versioned) -> u64 {
        (pair.version as u64) << 32 | pair.pointer.expose_provenance() as u64
    }
}

#[cfg(all(target_pointer_width = "32", target_has_atomic = "64", not(loom)))]
impl sealed::Sealed for Packed {}

#[cfg(all(target_pointer_width = "32", target_has_atomic = "64", not(loom)))]
impl DoubleWord for Packed {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the halves of the word")]
    fn observe(&self) -> Versioned {
        let word = self.word.load(Ordering::Acquire);
        Versioned {
            pointer: core::ptr::with_exposed_provenance_mut(word as usize),
            version: (word >> 32) as usize,
        }
    }

    #[inline]
    fn compare_exchange_weak(&self, current: Versioned, new: Versioned) -> bool {
        let (current, new) = (Self::pack(current), Self::pack(new));
        self.word.compare_exchange_weak(current, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// The best double word of this target. On x86-64 the processor is asked once, at run time.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[cfg(all(target_pointer_width = "64", not(miri), not(loom)))]
pub type Native = wide::Detected;
/// The best double word of this target.
#[cfg(all(target_pointer_width = "32", target_has_atomic = "64", not(loom)))]
pub type Native = Packed;
/// The best double word of this target.
#[cfg(not(any(
    all(
        any(target_arch = "x86_64", target_arch = "aarch64"),
        target_pointer_width = "64",
        not(miri),
        not(loom)
    ),
    all(target_pointer_width = "32", target_has_atomic = "64", not(loom))
)))]
pub type Native = Locked;

// Not covered here: the orderings of `Locked` (tests/loom_stacks.rs); those of the instructions, which no
// model sees.
#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use core::ptr::without_provenance_mut;

    fn pair(pointer: usize, version: usize) -> Versioned {
        Versioned { pointer: without_provenance_mut(pointer), version }
    }

    /// The weak exchange, tried until it is refused for a reason.
    fn exchange(word: &impl DoubleWord, current: Versioned, new: Versioned) -> bool {
        (0..100).any(|_| word.compare_exchange_weak(current, new))
    }

    fn exchanges_only_when_both_halves_agree(word: &impl DoubleWord) {
        let (first, second) = (pair(0x1230, 1), pair(usize::MAX, usize::MAX));
        assert_eq!(word.observe(), pair(0, 0));
        assert!(!exchange(word, pair(8, 0), first));
        assert!(!exchange(word, pair(0, 8), first));
        assert_eq!(word.observe(), pair(0, 0));
        assert!(exchange(word, pair(0, 0), first));
        assert_eq!(word.observe(), first);
        assert!(!exchange(word, pair(0, 0), second));
        assert!(exchange(word, first, second));
        assert_eq!(word.observe(), second);
    }

    /// Threads count both halves up together; a torn or lost exchange makes them differ or end low.
    fn counts_both_halves_exactly(word: &impl DoubleWord) {
        const ROUNDS: usize = if cfg!(miri) { 30 } else { 20_000 };
        const THREADS: usize = 3;
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut done = 0;
                    while done < ROUNDS {
                        let seen = word.observe();
                        let torn = seen.pointer.addr() != seen.version;
                        let new = pair(seen.version.wrapping_add(1), seen.version.wrapping_add(1));
                        if word.compare_exchange_weak(seen, new) {
                            assert!(
                                !torn,
                                "an exchange succeeded on halves that never were a pair: {seen:?}"
                            );
                            done += 1;
                        } else {
                            std::thread::yield_now();
                        }
                    }
                });
            }
        });
        assert_eq!(word.observe(), pair(ROUNDS * THREADS, ROUNDS * THREADS));
    }

    #[test]
    fn locked() {
        exchanges_only_when_both_halves_agree(&Locked::null());
        counts_both_halves_exactly(&Locked::null());
    }

    #[test]
    fn native() {
        exchanges_only_when_both_halves_agree(&Native::null());
        counts_both_halves_exactly(&Native::null());
    }

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[cfg(all(target_pointer_width = "64", not(miri)))]
    fn wide() {
        let Some(word) = Wide::null() else { return };
        exchanges_only_when_both_halves_agree(&word);
        counts_both_halves_exactly(&Wide::null().expect("it was there a moment ago"));
    }
}
