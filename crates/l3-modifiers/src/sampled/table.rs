//! [`Table`]: which live blocks are samples.
//!
//! ```text
//!   hash(address) ──► bucket │ address size │ address size │ … │      eight slots; address 0: free, 1: its block is being resized
//! ```
//!
//! # Why relaxed accesses are enough
//!
//! A slot is written by who claims it (the exchange of 0 for the address), and then by nobody but who releases or resizes that block, until it
//! is 0 again. Between the two a block went from its maker to its releaser by means that carry what the maker wrote: the contract asks
//! that of programs. So the releaser finds the slot and the size in it, and whatever changes in other slots meanwhile is not its address: addresses of
//! live blocks that have bytes are distinct.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Slots that a block may be in.
const BUCKET: usize = 8;
const FREE: usize = 0;
/// No block that has bytes is here.
const RESIZING: usize = 1;

const _: () =
    assert!((BUCKET * size_of::<Slot>()).is_multiple_of(align_of::<Table<BUCKET>>()), "whole lines");

#[derive(Debug)]
struct Slot {
    address: AtomicUsize,
    size: AtomicUsize,
}

/// A bucket begins a cache line, so that it touches two and not three.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Table<const SLOTS: usize> {
    slots: [Slot; SLOTS],
}

/// The slot of a block that is being resized. Dropping it without a word leaves the slot unusable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    slot: &'a Slot,
    /// The size that the block was sampled with.
    pub(super) size: usize,
}

impl<const SLOTS: usize> Table<SLOTS> {
    const WHOLE_BUCKETS: () =
        assert!(SLOTS >= BUCKET && SLOTS.is_power_of_two(), "slots: a power of two, and eight at least");

    pub(super) const fn new() -> Self {
        let () = Self::WHOLE_BUCKETS;
        let free = [const { Slot { address: AtomicUsize::new(FREE), size: AtomicUsize::new(0) } }; SLOTS];
        Self { slots: free }
    }

    fn bucket(&self, address: usize) -> &[Slot] {
        let hash = ((address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize;
        let first = hash % (SLOTS / BUCKET) * BUCKET;
        &self.slots[first..first + BUCKET]
    }

    /// Notes a sample; `false` if there is no room for it.
    pub(super) fn insert(&self, address: usize, size: usize) -> bool {
        let free = |slot: &&Slot| slot.address.compare_exchange(FREE, address, Relaxed, Relaxed).is_ok();
        let slot = self.bucket(address).iter().find(free);
        slot.map(|slot| slot.size.store(size, Relaxed)).is_some()
    }

    #[inline]
    fn find(&self, address: usize) -> Option<&Slot> {
        self.bucket(address).iter().find(|slot| slot.address.load(Relaxed) == address)
    }

    /// Forgets a block, and tells the size that it was sampled with, if it was.
    #[inline]
    pub(super) fn remove(&self, address: usize) -> Option<usize> {
        self.claim(address).map(Claim::forget)
    }

    /// Holds the slot of a block while its address may change hands.
    #[inline]
    pub(super) fn claim(&self, address: usize) -> Option<Claim<'_>> {
        let slot = self.find(address)?;
        slot.address.store(RESIZING, Relaxed);
        Some(Claim { slot, size: slot.size.load(Relaxed) })
    }

    /// How many blocks are noted.
    pub(super) fn len(&self) -> usize {
        self.slots.iter().filter(|slot| slot.address.load(Relaxed) != FREE).count()
    }
}

impl Claim<'_> {
    /// The block stayed where it was.
    pub(super) fn put_back(self, address: usize) {
        self.slot.address.store(address, Relaxed);
    }

    /// The block is gone; the size that it was sampled with.
    pub(super) fn forget(self) -> usize {
        self.slot.address.store(FREE, Relaxed);
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_takes_eight_and_forgets_each() {
        let table = Table::<8>::new();
        for place in 0..8 {
            assert!(table.insert(0x1000 + place * 16, place + 100));
        }
        assert!(!table.insert(0x2000, 5), "no ninth");
        assert_eq!((table.len(), table.remove(0x1030), table.remove(0x1030)), (8, Some(103), None));
        assert!(table.insert(0x2000, 5));
        let claim = table.claim(0x2000).unwrap();
        assert!(table.claim(0x2000).is_none() && table.len() == 8);
        claim.put_back(0x2000);
        assert_eq!(table.remove(0x2000), Some(5));
    }
}
