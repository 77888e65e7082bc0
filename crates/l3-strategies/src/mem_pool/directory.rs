//! Which chunk has which number.
//!
//! ```text
//!   first    │ place 0 │ place 1 │ … │ place 31 │        in the pool itself
//!   more[0] ─► │ place 32 │ … │ place 95 │               from upstream when needed, each twice as long as the one before,
//!   more[1] ─► │ place 96 │ …                            kept until the pool is dropped
//!
//!   place    │ start │ class │ link │       link: of a list of numbers, `spare` (chunks of no class) or `vacant` (no chunk)
//! ```
//!
//! Invariants: **PLACE-STAY** A place stays where it is until the pool is dropped, so a thread may read the link of a number that another
//! one has just taken (STACK-LINK). **PLACE-ONE** A number has a chunk of one class, or is in one of the two lists, or with one thread.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `more`: CAS | **release** | load, failed CAS: **acquire** | the places behind it |
//! | `start`, `class`: store, load | **release**, **acquire** | each other | the chunk's head (to `find`; for takers the lists carry it) |
//! | `used`: CAS | **release** | load | that all numbers below have a place (`more`), for whoever walks over them (`chunks`, `validate`) |
//! | `used`: failed CAS | relaxed | – | a guess, which `extend` and the next CAS check |

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use stratalloc_primitives::lockfree::IndexStack;
use stratalloc_primitives::primitive::atomic::{AtomicPtr, AtomicU32, Ordering};
use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

/// How many places lie in the pool itself. (In models one, so that they reach the second segment soon.)
const FIRST: usize = FIRST_NUMBERS as usize;
const FIRST_NUMBERS: u32 = if cfg!(loom) { 1 } else { 32 };
/// How many times more can be added.
const SEGMENTS: usize = 16;
/// The most chunks that there can be.
pub(super) const MOST: u32 = FIRST_NUMBERS * ((1 << (SEGMENTS + 1)) - 1);

/// The class of a chunk that has none; others are one more than their number.
pub(super) const NO_CLASS: u32 = 0;

/// What is known of a number; see the [module](self).
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) start: AtomicPtr<u8>,
    pub(super) class: AtomicU32,
    link: AtomicU32,
}

impl Place {
    fn new() -> Self {
        Self { start: AtomicPtr::new(null_mut()), class: AtomicU32::new(NO_CLASS), link: AtomicU32::new(0) }
    }
}

/// A list of numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    /// Of chunks that belong to no class.
    Spare,
    /// Without a chunk.
    Vacant,
}

/// All places; see the [module](self).
#[derive(Debug)]
pub(crate) struct Directory {
    first: [Place; FIRST],
    more: [AtomicPtr<Place>; SEGMENTS],
    used: AtomicU32,
    spare: IndexStack,
    vacant: IndexStack,
}

/// The segment of a number (0 is `first`), its position there, and the segment's length.
#[inline(always)]
const fn position(number: usize) -> (usize, usize, usize) {
    // Segments are as long as powers of two, and the sum of those before is the own length less `FIRST`.
    let shifted = number + FIRST;
    let (highest, len) = (shifted.ilog2(), 1 << shifted.ilog2());
    ((highest - FIRST.ilog2()) as usize, shifted - len, len)
}

impl Directory {
    /// No numbers yet.
    pub(crate) fn new() -> Self {
        Self {
            first: core::array::from_fn(|_| Place::new()),
            more: core::array::from_fn(|_| AtomicPtr::new(null_mut())),
            used: AtomicU32::new(0),
            spare: IndexStack::new(),
            vacant: IndexStack::new(),
        }
    }

    /// How many numbers there ever were; all below have a place.
    pub(crate) fn used(&self) -> u32 {
        self.used.load(Ordering::Acquire)
    }

