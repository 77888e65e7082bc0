//! Models of the table of mappings, with two slots, so that mappings meet.
//!
//! Each page has a cell that stands for the mapping which starts there: its holder writes to it before it inserts and after it
//! removed. `unmapped` stands for the kernel, which gives an address to somebody else only after it was unmapped.

#[allow(dead_code, reason = "listing is not modelled")]
#[path = "../os/slots.rs"]
mod slots;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use stratalloc_primitives::primitive::atomic::{AtomicU32, AtomicUsize, Ordering};

use self::slots::{Entry, Slot, Slots};
use super::{check, run};

/// Pages whose search begins at the same slot, and one that begins at the other.
const A: usize = 1;
const B: usize = 2;
const C: usize = 3;
const OTHER: usize = 4;

struct World {
    slots: [Slot; 2],
    reach: AtomicUsize,
    /// By page number: how long the mapping is; 0 when there is none.
    bytes: [UnsafeCell<usize>; 5],
    /// By page number: 1 when the mapping that the model begins with is gone.
    unmapped: [AtomicU32; 5],
}

// SAFETY: the cells are touched by the holders of the mappings only, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

const PAGE: usize = 4096;

fn entry(page: usize, len: usize) -> Entry {
    Entry { start: page * PAGE, len, align: len + 1, family: 7 }
}

impl World {
    /// Two slots, and mappings of 10 bytes in them.
    fn new(pages: &[usize]) -> Arc<Self> {
        let world = Self {
            slots: core::array::from_fn(|_| Slot::new()),
            reach: AtomicUsize::new(0),
            bytes: core::array::from_fn(|_| UnsafeCell::new(0)),
            unmapped: core::array::from_fn(|_| AtomicU32::new(0)),
        };
        let first = |page: usize| world.table().probe(page * PAGE).next().map(core::ptr::from_ref);
        assert!(first(A) == first(B) && first(B) == first(C) && first(C) != first(OTHER));
        for page in pages {
            assert!(world.map(*page, 10));
        }
        Arc::new(world)
    }

    fn table(&self) -> Slots<'_> {
        Slots { slots: &self.slots, reach: &self.reach }
    }

    /// The holder of the mapping at `page` makes it `after` bytes long, having been told that it has `before`.
    fn change(&self, page: usize, before: usize, after: usize) {
        // SAFETY: the caller holds the mapping; loom reports it if not.
        let was = self.bytes[page].with_mut(|len| unsafe { len.replace(after) });
        assert_eq!(was, before, "the entry describes the mapping");
        if after == 0 {
            self.unmapped[page].store(1, Ordering::Release);
        }
    }

    /// `mmap` and `insert`.
    fn map(&self, page: usize, len: usize) -> bool {
        self.change(page, 0, len);
        self.table().insert(entry(page, len))
    }

    /// The same, if the kernel has the address to give.
    fn map_again(&self, page: usize, len: usize) -> bool {
        self.unmapped[page].load(Ordering::Acquire) == 1 && self.map(page, len)
    }

    /// `remove` and `munmap`: whether the caller was the one.
    fn unmap(&self, page: usize) -> bool {
        let Some(found) = self.table().remove(page * PAGE) else { return false };
        assert_eq!(found, entry(page, found.len));
        self.change(page, found.len, 0);
        true
    }

    /// `os::resize`: the mapping at `from` moves to `to`.
    fn remap(&self, from: usize, to: usize, len: usize) {
        let held = self.table().hold(from * PAGE).expect("the caller's own mapping");
        let old = held.entry;
        assert_eq!(old, entry(from, old.len));
        if from != to {
            self.change(to, 0, len);
            self.change(from, old.len, 0);
        } else {
            self.change(from, old.len, len);
        }
        held.settle(entry(to, len));
    }

    /// What the table must say about a mapping to its holder.
    fn assert_found(&self, page: usize, len: usize) {
        assert_eq!(self.table().find(page * PAGE), Some(entry(page, len)), "page {page}");
    }
}

/// Two threads insert and remove; slots are claimed, erased and used again.
///
/// Seen failing with: `claim` Relaxed, `erase` Relaxed (the values of the former mapping are found).
#[test]
fn slots_are_used_again() {
    check(None, || {
        let world = World::new(&[]);
        run(
            &world,
            [
                |w| {
                    assert!(w.map(A, 10));
                    assert!(w.unmap(A));
                    assert!(w.map(C, 20));
                },
                |w| assert!(w.map(B, 30)),
            ],
        );
        world.assert_found(B, 30);
        world.assert_found(C, 20);
    });
}

