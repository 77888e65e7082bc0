//! Where the stacks of all [`FiberStacks`](super::super::FiberStacks) of the process lie: a table that a signal handler can read.
//!
//! ```text
//!   entry  │ claimed │ version │ base  guard  size  count  records │      version odd: being written
//! ```
//!
//! A claimed entry has one writer, who makes the version odd, writes, and makes it even again; a reader takes what it read only if the version
//! was even and the same before and after. So a reader never waits, and never sees parts of two ranges as one.
//!
//! | access | order | pairs with | carries |
//! | --- | --- | --- | --- |
//! | `claimed`: CAS, store at the end | acquire, release | each other | the entry, from writer to writer |
//! | version to odd, then a fence | **release** fence | the reader's acquire fence | who reads a new field sees the odd version |
//! | version to even | **release** | the reader's first load | the fields |
//! | reader's fence, second load | **acquire** fence | the writer's release fence | as above |
//! | fields | relaxed | – | – |
//!
//! One gap is left open: a range that is dropped between a handler's look at this table and its look at the record there. Then some thread accesses a
//! guard of stacks that another one drops, and ends by a second fault instead of the report of the first.

use core::array;
use core::ptr::{NonNull, null_mut};
use stratalloc_primitives::primitive::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};

use super::super::record::Record;
use super::super::shape::Shape;

/// As many classes as can be found at a time. Those of the 257th on work, but their overflows are not told by number.
const CAPACITY: usize = 256;

struct Entry {
    claimed: AtomicBool,
    version: AtomicUsize,
    /// Base, guard, size, count; a count of 0 is no range.
    fields: [AtomicUsize; 4],
    records: AtomicPtr<Record>,
}

static TABLE: [Entry; CAPACITY] = [const {
    Entry {
        claimed: AtomicBool::new(false),
        version: AtomicUsize::new(0),
        fields: [const { AtomicUsize::new(0) }; 4],
        records: AtomicPtr::new(null_mut()),
    }
}; CAPACITY];

impl Entry {
    /// By whoever claimed it.
    fn write(&self, fields: [usize; 4], records: *mut Record) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (place, field) in self.fields.iter().zip(fields) {
            place.store(field, Ordering::Relaxed);
        }
        self.records.store(records, Ordering::Relaxed);
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    fn read(&self) -> Option<(Shape, *const Record)> {
        let before = self.version.load(Ordering::Acquire);
        let [base, guard, size, count] = array::from_fn(|field| self.fields[field].load(Ordering::Relaxed));
        let records = self.records.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let is_whole = before.is_multiple_of(2) && before == self.version.load(Ordering::Relaxed);
        (is_whole && count != 0).then_some((Shape { base, guard, size, count }, records))
    }
}

/// Makes a range known; the entry to [`leave`] by, or `None` if the table is full.
pub(in super::super) fn enter(shape: &Shape, records: NonNull<Record>) -> Option<usize> {
    let claim = |entry: &Entry| {
        entry.claimed.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    };
    let free = TABLE.iter().position(claim)?;
    TABLE[free].write([shape.base, shape.guard, shape.size, shape.count], records.as_ptr());
    Some(free)
}

/// Makes a range unknown again, before it is unmapped.
pub(in super::super) fn leave(entry: usize) {
    TABLE[entry].write([0; 4], null_mut());
    TABLE[entry].claimed.store(false, Ordering::Release);
}

/// The range that an address lies in, with its `count` records.
pub(super) fn find(address: usize) -> Option<(Shape, *const Record)> {
    TABLE.iter().filter_map(Entry::read).find(|(shape, _)| shape.contains(address))
}

#[cfg(test)]
mod tests {
    //! Not covered: readers beside writers (the argument is in the module text; a mistake would show as a wrong line in a report).
    use super::*;

    #[test]
    fn a_range_is_found_between_enter_and_leave_only() {
        // Addresses that no other test's stacks have.
        let shape = Shape { base: 0x1000, guard: 0x100, size: 0x300, count: 2 };
        let records = NonNull::<Record>::dangling();
        assert_eq!(find(0x1000), None);
        let entry = enter(&shape, records).unwrap();
        for inside in [0x1000, 0x1000 + shape.len() - 1] {
            assert_eq!(find(inside), Some((shape, records.as_ptr().cast_const())));
        }
        assert_eq!((find(0xFFF), find(0x1000 + shape.len())), (None, None));
        leave(entry);
        assert_eq!(find(0x1000), None);
    }
}
