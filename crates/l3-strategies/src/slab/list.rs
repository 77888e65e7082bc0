//! [`SlabList`]: slabs in the order in which they came, linked both ways, so that any of them can leave.

use core::cell::Cell;

use super::head::SlabRef;

/// A list of slabs, the youngest member first.
///
/// Invariant SLAB-LIST: a slab is in one list (while it is reaped, in that of the reaping), or, while it is made, in none; `next` and `previous` are its neighbours.
#[derive(Debug, Default)]
pub(super) struct SlabList {
    first: Cell<Option<SlabRef>>,
}

impl SlabList {
    #[inline(always)]
    pub(super) fn first(&self) -> Option<SlabRef> {
        self.first.get()
    }

    /// Adds a slab that is in no list.
    pub(super) fn push(&self, slab: SlabRef) {
        let next = self.first.replace(Some(slab));
        slab.previous.set(None);
        slab.next.set(next);
        if let Some(next) = next {
            next.previous.set(Some(slab));
        }
    }

    /// Takes a slab of this list out.
    pub(super) fn remove(&self, slab: SlabRef) {
        let (previous, next) = (slab.previous.get(), slab.next.get());
        match previous {
            Some(previous) => previous.next.set(next),
            None => self.first.set(next),
        }
        if let Some(next) = next {
            next.previous.set(previous);
        }
    }

    pub(super) fn pop(&self) -> Option<SlabRef> {
        self.first().inspect(|&slab| self.remove(slab))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = SlabRef> + '_ {
        core::iter::successors(self.first(), |slab| slab.next.get())
    }
}
