//! The free blocks of one class: the part that threads race for.
//!
//! ```text
//!   stack   │ version │ link to 7 │ ─► 7 ─► 3 ─► END     given back; links lie in the chunks' heads
//!   fresh   │ chunk   │ left 12   │                      the last 12 blocks of that chunk were never used
//!   users   │ closed  │ 5         │                      live blocks, and operations that are under way
//! ```
//!
//! # Invariants
//!
//! * **LIST-ONE** A block is with one caller, or in the stack, or fresh; it moves by one exchange.
//! * **LIST-IN** Whoever touches the lists, or a link, has entered: it is counted in `users`, as is the holder of each live block.
//! * **LIST-CLOSED** `users` is closed only when it was zero, and while it is closed nobody enters. So whoever closed it is alone with
//!   the lists and all chunks of the class, and may give those to another class or away.
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
//! | `leave` | **release** | `close` | all that was done to lists, links and blocks |
//! | `close`: CAS of `users` | **acquire** | `leave` (all of them: `users` changes by read-modify-write only) | the same: nobody is in the middle of anything |
//! | `open` | **release** | `enter` | the emptied lists |
//! | `enter` | **acquire** | `open` | the same |
//!
//! No ABA: the stack's version. An equal `fresh` means the same, whatever happened meanwhile: chunk n has so many fresh blocks.
//! Progress: lock-free, except that `enter` waits, for a bounded time, for a class that is being closed; that happens only after upstream
//! has refused a request.

use stratalloc_primitives::const_unless_loom;
use stratalloc_primitives::lockfree::{IndexStack, link};
use stratalloc_primitives::primitive::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use stratalloc_primitives::primitive::hint::spin_loop;

/// Set in `users` while a class is closed.
const CLOSED: usize = 1 << (usize::BITS - 1);
/// How often [`Lists::enter`] looks again: some milliseconds.
const PATIENCE: u32 = if cfg!(loom) { 2 } else { 1 << 18 };

/// The low half of `fresh`.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half")]
const fn left_of(fresh: u64) -> u32 {
    fresh as u32
}

/// Free blocks as indices; see the [module](self). On a cache line that holds nothing else.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Lists {
    stack: IndexStack,
    fresh: AtomicU64,
    users: AtomicUsize,
}

/// What [`Lists::take_fresh`] found when there was nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsedUp(u64);

impl Lists {
    const_unless_loom! {
        /// No blocks, no users.
        pub(crate) fn new() -> Self {
            Self { stack: IndexStack::new(), fresh: AtomicU64::new(0), users: AtomicUsize::new(0) }
        }
    }

    /// Counts the caller in (LIST-IN). False if somebody holds the class closed, and does not come to an end.
    #[inline(always)]
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        self.users.fetch_add(1, Ordering::Acquire) & CLOSED == 0 || self.enter_again()
    }

    #[cold]
    fn enter_again(&self) -> bool {
        for _ in 0..PATIENCE {
            self.users.fetch_sub(1, Ordering::Relaxed);
            spin_loop();
            if self.users.fetch_add(1, Ordering::Acquire) & CLOSED == 0 {
                return true;
            }
        }
        self.users.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// Counts the caller, or a block that came back, out.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        self.users.fetch_sub(1, Ordering::Release);
    }

    /// Live blocks; while operations are under way, those too.
    pub(crate) fn users(&self) -> usize {
        self.users.load(Ordering::Relaxed) & !CLOSED
    }

    /// Takes a block that was given back. The caller has entered.
    #[inline(always)]
    pub(crate) fn pop<'l>(&self, link_of: impl Fn(u32) -> &'l AtomicU32) -> Option<u32> {
        self.stack.pop(|index| link_of(index).load(Ordering::Relaxed))
    }

    /// Gives a block back, whose link this is. It is still counted as live.
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
        if self.users.compare_exchange(0, CLOSED, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        let _ = self.stack.take_all();
        self.fresh.store(0, Ordering::Relaxed);
        true
    }

    /// Ends a [`close`](Self::close).
    pub(crate) fn open(&self) {
        self.users.fetch_sub(CLOSED, Ordering::Release);
    }

    /// The chunk with fresh blocks, and how many. Right only while no other operation runs.
    pub(crate) fn fresh(&self) -> (u32, u32) {
        let fresh = self.fresh.load(Ordering::Acquire);
        ((fresh >> 32) as u32, left_of(fresh))
    }

    /// Shows each index in the stack to `look`, from the top, until that says no. The caller has entered. Right only while no other
    /// operation runs: it takes the stack, and puts it back.
    pub(crate) fn look<'l>(&self, link_of: impl Fn(u32) -> &'l AtomicU32, mut look: impl FnMut(u32) -> bool) {
        let Some(first) = self.stack.take_all() else { return };
        let (mut last, mut next) = (None, Some(first));
        while let Some(index) = next
            && look(index)
        {
            last = Some(index);
            next = link::index(link_of(index).load(Ordering::Relaxed));
        }
        // What comes after an index that is none is lost.
        if let Some(last) = last {
            self.stack.push_chain(first, |below| link_of(last).store(below, Ordering::Relaxed));
        }
    }
}
