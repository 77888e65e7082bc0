//! The table of mappings, one for the process.
//!
//! A process has at most 65 530 mappings by default, so a table of 65 536 slots is enough for ever; it is mapped at first use and
//! touched only where it is used. How slots work is told in [`slots`](super::slots).

use stratalloc_platform::vm;
use stratalloc_primitives::primitive::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::slots::{Slot, Slots};

pub(crate) use super::slots::{Entry, Held};

#[cfg(target_pointer_width = "64")]
const SLOTS: usize = 1 << 16;
#[cfg(not(target_pointer_width = "64"))]
const SLOTS: usize = 1 << 12;

static TABLE: AtomicPtr<Slot> = AtomicPtr::new(core::ptr::null_mut());
static REACH: AtomicUsize = AtomicUsize::new(0);

const fn bytes() -> usize {
    (SLOTS * size_of::<Slot>() + 0xffff) & !0xffff
}

fn slots() -> Option<Slots<'static>> {
    let table = TABLE.load(Ordering::Acquire);
    if table.is_null() {
        return None;
    }
    // SAFETY: the table was mapped with room for `SLOTS` zeroed slots and is never unmapped.
    let slots = unsafe { core::slice::from_raw_parts(table, SLOTS) };
    Some(Slots { slots, reach: &REACH })
}

#[cold]
fn create() -> Option<Slots<'static>> {
    let start = vm::reserve(bytes(), stratalloc_platform::page::size(), vm::Access::ReadWrite).ok()?;
    let slot = start.as_ptr().cast::<Slot>();
    if TABLE.compare_exchange(core::ptr::null_mut(), slot, Ordering::Release, Ordering::Relaxed).is_err() {
        // SAFETY: another thread was faster; nobody knows this mapping.
        let _ = unsafe { vm::release(start, bytes()) };
    }
    slots()
}

/// Adds a mapping. False when the table is full or cannot be had.
pub(crate) fn insert(entry: Entry) -> bool {
    slots().or_else(create).is_some_and(|slots| slots.insert(entry))
}

/// Adds a mapping that nobody uses but the system will not take back.
pub(crate) fn park(entry: Entry) -> bool {
    slots().or_else(create).is_some_and(|slots| slots.park(entry))
}

/// The mapping whose block starts at `address`.
pub(crate) fn find(address: usize) -> Option<Entry> {
    slots()?.find(address)
}

/// Removes the mapping whose block starts at `address`; of several callers one succeeds.
pub(crate) fn remove(address: usize) -> Option<Entry> {
    slots()?.remove(address)
}

/// Hides the mapping whose block starts at `address`.
pub(crate) fn hold(address: usize) -> Option<Held<'static>> {
    slots()?.hold(address)
}

/// Takes one parked mapping out.
pub(crate) fn take_parked() -> Option<Entry> {
    slots()?.take_parked()
}

/// Calls `f` for every block; blocks that come or go meanwhile may or may not be seen.
pub(crate) fn for_each(f: impl FnMut(Entry)) {
    if let Some(slots) = slots() {
        slots.for_each(f);
    }
}

const _: () = assert!(SLOTS.is_power_of_two());
