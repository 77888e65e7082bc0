//! The free blocks of one class: the part that threads race for.
//!
//! ```text
//!   stack   │ version │ link to 7 │ ─► 7 ─► 3 ─► END     given back; links lie in the chunks' heads
//!   fresh   │ chunk   │ left 12   │                      the last 12 blocks of that chunk were never used
//!   entered │ closed  │ 85        │                      with 80 pushes in the version: 5 live blocks, and operations that are under way
//! ```
//!
//! # Invariants
//!
//! * **LIST-ONE** A block is with one caller, or in the stack, or fresh; it moves by one exchange.
//! * **LIST-IN** Whoever touches the lists, or a link, has entered: it is counted in `entered`, and still is as the holder of the block that it
//!   took. It leaves by one push, which gives that block back, or, without a block, by counting itself out.
//! * **LIST-USERS** Hence `entered` less the stack's pushes is how many are in. Either counts up for ever (`entered` but for those who leave
//!   without a block), and a push comes after its entrance; fewer than 2³² are in at a time, so the low halves tell.
//! * **LIST-CLOSED** `entered` is closed only when nobody is in, and while it is closed nobody enters. So whoever closed it is alone with
//!   the lists and all chunks of the class, and may give those to another class or away. (`close` reads the pushes, p, then exchanges `entered`
//!   if it is p. All entrances of those p came before, in `entered`'s order. Whoever else entered before the exchange would be in the sum, unless
//!   it has left; and who comes after it finds the class closed.)
//! * **LIST-FRESH** `fresh` names another chunk only when nothing of the one before is left.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | the stack's | see [`index_stack`](stratalloc_primitives::lockfree::index_stack) | | the last use of a block, to its next user |
//! | `install`: CAS of `fresh` | **release** | `take_fresh`: load, failed CAS | the chunk's head and links; whoever enters it into the directory has done so before |
//! | `take_fresh`: load, failed CAS | **acquire** | `install` | the same |
//! | `take_fresh`: successful CAS | relaxed | – | it read what the acquiring load read; it continues `install`'s release sequence |
//! | the stack's push, as a leave | **release** | `close`: `take_all` | all that was done to lists, links and blocks |
//! | `leave` | **release** | `close`: CAS of `entered` | the same, by those who had no block |
//! | load of the pushes (`users`, `close`) | **acquire** | the stack's pushes (all of them: STACK-RMW) | that `entered`, read next, has their entrances |
//! | `take_all` in `close` | **acquire** | the same | all that was done by those who gave a block back |
//! | `close`: CAS of `entered` | **acquire** | `leave` (all of them: `entered` changes by read-modify-write only) | the same: nobody is in the middle of anything |
//! | `open` | **release** | `enter` | the emptied lists |
//! | `enter` | **acquire** | `open` | the same |
//!
//! No ABA: the stack's version. An equal `fresh` means the same, whatever happened meanwhile: chunk n has so many fresh blocks.
//! Progress: lock-free, except that `enter` waits, for a bounded time, for a class that is being closed; that happens only after upstream
//! has refused a request.

use stratalloc_primitives::const_unless_loom;
use stratalloc_primitives::lockfree::{IndexStack, link};
use stratalloc_primitives::primitive::atomic::{AtomicU32, AtomicU64, Ordering};
use stratalloc_primitives::primitive::hint::spin_loop;

/// Set in `entered` while a class is closed.
const CLOSED: u64 = 1 << 63;
/// How often [`Lists::enter`] looks again: some milliseconds.
const PATIENCE: u32 = if cfg!(loom) { 2 } else { 1 << 18 };

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half")]
const fn low_half(word: u64) -> u32 {
    word as u32
}

/// How many fresh blocks are left.
#[inline(always)]
const fn left_of(fresh: u64) -> u32 {
    low_half(fresh)
}

/// Free blocks as indices; see the [module](self). On a cache line that holds nothing else.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Lists {
    stack: IndexStack,
    fresh: AtomicU64,
    entered: AtomicU64,
}

/// What [`Lists::take_fresh`] found when there was nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsedUp(u64);

impl Lists {
    const_unless_loom! {
        /// No blocks, no users.
        pub(crate) fn new() -> Self {
            Self { stack: IndexStack::new(), fresh: AtomicU64::new(0), entered: AtomicU64::new(0) }
        }
    }

