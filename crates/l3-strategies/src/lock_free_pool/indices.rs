//! Which blocks of a [`LockFreePool`](super::LockFreePool) are free: the part that threads race for.
//!
//! ```text
//!   stack  │ version │ link to 7 │ ─► 7 ─► 3 ─► END      given back
//!   fresh  12                        12, 13, … count − 1   never used
//!   links  one word per block, beside the blocks and not in them
//! ```
//!
//! # Invariants
//!
//! * **FREE-ONE** An index is with one caller, or in the stack, or fresh; it moves by one exchange.
//! * **FREE-LINKS** Links are atomics that live as long as the pool and are nothing else meanwhile. That is why they lie
//!   outside the blocks: a thread inside a `pop` may read the link of a block that another one uses already, and in the block
//!   it would read what its user writes, a data race.
//! * **FREE-FULL** `None` is answered only if the stack was empty at a moment at which nothing was fresh any more.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | the stack's | see [`index_stack`](stratalloc_primitives::lockfree::index_stack) | | the last use of the block, to its next user |
//! | `fresh` load and CAS | relaxed | – | nothing: who shares the pool has handed on the memory, and nobody used the block before |
//! | link load and store | relaxed | – | covered by the stack's exchange |
//! | link, checked builds: CAS from `LIVE` | relaxed | itself | decides which of two releases is the second |
//!
//! No ABA: the stack's version. Progress: lock-free; an exchange fails only because another thread's succeeded.

use stratalloc_primitives::const_unless_loom;
use stratalloc_primitives::lockfree::{IndexStack, link};
use stratalloc_primitives::primitive::atomic::{AtomicU32, Ordering};

use crate::misuse::CHECKED;

/// The link of a block that is with a caller; written in checked builds only.
const LIVE: u32 = u32::MAX;
/// The link of a block that is being given back.
const RETURNING: u32 = u32::MAX - 1;
/// The most indices; so no link is mistaken for one of the two.
pub(crate) const MAX_COUNT: u32 = u32::MAX - 3;

/// Indices 0 .. `count`, each free or taken; see the [module](self).
///
/// The stack and `fresh` share a cache line, which nothing else lies on.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Indices {
    stack: IndexStack,
    fresh: AtomicU32,
    count: u32,
}

impl Indices {
    const_unless_loom! {
        /// All indices below `count` (at most [`MAX_COUNT`]) are fresh.
        pub(crate) fn new(count: u32) -> Self {
            Self { stack: IndexStack::new(), fresh: AtomicU32::new(0), count }
        }
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Takes a free index. `links` has one for each.
    #[inline]
    pub(crate) fn take(&self, links: &[AtomicU32]) -> Option<u32> {
        let index = match self.pop(links) {
            Some(index) => index,
            // The last look is for FREE-FULL: since the first one, somebody may have given a block back and somebody else,
            // who had seen the stack empty as well, may have taken the last fresh one.
            None => self.take_fresh().or_else(|| self.pop(links))?,
        };
        if CHECKED && let Some(link) = links.get(index as usize) {
            link.store(LIVE, Ordering::Relaxed);
        }
        Some(index)
    }

    #[inline(always)]
    fn pop(&self, links: &[AtomicU32]) -> Option<u32> {
        self.stack.pop(|index| load(links, index))
    }

    #[cold]
    fn take_fresh(&self) -> Option<u32> {
        let below_count = |fresh| (fresh < self.count).then_some(fresh + 1);
        self.fresh.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below_count).ok()
    }

    /// Gives an index back. In a checked build false if it was free already.
    #[inline]
    #[must_use]
    pub(crate) fn give(&self, links: &[AtomicU32], index: u32) -> bool {
        let Some(link) = links.get(index as usize) else { return false };
        let (live, returning) = (LIVE, RETURNING);
        if CHECKED && link.compare_exchange(live, returning, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return false;
        }
        self.stack.push(index, |next| link.store(next, Ordering::Relaxed));
        true
    }

    /// How many were ever taken, and how many of these lie in the stack (at most one more than that, should it be a ring).
    /// Right only while no other operation runs: it takes the stack, and puts it back.
    pub(crate) fn look(&self, links: &[AtomicU32]) -> Look {
        let used = self.fresh.load(Ordering::Relaxed);
        let mut look = Look { used, free: 0, strange: None };
        let Some(first) = self.stack.take_all() else { return look };
        let mut last = first;
        let mut next = Some(first);
        while let Some(index) = next
            && look.free <= used
        {
            if index >= used {
                look.strange = Some(index);
                break;
            }
            (look.free, last) = (look.free + 1, index);
            next = link::index(load(links, index));
        }
        if let Some(link) = links.get(last as usize) {
            self.stack.push_chain(first, |below| link.store(below, Ordering::Relaxed));
        }
        look
    }
}

/// The link of an index that came out of the stack. (Always there; a comparison costs less than a promise.)
#[inline(always)]
fn load(links: &[AtomicU32], index: u32) -> u32 {
    links.get(index as usize).map_or(link::END, |link| link.load(Ordering::Relaxed))
}

/// What [`Indices::look`] saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) used: u32,
    pub(crate) free: u32,
    /// An index in the stack that was never taken.
    pub(crate) strange: Option<u32>,
}
