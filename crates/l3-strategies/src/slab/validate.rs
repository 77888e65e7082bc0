//! The equations of slabs; they are listed at [`Slabs`].

use stratalloc_resource::{MemoryResource, Validate, Violation};

use super::head::SlabRef;
use super::list::SlabList;
use super::slabs::Slabs;
use super::{ObjectCache, Slab};

impl<U: MemoryResource> Slabs<'_, U> {
    pub(super) fn validate(&self) -> Result<(), Violation> {
        let count = self.geometry.count;
        let partial = self.check_list(&self.partial, |live| 0 < live && live < count)?;
        let empty = self.check_list(&self.empty, |live| live == 0)?;
        let full = self.check_list(&self.full, |live| live == count)?;
        if partial + empty + full != self.slabs.get() {
            let terms = &["partial", "empty", "full", "slabs"];
            let values = [partial, empty, full, self.slabs.get()];
            return Err(Violation::new("SLAB-4", "partial + empty + full == slabs", terms, &values));
        }
        self.check_magazine()
    }

    fn check_magazine(&self) -> Result<(), Violation> {
        let (mut listed, blocks) = (0, || self.magazine.addresses());
        for block in blocks() {
            listed += 1;
            let found = self.find(block).filter(|(_, offset)| offset.is_multiple_of(self.geometry.len));
            let live = found.is_some_and(|(slab, offset)| slab.is_live(self.geometry.index_at(offset)));
            let times = blocks().filter(|&other| other == block).count();
            if !live || times != 1 {
                let values = [block, usize::from(live), times];
                let terms = &["block", "live", "times"];
                return Err(Violation::new("SLAB-5", "live and in the magazine once", terms, &values));
            }
        }
        if listed != self.magazine.len() {
            let values = [listed, self.magazine.len()];
            return Err(Violation::new("SLAB-5", "blocks == length", &["blocks", "length"], &values));
        }
        Ok(())
    }

    /// Checks the slabs of a list, whose live counts `belongs` describes; how many there are.
    fn check_list(&self, list: &SlabList, belongs: impl Fn(u16) -> bool) -> Result<usize, Violation> {
        let (mut length, mut previous, mut next) = (0, None, list.first());
        while let Some(slab) = next {
            let back = |slab: Option<SlabRef>| slab.map_or(0, SlabRef::address);
            if !self.geometry.is_head(slab.address()) || slab.previous.get() != previous {
                let values = [slab.address(), back(slab.previous.get()), back(previous)];
                let terms = &["slab", "previous", "before"];
                return Err(Violation::new("SLAB-1", "previous == before", terms, &values));
            }
            self.check_slab(slab, &belongs)?;
            length += 1;
            if length > self.slabs.get() {
                break;
            }
            previous = next;
            next = slab.next.get();
        }
        Ok(length)
    }

    fn check_slab(&self, slab: SlabRef, belongs: impl Fn(u16) -> bool) -> Result<(), Violation> {
        let (live, used, count) = (slab.live(), slab.used(), self.geometry.count);
        if !belongs(live) {
            let values = [slab.address(), live.into(), count.into()];
            let terms = &["slab", "live", "count"];
            return Err(Violation::new("SLAB-2", "live is as the list says", terms, &values));
        }
        // `used` bounds the links that `count_free` reads, so it is looked at before.
        let free = if used <= count { slab.count_free() } else { None };
        if free.is_none_or(|free| usize::from(live) + usize::from(free) != usize::from(used)) {
            let values = [live.into(), free.map_or(usize::MAX, usize::from), used.into(), count.into()];
            let terms = &["live", "free", "used", "count"];
            return Err(Violation::new("SLAB-3", "live + free == used <= count", terms, &values));
        }
        Ok(())
    }
}

impl<U: MemoryResource> Validate for Slab<'_, U> {
    fn validate(&self) -> Result<(), Violation> {
        self.slabs.validate()
    }
}

impl<T, F: Fn() -> T, U: MemoryResource> Validate for ObjectCache<'_, T, F, U> {
    fn validate(&self) -> Result<(), Violation> {
        self.slabs.validate()
    }
}