    /// Counts the caller in (LIST-IN). False if somebody holds the class closed, and does not come to an end.
    #[inline(always)]
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        self.entered.fetch_add(1, Ordering::Acquire) & CLOSED == 0 || self.enter_again()
    }

    #[cold]
    fn enter_again(&self) -> bool {
        for _ in 0..PATIENCE {
            self.entered.fetch_sub(1, Ordering::Relaxed);
            spin_loop();
            if self.entered.fetch_add(1, Ordering::Acquire) & CLOSED == 0 {
                return true;
            }
        }
        self.entered.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// Counts the caller, who has no block, out.
    pub(crate) fn leave(&self) {
        self.entered.fetch_sub(1, Ordering::Release);
    }

    /// Live blocks; while operations are under way, those too (LIST-USERS).
    pub(crate) fn users(&self) -> usize {
        // In this order: each of these pushes has entered.
        let pushes = self.stack.pushes();
        low_half(self.entered.load(Ordering::Relaxed)).wrapping_sub(pushes) as usize
    }

    /// Takes a block that was given back. The caller has entered.
    #[inline(always)]
    pub(crate) fn pop<'l>(&self, link_of: impl Fn(u32) -> &'l AtomicU32) -> Option<u32> {
        self.stack.pop(|index| link_of(index).load(Ordering::Relaxed))
    }

    /// Gives a block back, whose link this is; from then on its holder is not in any more.
    #[inline(always)]
    pub(crate) fn push(&self, index: u32, link: &AtomicU32) {
        self.stack.push(index, |next| link.store(next, Ordering::Relaxed));
    }

    /// Takes a fresh block: the number of its chunk, and how many were left there with it. The caller has entered.
    pub(crate) fn take_fresh(&self) -> Result<(u32, u32), UsedUp> {
        let mut seen = self.fresh.load(Ordering::Acquire);
        while left_of(seen) > 0 {
            match self.fresh.compare_exchange_weak(seen, seen - 1, Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => return Ok(((seen >> 32) as u32, left_of(seen))),
                Err(now) => seen = now,
            }
        }
        Err(UsedUp(seen))
    }

    /// Makes `left` blocks of a chunk the fresh ones, in place of what was used up. False if another thread has done so. The
    /// caller has entered.
    #[must_use]
    pub(crate) fn install(&self, used_up: UsedUp, chunk: u32, left: u32) -> bool {
        let new = u64::from(chunk) << 32 | u64::from(left);
        self.fresh.compare_exchange(used_up.0, new, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Closes a class that nobody uses (LIST-CLOSED), and empties its lists. False if somebody does.
    #[must_use]
    pub(crate) fn close(&self) -> bool {
        let pushes = self.stack.pushes();
        let entered = self.entered.load(Ordering::Relaxed);
        if low_half(entered) != pushes || entered & CLOSED != 0 {
            return false;
        }
        let closed = entered | CLOSED;
        if self.entered.compare_exchange(entered, closed, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        let _ = self.stack.take_all();
        self.fresh.store(0, Ordering::Relaxed);
        true
    }

    /// Ends a [`close`](Self::close).
    pub(crate) fn open(&self) {
        self.entered.fetch_sub(CLOSED, Ordering::Release);
    }

    /// The chunk with fresh blocks, and how many. Right only while no other operation runs.
    pub(crate) fn fresh(&self) -> (u32, u32) {
        let fresh = self.fresh.load(Ordering::Acquire);
        ((fresh >> 32) as u32, left_of(fresh))
    }

    /// Shows each index in the stack to `look`, from the top, until that says no. The caller has entered, and has left after it. Right only
    /// while no other operation runs: it takes the stack, and puts it back.
    pub(crate) fn look<'l>(&self, link_of: impl Fn(u32) -> &'l AtomicU32, mut look: impl FnMut(u32) -> bool) {
        let first = self.stack.take_all();
        let (mut last, mut next) = (None, first);
        while let Some(index) = next
            && look(index)
        {
            last = Some(index);
            next = link::index(link_of(index).load(Ordering::Relaxed));
        }
        // What comes after an index that is none is lost.
        match first.zip(last) {
            // One push, however many blocks: LIST-IN.
            Some((first, last)) => {
                self.stack.push_chain(first, |below| link_of(last).store(below, Ordering::Relaxed));
            }
            None => self.leave(),
        }
    }
}
