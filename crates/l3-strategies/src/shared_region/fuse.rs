//! A process that dies in the middle, for tests: after so many stores no more happen.

use core::cell::Cell;

/// How many stores are left; shared by everything that the process does.
#[derive(Debug)]
pub(crate) struct Fuse(Cell<u64>);

impl Fuse {
    pub(crate) const fn new(stores: u64) -> Self {
        Self(Cell::new(stores))
    }

    /// Uses a store up; false if there is none left: the process is dead, and what it would do has no effect.
    pub(crate) fn burn(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left > 0
    }

    pub(crate) fn is_burnt(&self) -> bool {
        self.0.get() == 0
    }
}