    /// The place of a number below [`used`](Self::used).
    #[inline]
    pub(crate) fn place(&self, number: u32) -> &Place {
        let (segment, position, _) = position(number as usize);
        let Some(more) = segment.checked_sub(1) else { return &self.first[position] };
        let segment = self.more[more].load(Ordering::Acquire);
        assert!(cfg!(not(loom)) || !segment.is_null(), "a number below `used` without a place");
        // SAFETY: a number below `used` has a place in its segment, which stays: PLACE-STAY.
        unsafe { &*segment.wrapping_add(position) }
    }

    pub(super) fn pop(&self, list: List) -> Option<u32> {
        self.list(list).pop(|number| self.place(number).link.load(Ordering::Relaxed))
    }

    /// Puts a number that the caller alone has into a list.
    pub(super) fn push(&self, list: List, number: u32) {
        self.list(list).push(number, |next| self.place(number).link.store(next, Ordering::Relaxed));
    }

    const fn list(&self, list: List) -> &IndexStack {
        match list {
            List::Spare => &self.spare,
            List::Vacant => &self.vacant,
        }
    }

    /// A number for a new chunk, below `most`; its place may have to be had from upstream.
    pub(crate) fn number<U: MemoryResource>(&self, upstream: &U, most: u32) -> Result<u32, AllocError> {
        if let Some(number) = self.pop(List::Vacant) {
            return Ok(number);
        }
        let mut number = self.used();
        loop {
            if number >= most {
                return Err(AllocError::CapacityExhausted);
            }
            // Before anybody has the number.
            self.extend(upstream, number)?;
            match self.used.compare_exchange(number, number + 1, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Ok(number),
                Err(now) => number = now,
            }
        }
    }

    /// Makes sure that a number has a place.
    fn extend<U: MemoryResource>(&self, upstream: &U, number: u32) -> Result<(), AllocError> {
        let (segment, _, len) = position(number as usize);
        let Some(more) = segment.checked_sub(1).and_then(|more| self.more.get(more)) else { return Ok(()) };
        if !more.load(Ordering::Acquire).is_null() {
            return Ok(());
        }
        let layout = Layout::array::<Place>(len).map_err(|_| AllocError::SizeOverflow)?;
        let block = upstream.allocate(layout)?;
        let places = block.as_ptr().cast::<Place>();
        for position in 0..len {
            // SAFETY: inside the block, aligned: its layout.
            unsafe { places.wrapping_add(position).write(Place::new()) };
        }
        if more.compare_exchange(null_mut(), places, Ordering::Release, Ordering::Acquire).is_err() {
            // SAFETY: upstream's, just now, and nobody has seen it.
            unsafe { upstream.deallocate(block, Alignment::of::<Place>()) };
        }
        Ok(())
    }

    /// Gives all places upstream.
    ///
    /// # Safety
    ///
    /// Upstream is the one that they came from; the directory is not used any more.
    pub(crate) unsafe fn release<U: MemoryResource>(&mut self, upstream: &U) {
        for (more, pointer) in self.more.iter().enumerate() {
            if let Some(start) = NonNull::new(pointer.load(Ordering::Relaxed)) {
                let block = MemoryBlock::new(start.cast(), (FIRST << (more + 1)) * size_of::<Place>());
                // SAFETY: from `extend`, with this alignment: this function's contract.
                unsafe { upstream.deallocate(block, Alignment::of::<Place>()) };
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_place_of_its_own() {
        let (mut expected, mut reached) = ((0, 0), 0);
        for number in 0..if cfg!(miri) { 5_000 } else { 100_000 } {
            let (segment, place, len) = position(number);
            assert_eq!(((segment, place), len), (expected, FIRST << segment));
            expected = if place + 1 == len { (segment + 1, 0) } else { (segment, place + 1) };
            reached = reached.max(segment);
        }
        assert!(reached > 5);
        assert_eq!(position(MOST as usize - 1).0, SEGMENTS);
        assert_eq!(position(MOST as usize).0, SEGMENTS + 1);
    }
}
