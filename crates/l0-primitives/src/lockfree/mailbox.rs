//! [`Mailbox`]: any thread pushes, one thread at a time takes everything; one 32-bit word.
//!
//! A thread heap's list of slabs that other threads have freed blocks into. Elements are `u32` indices of
//! records that never move or unmap; the link of an element lies in its record and belongs to the caller.
//!
//! ```text
//!              31         0
//!   head      │ link to 7  │ ──► record 7 ──next──► record 3 ──next──► END        (links: see `link`)
//!              push: CAS         take_all: swap with END, then walk alone
//! ```
//!
//! # Invariants
//!
//! * **MAIL-OWN** An index is pushed by whoever has the sole right to (a "notified" flag won, for instance),
//!   and is not pushed again before its taker passed that right on by a release/acquire pair. So it hangs in
//!   at most one list, once. (Caller.)
//! * **MAIL-LINK** Links are atomics (relaxed is enough), written by the pusher, and read by the taker only.
//!   (Caller.)
//! * **MAIL-RMW** `head` changes by read-modify-write only: each value belongs to the release sequences of
//!   the pushes below it.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `push` load, failed CAS | relaxed | – | a guess; the CAS checks it |
//! | `push` CAS | **release** | `take_all` swap | the element's link and the pusher's writes before the push |
//! | `take_all` first load | relaxed | – | a hint: a push that it misses is found by the next call |
//! | `take_all` swap | **acquire** | `push` CAS (by MAIL-RMW of every element) | all links and payloads of the list |
//!
//! # No ABA
//!
//! Only two operations exist. `push` links to whatever the head is *at the CAS*: if the list it first saw was
//! taken and an equal head came back, the new element hangs before that equal head, which is right — it uses
//! the head's value and nothing that it read through it. `take_all` compares nothing. ABA needs an operation
//! that reads an element's link and then compares the head, a `pop`; there is none. One taker at a time is
//! not even needed for the list (two swaps give disjoint lists); it is the heap's rule, because the elements
//! belong to its owner.
//!
//! # Progress
//!
//! `push` is lock-free, `take_all` wait-free. A push interrupted anywhere (signal, fork) leaves the list
//! whole: the element is in or not.

use super::link;
use crate::const_unless_loom;
use crate::primitive::atomic::{AtomicU32, Ordering};
use core::fmt;

/// A take-all list of indices; see the [module](self).
pub struct Mailbox {
    head: AtomicU32,
}

impl Mailbox {
    const_unless_loom! {
        /// An empty mailbox. All bits are zero.
        #[must_use]
        pub fn new() -> Self {
            Self { head: AtomicU32::new(link::END) }
        }
    }

    /// Pushes `index` (at most [`link::MAX_INDEX`]; MAIL-OWN) and says whether the mailbox was empty.
    /// `set_next` stores a link into its record; it is called again after a lost race.
    #[inline]
    pub fn push(&self, index: u32, mut set_next: impl FnMut(u32)) -> bool {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            set_next(head);
            // Release: the link just stored and the payload go with the head.
            match self.head.compare_exchange_weak(head, link::to(index), Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return head == link::END,
                Err(now) => head = now,
            }
        }
    }

    /// Takes the whole list and returns the link to its first element ([`link::END`] = 0 if there is none),
    /// for [`link::walk`]. The last pushed comes first.
    #[inline]
    pub fn take_all(&self) -> u32 {
        // The owner looks often and finds nothing mostly: no read-modify-write for that.
        if self.is_empty() {
            return link::END;
        }
        // Acquire: links and payloads of all elements, by MAIL-RMW.
        self.head.swap(link::END, Ordering::Acquire)
    }

    /// Whether the mailbox was empty a moment ago: one relaxed load.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed) == link::END
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = link::index(self.head.load(Ordering::Relaxed));
        f.debug_struct("Mailbox").field("first", &first).finish()
    }
}
