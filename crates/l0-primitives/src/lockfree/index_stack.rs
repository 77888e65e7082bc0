//! [`IndexStack`]: any thread pushes, any thread takes one or all; one 64-bit word.
//!
//! The depot's stacks of slabs and of dead heaps. Elements are `u32` indices of records in a table that never
//! moves or unmaps; the link of an element lies in its record and belongs to the caller, who passes two
//! closures.
//!
//! ```text
//!              63        32 31         0
//!   head      │ version    │ link to 7  │        links are index + 1, 0 = end  (see `link`)
//!                                └──► record 7 ──next──► record 3 ──next──► END
//! ```
//!
//! # Invariants
//!
//! * **STACK-OWN** An index is pushed by whoever owns it alone, and pushing gives it up. (Caller.)
//! * **STACK-LINK** Links are atomics (relaxed is enough) that stay mapped and initialised for as long as the
//!   stack lives, whether the element is in it or not. (Caller.) A thread may read the link of an element
//!   that another one has just taken; it gets a stale number, and STACK-VERSION throws it away.
//! * **STACK-VERSION** Every push adds one to the version; nothing else changes it.
//! * **STACK-RMW** After construction `head` changes by read-modify-write only, so each of its values belongs
//!   to the release sequence of every push before it: who acquires the head has acquired *all* elements below
//!   it.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `push` first load, failed CAS | relaxed | – | a guess; the CAS checks it |
//! | `push` CAS | **release** | loads of `pop`, `take_all` | the element's link and the pusher's writes to the element |
//! | `pop` first load, failed CAS | **acquire** | `push` CAS (by STACK-RMW of any element) | makes `next_of` read the link that the pusher wrote, and the payload readable |
//! | `pop` successful CAS | **release** | acquiring loads of the head | what the taker did before; for those who look at several stacks (the lock-free pool). Not acquire: by STACK-VERSION it read the very value that the acquiring load read |
//! | `take_all` | **acquire** | `push` CAS | links and payload of all elements |
//! | `pushes`, `pop_or_pushes` of an empty stack | **acquire** | all `push` and `pop` CASes before (STACK-RMW) | what their callers did before |
//!
//! # No ABA
//!
//! `pop` reads head (A, v) and A's link B, then swaps (A, v) for (B, v). B is right as long as A has not left
//! and come back in between. Coming back is a push, which changes v; so the CAS fails, unless exactly k · 2³²
//! pushes happened between the load and the CAS and A is on top again: at 10 ns a push the thread must have
//! slept for 43 s or a multiple of it, to the push.
//!
//! # Progress
//!
//! Lock-free: a CAS fails only because another thread's succeeded. `take_all` is a single `fetch_and`.

use super::link;
use crate::const_unless_loom;
use crate::primitive::atomic::{AtomicU64, Ordering};
use core::fmt;

/// A stack of indices; see the [module](self).
pub struct IndexStack {
    head: AtomicU64,
}

/// One added to the version.
const VERSION_ONE: u64 = 1 << 32;
/// The bits of the version; the others are the link.
const VERSION_BITS: u64 = !(VERSION_ONE - 1);

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half is the link")]
const fn link_of(head: u64) -> u32 {
    head as u32
}

#[inline(always)]
const fn version_of(head: u64) -> u32 {
    (head >> 32) as u32
}

#[inline(always)]
const fn with_link(head: u64, link: u32) -> u64 {
    head & VERSION_BITS | link as u64
}

impl IndexStack {
    const_unless_loom! {
        /// An empty stack. All bits are zero, so a zeroed page holds empty stacks.
        #[must_use]
        pub fn new() -> Self {
            Self { head: AtomicU64::new(0) }
        }
    }

    /// Pushes `index`. `set_next` stores a link into its record; it is called again after a lost race.
    ///
    /// The caller owns `index` (STACK-OWN), which is at most [`link::MAX_INDEX`].
    #[inline]
    pub fn push(&self, index: u32, set_next: impl FnMut(u32)) {
        self.push_chain(index, set_next);
    }

    /// Pushes a chain of elements that the caller has linked with [`link::to`], from `first` on; one CAS for
    /// all. `set_next_of_last` stores a link into the record of the last one.
    #[inline]
    pub fn push_chain(&self, first: u32, mut set_next_of_last: impl FnMut(u32)) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            set_next_of_last(link_of(head));
            // STACK-VERSION.
            let new = with_link(head.wrapping_add(VERSION_ONE), link::to(first));
            // Release: the link just stored and the payload go with the head.
            match self.head.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes the top element. `next_of` loads the link from the record of an index.
    ///
    /// `next_of` may be asked about an element that this thread does not get (STACK-LINK).
    #[inline]
    pub fn pop(&self, next_of: impl Fn(u32) -> u32) -> Option<u32> {
        self.pop_or_pushes(next_of).ok()
    }

    /// As [`pop`](Self::pop), but an empty stack says what [`pushes`](Self::pushes) was at that moment: as long as it is that, the stack is empty.
    ///
    /// # Errors
    ///
    /// The number, if the stack was empty.
    #[inline]
    pub fn pop_or_pushes(&self, next_of: impl Fn(u32) -> u32) -> Result<u32, u32> {
        // Acquire: before `next_of` reads what a pusher wrote.
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            let Some(index) = link::index(link_of(head)) else { return Err(version_of(head)) };
            let new = with_link(head, next_of(index));
            match self.head.compare_exchange_weak(head, new, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return Ok(index),
                Err(now) => head = now,
            }
        }
    }

    /// Takes all elements; the first is returned, the others hang on its link ([`link::walk`]).
    #[inline]
    pub fn take_all(&self) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        // The version stays (STACK-VERSION); a swap with 0 would let it repeat.
        link::index(link_of(self.head.fetch_and(VERSION_BITS, Ordering::Acquire)))
    }

    /// How often `push` or `push_chain` was called, modulo 2³²: the version. Whoever counts what leaves a stack as well knows how much is out.
    #[inline]
    #[must_use]
    pub fn pushes(&self) -> u32 {
        version_of(self.head.load(Ordering::Acquire))
    }

    /// Whether the stack was empty a moment ago: a hint that saves a `pop`.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        link_of(self.head.load(Ordering::Relaxed)) == link::END
    }
}

impl Default for IndexStack {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for IndexStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.head.load(Ordering::Relaxed);
        f.debug_struct("IndexStack")
            .field("top", &link::index(link_of(head)))
            .field("version", &(head >> 32))
            .finish()
    }
}