/// A mapping behind another one is found while that one goes and its slot is used again.
///
/// Seen failing with: `erase` making a slot empty (a mapping behind it is not found).
#[test]
fn a_search_passes_slots_that_change() {
    check(None, || {
        let world = World::new(&[A, B]);
        run(
            &world,
            [
                |w| {
                    assert!(w.unmap(A));
                    assert!(w.map(C, 20));
                },
                |w| {
                    w.assert_found(B, 10);
                    assert!(w.unmap(B));
                },
            ],
        );
        world.assert_found(C, 20);
        assert_eq!(world.table().find(B * PAGE), None);
    });
}

/// Who asks for an address that it does not hold sees a whole entry, or none.
///
/// Seen failing with: the load in `slot_of` Relaxed (length 0).
#[test]
fn a_stranger_sees_whole_entries() {
    check(None, || {
        let world = World::new(&[B]);
        run(
            &world,
            [
                |w| assert!(w.map(A, 20)),
                |w| {
                    if let Some(found) = w.table().find(A * PAGE) {
                        assert_eq!(found, entry(A, 20));
                    }
                },
            ],
        );
    });
}

/// The same address is removed by two (one of them wrongly), and mapped again by a third: nobody gets the same mapping twice.
///
/// Seen failing with: `publish` Relaxed (data race on a mapping); `hold` reading the values before it
/// claims ("left: 20, right: 10").
#[test]
fn an_address_is_removed_once() {
    check(Some(3), || {
        let world = World::new(&[A, B]);
        let removed = run(
            &world,
            [|w| usize::from(w.unmap(A)), |w| usize::from(w.unmap(A)), |w| usize::from(w.map_again(A, 20))],
        );
        let [first, second, mapped] = removed;
        let left = usize::from(world.table().find(A * PAGE).is_some());
        assert_eq!(first + second + left, 1 + mapped, "removed + left = mapped");
        world.assert_found(B, 10);
    });
}

/// A mapping moves while somebody else is given its old address, and a third goes: both are found where they are.
///
/// Seen failing with: `settle` erasing its slot and inserting once: somebody took it, the table is full,
/// the mapping is lost.
#[test]
fn a_mapping_moves_and_its_old_address_is_given_away() {
    check(Some(3), || {
        let world = World::new(&[A, B]);
        let again = run(
            &world,
            [
                |w| {
                    w.remap(A, C, 20);
                    w.assert_found(C, 20);
                    true
                },
                |w| w.map_again(A, 30),
                |w| w.unmap(B),
            ],
        );
        world.assert_found(C, 20);
        if again[1] {
            world.assert_found(A, 30);
        }
    });
}

/// A mapping moves to an address whose search begins elsewhere, and the table is full: it keeps its slot, and is found there.
///
/// Seen failing with: `erase` making a slot empty (the mapping that kept its slot is not found).
#[test]
fn a_mapping_moves_in_a_full_table() {
    check(Some(3), || {
        let world = World::new(&[A, B]);
        run(
            &world,
            [
                |w| {
                    w.remap(A, OTHER, 20);
                    w.assert_found(OTHER, 20);
                },
                |w| w.remap(B, B, 30),
            ],
        );
        world.assert_found(OTHER, 20);
        world.assert_found(B, 30);
        assert!(world.unmap(OTHER) && world.unmap(B));
    });
}

/// Two threads try parked mappings again; one of them parks it once more, with another length.
///
/// Seen failing with: `take_parked` reading the values before it claims ("left: 5, right: 10"): the wrong
/// length would be unmapped.
#[test]
fn a_parked_mapping_is_taken_once_as_it_is() {
    check(None, || {
        let world = World::new(&[B]);
        world.change(A, 0, 10);
        assert!(world.table().park(entry(A, 10)));
        run(
            &world,
            [
                |w| {
                    if let Some(parked) = w.table().take_parked() {
                        w.change(A, parked.len, 5);
                        assert!(w.table().park(entry(A, 5)));
                    }
                },
                |w| {
                    if let Some(parked) = w.table().take_parked() {
                        w.change(A, parked.len, 3);
                        assert!(w.table().park(entry(A, 3)));
                    }
                },
            ],
        );
        let parked = world.table().take_parked().expect("it is still there");
        world.change(A, parked.len, 0);
        assert_eq!(world.table().take_parked(), None);
        world.assert_found(B, 10);
    });
}
