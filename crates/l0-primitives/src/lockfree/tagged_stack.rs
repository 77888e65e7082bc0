//! [`TaggedStack`]: any thread pushes, any thread takes one or all; full pointers, a [double
//! word](super::double_word).
//!
//! For nodes that no table numbers. Where records have indices, [`IndexStack`](super::IndexStack) is smaller
//! and needs no 128-bit exchange. The link of a node belongs to the caller, who passes two closures.
//!
//! ```text
//!   head   │ pointer │ version │
//!               └──► node ──next──► node ──next──► null
//! ```
//!
//! # Invariants
//!
//! * **TAG-OWN** A node is pushed by whoever owns it alone, and pushing gives it up. (Caller.)
//! * **TAG-LINK** Links are atomics (relaxed is enough) that stay mapped and initialised for as long as the
//!   stack lives, whether the node is in it or not, and are accessed as nothing else. (Caller.) A thread may
//!   read the link of a node that another one has just taken; it gets a stale pointer, and TAG-VERSION throws
//!   it away.
//! * **TAG-VERSION** Every change of the head (push, pop, take_all) adds one to the version: no pair occurs
//!   twice.
//!
//! # Memory ordering
//!
//! The stack has no atomics of its own; it uses two operations of the double word.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `observe` | **acquire**, both halves | the exchange that wrote them | the node's link, before `next_of` reads it |
//! | exchange in `push` | **release** | `observe`, exchange in `pop` and `take_all` | the link and the pusher's writes to the node |
//! | exchange in `pop`, `take_all` | **acquire** | exchange in `push` | the payload; nodes further down: every exchange acquires the one before and releases to the next |
//!
//! # No ABA
//!
//! `pop` sees (A, v), reads A's link B, and exchanges (A, v) for (B, v + 1). By TAG-VERSION success means
//! that the head was (A, v) all the time since `observe` read v; A stayed on top, so its link was B. A torn
//! observation (A of one moment, v of another) either happens to be the true pair, which is the case above,
//! or fails. 64-bit versions do not repeat in practice (500 years at 1 ns); 32-bit ones (32-bit targets)
//! repeat after 2³² changes, and then need A on top again.
//!
//! # Progress
//!
//! That of the double word: lock-free with `Wide` and `Packed`, blocking with `Locked`.

use super::double_word::{DoubleWord, Native, Versioned};
use crate::const_unless_loom;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};

/// A stack of nodes `T`; see the [module](self).
pub struct TaggedStack<T, D: DoubleWord = Native> {
    head: D,
    // The stack hands pointers on, as `AtomicPtr<T>` does: shareable whatever `T` is, since touching a node
    // is its user's `unsafe`.
    nodes: PhantomData<fn(*mut T) -> *mut T>,
}

impl<T> TaggedStack<T> {
    const_unless_loom! {
        /// An empty stack over the best double word of the target. All bits are zero.
        #[must_use]
        pub fn new() -> Self {
            Self::over(Native::null())
        }
    }
}

impl<T, D: DoubleWord> TaggedStack<T, D> {
    /// An empty stack over `null`, a double word that holds a null pointer and serves nobody else.
    #[must_use]
    pub const fn over(null: D) -> Self {
        Self { head: null, nodes: PhantomData }
    }

    /// Pushes `node` (TAG-OWN). `set_next` stores a link into it; it is called again after a lost race.
    #[inline]
    pub fn push(&self, node: NonNull<T>, set_next: impl FnMut(*mut T)) {
        self.push_chain(node, set_next);
    }

    /// Pushes a chain of nodes that the caller has linked from `first` on; one exchange for all.
    /// `set_next_of_last` stores a link into the last one.
    #[inline]
    pub fn push_chain(&self, first: NonNull<T>, mut set_next_of_last: impl FnMut(*mut T)) {
        loop {
            let head = self.head.observe();
            set_next_of_last(head.pointer.cast());
            // TAG-VERSION; the exchange releases the link and the payload.
            if self.head.compare_exchange_weak(head, head.next(first.as_ptr().cast())) {
                return;
            }
        }
    }

    /// Takes the top node. `next_of` loads the link from a node, perhaps from one that this thread does not
    /// get (TAG-LINK).
    #[inline]
    pub fn pop(&self, next_of: impl Fn(NonNull<T>) -> *mut T) -> Option<NonNull<T>> {
        loop {
            let head = self.head.observe();
            let node = node_of(head)?;
            let next = next_of(node);
            if self.head.compare_exchange_weak(head, head.next(next.cast())) {
                return Some(node);
            }
        }
    }

    /// Takes all nodes; the first is returned, the others hang on its link.
    #[inline]
    pub fn take_all(&self) -> Option<NonNull<T>> {
        loop {
            let head = self.head.observe();
            let first = node_of(head)?;
            if self.head.compare_exchange_weak(head, head.next(null_mut())) {
                return Some(first);
            }
        }
    }

    /// Whether the stack was empty a moment ago: a hint that saves a `pop`.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.observe().pointer.is_null()
    }
}

#[inline(always)]
fn node_of<T>(head: Versioned) -> Option<NonNull<T>> {
    NonNull::new(head.pointer.cast())
}

impl<T> Default for TaggedStack<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, D: DoubleWord> fmt::Debug for TaggedStack<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.head.observe();
        f.debug_struct("TaggedStack").field("top", &head.pointer).field("version", &head.version).finish()
    }
}
