//! Models of the table of mappings, with two to four slots.
//!
//! Each mapping has a cell that stands for its bytes: its holder writes to it before it inserts and after it removed.

#[allow(dead_code, reason = "listing is not modelled")]
#[path = "../os/slots.rs"]
mod slots;

use loom::cell::UnsafeCell;
use loom::sync::Arc;

use self::slots::{Entry, Slot, Slots};
use super::{check, run};

struct World {
    slots: Box<[Slot]>,
    /// By page number: how long the mapping is.
    bytes: [UnsafeCell<usize>; 4],
}

use std::boxed::Box;

// SAFETY: the cells are touched by the holders of the mappings only, which is what the models check.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

const PAGE: usize = 4096;

/// Mapping at page `page` of `len` bytes.
fn entry(page: usize, len: usize) -> Entry {
    Entry { start: page * PAGE, len, align: len + 1, family: 7 }
}

impl World {
    fn new(slots: usize) -> Arc<Self> {
        let slots = (0..slots).map(|_| Slot::new()).collect();
        Arc::new(Self { slots, bytes: core::array::from_fn(|_| UnsafeCell::new(0)) })
    }

    fn table(&self) -> Slots<'_> {
        Slots(&self.slots)
    }

    /// The holder of a mapping of length `before` makes it `after` bytes long.
    fn hold(&self, page: usize, before: usize, after: usize) {
        // SAFETY: the caller holds the mapping; loom reports it if not.
        let was = self.bytes[page].with_mut(|len| unsafe { len.replace(after) });
        assert_eq!(was, before, "the entry describes the mapping");
    }

    /// `mmap` and `insert`.
    fn map(&self, page: usize, len: usize) -> bool {
        self.hold(page, 0, len);
        self.table().insert(entry(page, len))
    }

    /// `remove` and `munmap`: whether the caller was the one.
    fn unmap(&self, page: usize) -> bool {
        let Some(found) = self.table().remove(page * PAGE) else { return false };
        assert_eq!(found, entry(page, found.len));
        self.hold(page, found.len, 0);
        true
    }

    /// What the table says about a mapping that nobody changes.
    fn assert_found(&self, page: usize, len: usize) {
        assert_eq!(self.table().find(page * PAGE), Some(entry(page, len)), "page {page}");
    }
}

/// Two threads insert and remove; slots are claimed, erased and used again.
#[test]
fn insert_and_remove_by_two() {
    check(None, || {
        let world = World::new(2);
        run(
            &world,
            [
                |w| {
                    assert!(w.map(1, 10));
                    assert!(w.unmap(1));
                    assert!(w.map(1, 20));
                },
                |w| assert!(w.map(2, 30)),
            ],
        );
        world.assert_found(1, 20);
        world.assert_found(2, 30);
    });
}
