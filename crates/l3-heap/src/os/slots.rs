//! The slots of the table of mappings: open addressing without locks, over any slice of slots.
//!
//! ```text
//!              insert                      publish
//!   EMPTY ─┬───── CAS ─────► CLAIMED ────── store ──────► address
//!          │                  ▲   ▲  │                       │
//!   ERASED ┘                  │   │  └── store ─► ERASED     │
//!                             │   └───── CAS: remove, hold ──┘
//! ```
//!
//! Invariants
//! - **SL-OWN** Whoever turned a key into [`CLAIMED`] owns the slot until it stores the next key; only the owner touches the values
//!   with certainty that they belong together.
//! - **SL-PROBE** A key never becomes [`EMPTY`] again, and an insertion passes a slot only if it is not empty. So every slot in
//!   front of a mapping's own, in its order of probing, is non-empty for ever: a search may end at the first empty slot.
//! - **SL-REACH** No key lies further from the start of its probing than `reach`. It grows before the key is published, so whoever
//!   has the mapping from its holder sees it grown. Thus a search for what is not there stays short when few slots are empty.
//! - **SL-ONE** An address is in at most one slot, because its mapping exists once: the holder of the mapping inserts and removes it.
//!   (Calls with addresses that the caller does not hold find nothing, or values of which nothing follows.)
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | claim: CAS on `key` | Acquire | publish, erase | the values as the last owner left them, and that it is done with them |
//! | publish: store of `key` | Release | find, claim | the values |
//! | find: load of `key` | Acquire | publish | the values |
//! | `reach` | Relaxed | – | carried with the mapping itself |
//! | erase: store of `key` | Release | claim | that the values were read |
//!
//! No ABA: the values are read after the claim, by the only owner, never before.

use stratalloc_primitives::primitive::atomic::{AtomicU32, AtomicUsize, Ordering};

const EMPTY: usize = 0;
const ERASED: usize = 1;
const CLAIMED: usize = 2;
/// Set in the key of a parked mapping: addresses are page-aligned, so the bit is free, and no caller's pointer has it.
const PARKED: usize = 4;
/// Every key of a mapping is a multiple of this, but for [`PARKED`]; no page is smaller.
const PAGE_MIN: usize = 4096;

/// A mapping: the block starts at `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) align: usize,
    pub(crate) family: u32,
}

/// One slot; valid when all bytes are zero.
#[repr(C)]
pub(super) struct Slot {
    key: AtomicUsize,
    len: AtomicUsize,
    align: AtomicUsize,
    family: AtomicU32,
}

impl Slot {
    /// An empty slot.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self {
            key: AtomicUsize::new(EMPTY),
            len: AtomicUsize::new(0),
            align: AtomicUsize::new(0),
            family: AtomicU32::new(0),
        }
    }

    fn read(&self, start: usize) -> Entry {
        Entry {
            start,
            len: self.len.load(Ordering::Relaxed),
            align: self.align.load(Ordering::Relaxed),
            family: self.family.load(Ordering::Relaxed),
        }
    }

    /// Turns `seen` into [`CLAIMED`]; true makes the caller the slot's owner (SL-OWN).
    fn claim(&self, seen: usize) -> bool {
        self.key.compare_exchange(seen, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// The owner describes `entry` here and gives the slot up.
    fn publish(&self, entry: Entry, key: usize) {
        self.len.store(entry.len, Ordering::Relaxed);
        self.align.store(entry.align, Ordering::Relaxed);
        self.family.store(entry.family, Ordering::Relaxed);
        self.key.store(key, Ordering::Release);
    }

    /// The owner gives the slot up, with nothing in it.
    fn erase(&self) {
        self.key.store(ERASED, Ordering::Release);
    }
}

/// The slots as a table. Their number is a power of two.
#[derive(Clone, Copy)]
pub(super) struct Slots<'table> {
    pub(super) slots: &'table [Slot],
    /// See SL-REACH.
    pub(super) reach: &'table AtomicUsize,
}

