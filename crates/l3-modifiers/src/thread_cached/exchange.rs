//! [`Exchange`]: where threads leave chains of blocks for each other, without waiting.
//!
//! ```text
//!   class 0   │ chain │  –  │ chain │ … │      a few places for each class: null, or a chain of exactly one batch
//!   class 1   │   –   │  –  │   –   │ … │
//! ```
//!
//! # Invariants
//!
//! * **EXCHANGE-OWN** A chain in a place is nobody's; the exchange that puts null in it, and no other access, makes it the taker's, whole.
//! * **EXCHANGE-BYTES** `bytes` is the sum over the chains in places and those being put or taken; it grows only by an exchange that compares the
//!   sum with the bound.
//!
//! # Memory ordering
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `put`: exchange of null for a chain | **release** | `take` | links and contents of the blocks |
//! | `take`: swap for null | **acquire** | `put` | the same |
//! | loads before either | relaxed | – | a guess, which the exchange checks |
//! | `bytes` | relaxed | – | a bound, nothing else |
//!
//! # No ABA
//!
//! Nobody reads a link of a chain that is not his, and an exchange decides on nothing but null: it does not matter which chain was there before.
//!
//! # Progress
//!
//! `take` is wait-free: one swap at most for each place of the class. `put` is lock-free: the exchange of `bytes` fails only because another
//! thread's succeeded; then one exchange at most for each place.

use core::ptr::{NonNull, null_mut};

use stratalloc_primitives::primitive::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::line::Line;

/// Chains of `T`s, `PLACES` for each of `CLASSES`; see the source for how it works.
#[derive(Debug)]
pub(crate) struct Exchange<T, const CLASSES: usize, const PLACES: usize> {
    // Each class on a line of its own, and the sum, which all change, on another one.
    places: [Line<[AtomicPtr<T>; PLACES]>; CLASSES],
    bytes: Line<AtomicUsize>,
    most: usize,
}

impl<T, const CLASSES: usize, const PLACES: usize> Exchange<T, CLASSES, PLACES> {
    /// An empty one, for `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        let place = |_| AtomicPtr::new(null_mut());
        let places = core::array::from_fn(|_| Line(core::array::from_fn(place)));
        Self { places, bytes: Line(AtomicUsize::new(0)), most }
    }

    /// Leaves a chain of `bytes` bytes; `false`, and it stays the caller's, if there is no room.
    pub(crate) fn put(&self, class: usize, chain: NonNull<T>, bytes: usize) -> bool {
        let within = |sum: usize| sum.checked_add(bytes).filter(|&sum| sum <= self.most);
        if self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_err() {
            return false;
        }
        let leave = |place: &AtomicPtr<T>| {
            let (empty, chain) = (null_mut(), chain.as_ptr());
            place.compare_exchange(empty, chain, Ordering::Release, Ordering::Relaxed).is_ok()
        };
        let left = self.places[class].iter().any(leave);
        if !left {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        left
    }

    /// Takes a chain of `bytes` bytes, if there is one.
    pub(crate) fn take(&self, class: usize, bytes: usize) -> Option<NonNull<T>> {
        let chain = self.places[class].iter().find_map(|place| {
            // Looked at first: an exchange would take the line from others for nothing. (Loom may let a load see the past for ever.)
            let seems_empty = cfg!(not(loom)) && place.load(Ordering::Relaxed).is_null();
            if seems_empty { None } else { NonNull::new(place.swap(null_mut(), Ordering::Acquire)) }
        })?;
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(chain)
    }

    /// Bytes that wait: EXCHANGE-BYTES.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::mem::offset_of;

    use super::*;

    #[test]
    fn the_bound_shares_no_line_with_the_sum_nor_with_places() {
        type Small = Exchange<u8, 3, 8>;
        let line = |offset: usize| offset / 64;
        let (sum, places) = (line(offset_of!(Small, bytes)), line(offset_of!(Small, places)));
        let bound = line(offset_of!(Small, most));
        assert!(
            bound != sum && !(places..places + 3).contains(&bound) && !(places..places + 3).contains(&sum)
        );
    }
}
