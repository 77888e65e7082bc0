//! The table of mappings: open addressing with a fixed number of slots, without locks.
//!
//! A process has at most 65 530 mappings by default, so a table of 65 536 slots is enough for ever; it is mapped at first use and
//! touched only where it is used. A slot's key goes from empty (0) or erased (1) to [`CLAIMED`] by compare-and-swap, then to the
//! block's address when the values are in place. Erased slots are used again but never become empty, so probing past them
//! stays right without coordination; a search for an address that is not ours ends at the first slot that was never used.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | claim: CAS on `key` | Acquire | erase | the slot's old values are no longer read |
//! | publish: store of `key` | Release | find | the values |
//! | find: load of `key` | Acquire | publish | the values |
//! | erase: CAS on `key` | AcqRel | claim | that the values were read |

use stratalloc_platform::vm;
use stratalloc_primitives::primitive::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

#[cfg(target_pointer_width = "64")]
const SLOTS: usize = 1 << 16;
#[cfg(not(target_pointer_width = "64"))]
const SLOTS: usize = 1 << 12;

const EMPTY: usize = 0;
const ERASED: usize = 1;
const CLAIMED: usize = 2;
/// Set in the key of a parked mapping: addresses are page-aligned, so the bit is free, and no caller's pointer has it.
const PARKED: usize = 4;

/// A mapping: the block starts at `start`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) align: usize,
    pub(crate) family: u32,
}

#[repr(C)]
struct Slot {
    key: AtomicUsize,
    len: AtomicUsize,
    align: AtomicUsize,
    family: AtomicU32,
}

static TABLE: AtomicPtr<Slot> = AtomicPtr::new(core::ptr::null_mut());

const fn bytes() -> usize {
    (SLOTS * size_of::<Slot>() + 0xffff) & !0xffff
}

fn slots() -> Option<&'static [Slot]> {
    let table = TABLE.load(Ordering::Acquire);
    if table.is_null() {
        return None;
    }
    // SAFETY: the table was mapped with room for `SLOTS` zeroed slots and is never unmapped.
    Some(unsafe { core::slice::from_raw_parts(table, SLOTS) })
}

#[cold]
fn create() -> Option<&'static [Slot]> {
    let start = vm::reserve(bytes(), stratalloc_platform::page::size(), vm::Access::ReadWrite).ok()?;
    let slot = start.as_ptr().cast::<Slot>();
    if TABLE.compare_exchange(core::ptr::null_mut(), slot, Ordering::Release, Ordering::Relaxed).is_err() {
        // SAFETY: another thread was faster; nobody knows this mapping.
        let _ = unsafe { vm::release(start, bytes()) };
    }
    slots()
}

/// Slots in the order in which `address` looks for its place.
fn probe(slots: &'static [Slot], address: usize) -> impl Iterator<Item = &'static Slot> {
    #[cfg(target_pointer_width = "64")]
    let hash = (address >> 12).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    #[cfg(not(target_pointer_width = "64"))]
    let hash = (address >> 12).wrapping_mul(0x9e37_79b9) >> 16;
    (0..SLOTS).map(move |step| &slots[(hash + step) % SLOTS])
}

fn insert_key(entry: Entry, key: usize) -> bool {
    let Some(slots) = slots().or_else(create) else { return false };
    for slot in probe(slots, entry.start) {
        let seen = slot.key.load(Ordering::Relaxed);
        if seen > ERASED {
            continue;
        }
        if slot.key.compare_exchange(seen, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_err() {
            continue;
        }
        slot.len.store(entry.len, Ordering::Relaxed);
        slot.align.store(entry.align, Ordering::Relaxed);
        slot.family.store(entry.family, Ordering::Relaxed);
        slot.key.store(key, Ordering::Release);
        return true;
    }
    false
}

/// Adds a mapping. False when the table is full or cannot be had.
pub(crate) fn insert(entry: Entry) -> bool {
    insert_key(entry, entry.start)
}

/// Adds a mapping that nobody uses but the system will not take back.
pub(crate) fn park(entry: Entry) -> bool {
    insert_key(entry, entry.start | PARKED)
}

fn read(slot: &Slot, start: usize) -> Entry {
    Entry {
        start,
        len: slot.len.load(Ordering::Relaxed),
        align: slot.align.load(Ordering::Relaxed),
        family: slot.family.load(Ordering::Relaxed),
    }
}

fn slot_of(address: usize) -> Option<&'static Slot> {
    if address <= CLAIMED || address % 4096 != 0 {
        return None;
    }
    for slot in probe(slots()?, address) {
        match slot.key.load(Ordering::Acquire) {
            EMPTY => return None,
            key if key == address => return Some(slot),
            _ => {}
        }
    }
    None
}

/// The mapping whose block starts at `address`.
pub(crate) fn find(address: usize) -> Option<Entry> {
    Some(read(slot_of(address)?, address))
}

/// Removes the mapping whose block starts at `address`; of several callers one succeeds.
pub(crate) fn remove(address: usize) -> Option<Entry> {
    let slot = slot_of(address)?;
    let entry = read(slot, address);
    slot.key.compare_exchange(address, ERASED, Ordering::AcqRel, Ordering::Relaxed).ok()?;
    Some(entry)
}

/// A slot taken out of sight while its mapping may move: its old address could otherwise be given to somebody else first.
pub(crate) struct Held {
    slot: &'static Slot,
    /// The mapping as it was.
    pub(crate) entry: Entry,
}

/// Hides the mapping whose block starts at `address`.
pub(crate) fn hold(address: usize) -> Option<Held> {
    let slot = slot_of(address)?;
    let entry = read(slot, address);
    slot.key.compare_exchange(address, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).ok()?;
    Some(Held { slot, entry })
}

impl Held {
    /// The mapping is described by `entry` now, and visible again.
    pub(crate) fn settle(self, entry: Entry) {
        if entry.start == self.entry.start {
            self.slot.len.store(entry.len, Ordering::Relaxed);
            self.slot.key.store(entry.start, Ordering::Release);
            return;
        }
        self.slot.key.store(ERASED, Ordering::Release);
        // The slot just erased is free for somebody; a table full to the last slot needs as many mappings as can exist.
        while !insert(entry) {
            stratalloc_platform::thread::yield_now();
        }
    }
}

/// Takes one parked mapping out.
pub(crate) fn take_parked() -> Option<Entry> {
    for slot in slots()? {
        let key = slot.key.load(Ordering::Acquire);
        if key > CLAIMED && key & PARKED != 0 {
            let entry = read(slot, key & !PARKED);
            if slot.key.compare_exchange(key, ERASED, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Some(entry);
            }
        }
    }
    None
}

/// Calls `f` for every block; blocks that come or go meanwhile may or may not be seen.
pub(crate) fn for_each(mut f: impl FnMut(Entry)) {
    for slot in slots().unwrap_or(&[]) {
        let key = slot.key.load(Ordering::Acquire);
        if key > CLAIMED && key & PARKED == 0 {
            f(read(slot, key));
        }
    }
}

const _: () = assert!(SLOTS.is_power_of_two());
