//! [`ReturnList`]: any thread pushes a node, one thread takes all; one word.
//!
//! How blocks of a pool come home from other threads. Nodes are free blocks; the link of a node lies in it and belongs to the
//! caller, who passes closures.
//!
//! ```text
//!   head ──► node ──next──► node ──next──► null         push: CAS          take_all: swap with null, then walk alone
//! ```
//!
//! # Invariants
//!
//! * **RETURN-OWN** A node is pushed by whoever owns it alone, and pushing gives it up. (Caller.)
//! * **RETURN-LINK** A link is written by the pusher before the exchange and read by the taker after the swap, by nobody else;
//!   so it need not be an atomic. (Caller.)
//! * **RETURN-RMW** After construction `head` changes by read-modify-write only: each value belongs to the release sequences of
//!   all pushes below it.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `push` load, failed CAS | relaxed | – | a guess; the CAS checks it |
//! | `push` CAS | **release** | `take_all` swap | the link, and the pusher's last use of the block |
//! | `take_all` first load | relaxed | – | a hint: a push that it misses is found by the next call |
//! | `take_all` swap | **acquire** | `push` CAS of every node (RETURN-RMW) | all links; the right to reuse the blocks |
//!
//! # No ABA
//!
//! `push` uses the head's value and nothing that it read through it; if the list was taken and an equal head came back, the
//! node hangs before that equal head, which is right. `take_all` compares nothing.
//!
//! # Progress
//!
//! `push` is lock-free, `take_all` wait-free.

use core::ptr::{NonNull, null_mut};

use stratalloc_primitives::const_unless_loom;
use stratalloc_primitives::primitive::atomic::{AtomicPtr, Ordering};

/// A take-all list of nodes `T`; see the [module](self).
#[derive(Debug)]
pub(crate) struct ReturnList<T> {
    head: AtomicPtr<T>,
}

impl<T> ReturnList<T> {
    const_unless_loom! {
        /// An empty list.
        pub(crate) fn new() -> Self {
            Self { head: AtomicPtr::new(null_mut()) }
        }
    }

    /// Pushes `node` (RETURN-OWN). `set_next` stores a link into it; it is called again after a lost race.
    #[inline]
    pub(crate) fn push(&self, node: NonNull<T>, mut set_next: impl FnMut(Option<NonNull<T>>)) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            set_next(NonNull::new(head));
            // Release: the link just stored, and whatever the block's last user did to it.
            match self.head.compare_exchange_weak(head, node.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes all nodes; the first, the last pushed, is returned, and the others hang on its link.
    #[inline]
    pub(crate) fn take_all(&self) -> Option<NonNull<T>> {
        // The owner looks often and finds nothing mostly: no read-modify-write for that.
        if self.head.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // Acquire: by RETURN-RMW from the pusher of every node.
        NonNull::new(self.head.swap(null_mut(), Ordering::Acquire))
    }
}