impl<'table> Slots<'table> {
    /// Slots in the order in which `address` looks for its place.
    pub(super) fn probe(self, address: usize) -> impl Iterator<Item = &'table Slot> {
        let slots = self.slots;
        debug_assert!(slots.len().is_power_of_two());
        #[cfg(target_pointer_width = "64")]
        let hash = (address / PAGE_MIN).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        #[cfg(not(target_pointer_width = "64"))]
        let hash = (address / PAGE_MIN).wrapping_mul(0x9e37_79b9) >> 16;
        (0..slots.len()).map(move |step| &slots[(hash + step) & (slots.len() - 1)])
    }

    fn insert_key(self, entry: Entry, key: usize) -> bool {
        for (step, slot) in self.probe(entry.start).enumerate() {
            let seen = slot.key.load(Ordering::Relaxed);
            // A lost race leaves the slot to somebody else: not empty, so it may be passed (SL-PROBE).
            if seen <= ERASED && slot.claim(seen) {
                self.reach.fetch_max(step + 1, Ordering::Relaxed);
                slot.publish(entry, key);
                return true;
            }
        }
        false
    }

    /// Adds a mapping that the caller holds (SL-ONE). False when the table is full.
    pub(super) fn insert(self, entry: Entry) -> bool {
        self.insert_key(entry, entry.start)
    }

    /// Adds a mapping that nobody uses but the system will not take back. False when the table is full.
    pub(super) fn park(self, entry: Entry) -> bool {
        self.insert_key(entry, entry.start | PARKED)
    }

    fn slot_of(self, address: usize) -> Option<&'table Slot> {
        // Also keeps keys that are no addresses from being looked for.
        if address < PAGE_MIN || !address.is_multiple_of(PAGE_MIN) {
            return None;
        }
        for slot in self.probe(address).take(self.reach.load(Ordering::Relaxed)) {
            match slot.key.load(Ordering::Acquire) {
                EMPTY => return None,
                key if key == address => return Some(slot),
                _ => {}
            }
        }
        None
    }

    /// The mapping whose block starts at `address`.
    pub(super) fn find(self, address: usize) -> Option<Entry> {
        Some(self.slot_of(address)?.read(address))
    }

    /// Removes the mapping whose block starts at `address`; of several callers one succeeds.
    pub(super) fn remove(self, address: usize) -> Option<Entry> {
        let held = self.hold(address)?;
        held.slot.erase();
        Some(held.entry)
    }

    /// Hides the mapping whose block starts at `address`.
    pub(super) fn hold(self, address: usize) -> Option<Held<'table>> {
        let slot = self.slot_of(address)?;
        if !slot.claim(address) {
            return None;
        }
        Some(Held { slots: self, slot, entry: slot.read(address) })
    }

    /// Takes one parked mapping out.
    pub(super) fn take_parked(self) -> Option<Entry> {
        self.slots.iter().find_map(|slot| {
            let key = slot.key.load(Ordering::Relaxed);
            if key <= CLAIMED || key & PARKED == 0 || !slot.claim(key) {
                return None;
            }
            let entry = slot.read(key & !PARKED);
            slot.erase();
            Some(entry)
        })
    }

    /// Calls `f` for every block; blocks that come or go meanwhile may or may not be seen.
    pub(super) fn for_each(self, mut f: impl FnMut(Entry)) {
        for slot in self.slots {
            let key = slot.key.load(Ordering::Acquire);
            if key > CLAIMED && key & PARKED == 0 {
                f(slot.read(key));
            }
        }
    }
}

/// A slot taken out of sight while its mapping may move: its old address could otherwise be given to somebody else first.
pub(crate) struct Held<'table> {
    slots: Slots<'table>,
    slot: &'table Slot,
    /// The mapping as it was.
    pub(crate) entry: Entry,
}

impl Held<'_> {
    /// The mapping is described by `entry` now, and visible again.
    pub(crate) fn settle(self, entry: Entry) {
        // A mapping that moved belongs elsewhere. If no other slot takes it, none is empty, and then every search passes this one
        // too, for ever (SL-PROBE), if only it reaches so far.
        if entry.start != self.entry.start && self.slots.insert(entry) {
            self.slot.erase();
        } else {
            if entry.start != self.entry.start {
                self.slots.reach.store(self.slots.slots.len(), Ordering::Relaxed);
            }
            self.slot.publish(entry, entry.start);
        }
    }
}

// Not covered here: threads (`models/os.rs`).
#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Eight slots, valid when all bytes are zero.
    fn empty() -> [Slot; 8] {
        core::array::from_fn(|_| Slot {
            key: AtomicUsize::new(EMPTY),
            len: AtomicUsize::new(0),
            align: AtomicUsize::new(0),
            family: AtomicU32::new(0),
        })
    }

    fn entry(page: usize) -> Entry {
        Entry { start: page * PAGE_MIN, len: PAGE_MIN, align: PAGE_MIN, family: 0 }
    }

    #[test]
    fn searches_stay_short_when_no_slot_is_empty_any_more() {
        let (slots, reach) = (empty(), AtomicUsize::new(0));
        let table = Slots { slots: &slots, reach: &reach };
        for page in 1..200 {
            assert!(table.insert(entry(page)));
            assert_eq!(table.find(page * PAGE_MIN), Some(entry(page)));
            assert_eq!(table.remove(page * PAGE_MIN), Some(entry(page)));
        }
        assert!(slots.iter().all(|slot| slot.key.load(Ordering::Relaxed) == ERASED));
        assert_eq!(reach.load(Ordering::Relaxed), 1, "each found its first slot free");
        assert_eq!(table.find(PAGE_MIN), None);
    }

    #[test]
    fn a_mapping_that_moves_in_a_full_table_is_found_at_its_new_address() {
        let (slots, reach) = (empty(), AtomicUsize::new(0));
        let table = Slots { slots: &slots, reach: &reach };
        for page in 1..=8 {
            assert!(table.insert(entry(page)));
        }
        assert!(!table.insert(entry(9)));
        for page in 1..=8 {
            // To a place that hashes elsewhere: the only slot that it can have is the one it had.
            table.hold(page * PAGE_MIN).expect("there").settle(entry(page + 100));
            assert_eq!(table.find((page + 100) * PAGE_MIN), Some(entry(page + 100)));
            assert_eq!(table.find(page * PAGE_MIN), None);
        }
    }
}
