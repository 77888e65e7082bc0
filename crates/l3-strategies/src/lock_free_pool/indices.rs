//! Which blocks of a [`LockFreePool`](super::LockFreePool) are free: the part that threads race for.
//!
//! ```text
//!   lane 0  │ version │ link to 7 │ ─► 7 ─► 3 ─► END      given back by threads of this lane
//!           │ used 12             │ 12, 13, … 15          of its range 0 .. 16 never used
//!   lane 1  │ version │ END       │
//!           │ used 0              │ 16, 17, … 31
//!   …                                                     a cache line for each
//!   links   one word per block, beside the blocks and not in them
//! ```
//!
//! A thread gives to its own lane and takes from there first, used ones before fresh ones: which lane that is the caller says, and nothing but
//! speed hangs on it. Where its lane has neither it takes from the others'. So each lane comes to have what its threads need, and
//! neighbouring blocks, whose links share a cache line, are with threads of one lane.
//!
//! # Invariants
//!
//! * **FREE-ONE** An index is with one caller, or in one lane's stack, or fresh in the range that it lies in; it moves by one exchange.
//! * **FREE-LINKS** Links are atomics that live as long as the pool and are nothing else meanwhile. That is why they lie
//!   outside the blocks: a thread inside a `pop` may read the link of a block that another one uses already, and in the block
//!   it would read what its user writes, a data race.
//! * **FREE-FULL** `None` is answered only if there was a moment at which all lanes were empty and nothing was fresh any more.
//!
//! FREE-FULL takes two looks. Between a look at lane 0 and one at lane 1 a block may come to lane 0 and another one leave lane 1, so that both
//! were seen empty and never were together. So each stack's count of pushes is read with the first look, and again when all are done: if none
//! was pushed to, all were empty from the last of the first looks to the first of the second ones. (A range without fresh ones stays so.) "Moment" on a machine
//! that has no common clock: what happened before anything that the first looks saw is seen by the second ones, because the
//! exchanges release and the looks acquire; so the blocks that were out by then, each with a thread that had not yet given it back, are all there are.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | the lanes' | see [`index_stack`](stratalloc_primitives::lockfree::index_stack) | | the last use of the block, to its next user |
//! | the second look at a lane: `pushes` | relaxed would do | – | FREE-FULL: what the first looks acquired a later load cannot miss |
//! | `used` CAS | **release** | `used` load | FREE-FULL: what the taker did before. Nothing of the block: nobody used it before |
//! | `used` load, failed CAS | **acquire** | `used` CAS | the same |
//! | link load and store | relaxed | – | covered by the lane's exchange |
//! | link, checked builds: CAS from `LIVE` | relaxed | itself | decides which of two releases is the second |
//!
//! No ABA: the lanes' versions. Progress: lock-free; an exchange fails, and a look is repeated, only because another thread's exchange succeeded.

use stratalloc_primitives::lockfree::{IndexStack, link};
use stratalloc_primitives::primitive::atomic::{AtomicU32, Ordering};

use crate::misuse::CHECKED;

/// The link of a block that is with a caller; written in checked builds only.
const LIVE: u32 = u32::MAX;
/// The link of a block that is being given back.
const RETURNING: u32 = u32::MAX - 1;
/// The most indices; so no link is mistaken for one of the two.
pub(crate) const MAX_COUNT: u32 = u32::MAX - 3;

/// As many threads take and give without disturbing each other.
pub(crate) const LANES: usize = if cfg!(loom) { 2 } else { 8 };

/// Ranges are multiples of this: so many links share a cache line.
const GROUP: u32 = if cfg!(loom) { 1 } else { 16 };

/// What threads of a lane write, on a cache line of its own (two: processors fetch them in pairs).
#[derive(Debug)]
#[repr(align(128))]
struct Lane {
    stack: IndexStack,
    /// So many of the lane's range were taken; they are its first ones.
    used: AtomicU32,
}

/// Indices 0 .. `count`, each free or taken; see the [module](self).
#[derive(Debug)]
pub(crate) struct Indices {
    lanes: [Lane; LANES],
    count: u32,
    /// Length of all ranges but the last ones.
    range: u32,
}

impl Indices {
    /// All indices below `count` (at most [`MAX_COUNT`]) are fresh.
    pub(crate) fn new(count: u32) -> Self {
        let lanes = core::array::from_fn(|_| Lane { stack: IndexStack::new(), used: AtomicU32::new(0) });
        #[expect(clippy::cast_possible_truncation, reason = "two or eight")]
        let range = count.div_ceil(LANES as u32).next_multiple_of(GROUP);
        Self { lanes, count, range }
    }

