//! Reaping: empty slabs go upstream or become fresh, also when a destructor unwinds.

use core::ptr::NonNull;

use stratalloc_resource::MemoryResource;

use super::list::SlabList;
use super::slabs::Slabs;

impl<U: MemoryResource> Slabs<'_, U> {
    /// Unloads the magazine, then gives empty slabs upstream, after `retire` saw each block that was ever handed out; the number of bytes.
    /// The first slab, and all in the caller's memory, become fresh instead.
    ///
    /// `retire` may use the resource: the slab is in none of its lists. If it unwinds, the slab becomes fresh, whichever of its blocks it
    /// saw, and the others wait for the next time.
    pub(super) fn reap(&self, mut retire: impl FnMut(NonNull<u8>)) -> usize {
        self.unload();
        let (mut given, kept) = (0, Kept { slabs: self, list: SlabList::default() });
        for _ in 0..self.empty.iter().count() {
            let Some(slab) = self.empty.pop() else { break };
            self.slabs.set(self.slabs.get() - 1);
            kept.list.push(slab);
            slab.used_blocks(&self.geometry).for_each(&mut retire);
            if !self.bounded && slab.address() != self.name {
                kept.list.remove(slab);
                // SAFETY: from `grow`, in no list, without live blocks.
                unsafe { self.give_back(slab) };
                given += self.geometry.bytes;
            }
        }
        given
    }
}

/// The empty slabs that a reaping does not give upstream; at its end, also by unwinding, they are fresh ones of the resource again.
struct Kept<'a, 'm, U: MemoryResource> {
    slabs: &'a Slabs<'m, U>,
    list: SlabList,
}

impl<U: MemoryResource> Drop for Kept<'_, '_, U> {
    fn drop(&mut self) {
        while let Some(slab) = self.list.pop() {
            // Some blocks were retired, and none may be twice.
            slab.forget_used();
            self.slabs.empty.push(slab);
            self.slabs.slabs.set(self.slabs.slabs.get() + 1);
        }
    }
}