    /// Where the range of a lane begins, and its length.
    #[expect(clippy::cast_possible_truncation, reason = "below `LANES`")]
    fn range(&self, lane: usize) -> (u32, u32) {
        let start = self.range.saturating_mul(lane as u32).min(self.count);
        (start, self.range.min(self.count - start))
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Takes a free index, one of `lane` if it has any. `links` has one for each.
    #[inline]
    pub(crate) fn take(&self, links: &[AtomicU32], lane: usize) -> Option<u32> {
        let home = lane % LANES;
        let index = match self.lanes[home].stack.pop(|index| load(links, index)) {
            Some(index) => index,
            None => self.take_other(links, home)?,
        };
        if CHECKED && let Some(link) = links.get(index as usize) {
            link.store(LIVE, Ordering::Relaxed);
        }
        Some(index)
    }

    /// A fresh one of the lane, else one of another.
    #[cold]
    fn take_other(&self, links: &[AtomicU32], home: usize) -> Option<u32> {
        if let Some(index) = self.take_fresh(home) {
            return Some(index);
        }
        loop {
            let mut pushes = [0; LANES];
            for lane in (home..home + LANES).map(|lane| lane % LANES) {
                match self.lanes[lane].stack.pop_or_pushes(|index| load(links, index)) {
                    Ok(index) => return Some(index),
                    Err(so_many) => pushes[lane] = so_many,
                }
            }
            if let Some(index) = (0..LANES).find_map(|lane| self.take_fresh(lane)) {
                return Some(index);
            }
            // FREE-FULL.
            if self.lanes.iter().zip(pushes).all(|(lane, before)| lane.stack.pushes() == before) {
                return None;
            }
        }
    }

    fn take_fresh(&self, lane: usize) -> Option<u32> {
        let (start, length) = self.range(lane);
        let below_length = |used| (used < length).then_some(used + 1);
        // Release and acquire: FREE-FULL.
        let taken = self.lanes[lane].used.fetch_update(Ordering::Release, Ordering::Acquire, below_length);
        Some(start + taken.ok()?)
    }

    /// Gives an index back, to `lane`. In a checked build false if it was free already.
    #[inline]
    #[must_use]
    pub(crate) fn give(&self, links: &[AtomicU32], lane: usize, index: u32) -> bool {
        let Some(link) = links.get(index as usize) else { return false };
        let (live, returning) = (LIVE, RETURNING);
        if CHECKED && link.compare_exchange(live, returning, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return false;
        }
        self.lanes[lane % LANES].stack.push(index, |next| link.store(next, Ordering::Relaxed));
        true
    }

    /// How many were ever taken, and how many of these lie in the lanes (at most one more than that in each, should it be a ring).
    /// Right only while no other operation runs: it takes the stacks, and puts them back.
    pub(crate) fn look(&self, links: &[AtomicU32]) -> Look {
        let used = self.lanes.iter().map(|lane| lane.used.load(Ordering::Relaxed)).sum();
        let mut look = Look { used, free: 0, strange: None };
        for lane in &self.lanes {
            self.look_at(&lane.stack, links, &mut look);
        }
        look
    }

    /// Adds what lies in a lane's stack.
    fn look_at(&self, stack: &IndexStack, links: &[AtomicU32], look: &mut Look) {
        let Some(first) = stack.take_all() else { return };
        let (mut last, mut next, mut seen) = (first, Some(first), 0);
        while let Some(index) = next
            && seen <= look.used
        {
            let taken = self.taken_until(index);
            if index >= taken {
                look.strange = Some((index, taken));
                break;
            }
            (seen, last) = (seen + 1, index);
            next = link::index(load(links, index));
        }
        look.free = look.free.saturating_add(seen);
        if let Some(link) = links.get(last as usize) {
            stack.push_chain(first, |below| link.store(below, Ordering::Relaxed));
        }
    }

    /// End of what was taken of the range that the index lies in.
    fn taken_until(&self, index: u32) -> u32 {
        let lane = index.checked_div(self.range).unwrap_or(0) as usize;
        self.lanes.get(lane).map_or(0, |of| self.range(lane).0 + of.used.load(Ordering::Relaxed))
    }
}

/// The link of an index that came out of a lane. (Always there; a comparison costs less than a promise.)
#[inline(always)]
fn load(links: &[AtomicU32], index: u32) -> u32 {
    links.get(index as usize).map_or(link::END, |link| link.load(Ordering::Relaxed))
}

/// What [`Indices::look`] saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) used: u32,
    pub(crate) free: u32,
    /// An index in a lane that was never taken, and where those end that were.
    pub(crate) strange: Option<(u32, u32)>,
}
