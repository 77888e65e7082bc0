//! The slabs of a resource: full, partial and empty ones; where new ones come from and where reaped ones go.

use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use stratalloc_resource::{AllocError, MemoryBlock, MemoryResource};

use super::geometry::Geometry;
use super::head::{SlabRef, Slot};
use super::list::SlabList;
use super::magazine::Magazine;
use super::{SlabConfig, SlabUsage};
use crate::Fixed;

/// What [`Slab`](super::Slab) and [`ObjectCache`](super::ObjectCache) share.
// Equations, checked by `validate`:
// SLAB-1  slabs start at multiples of their length; each is its next one's previous one
// SLAB-2  partial: 0 < live < count; empty: live == 0; full: live == count
// SLAB-3  in each slab live + free == used ≤ count, and the free list stays below used
// SLAB-4  the lists together have `slabs` slabs
// SLAB-5  the magazine's blocks are live ones of these slabs, each once: their slabs count those in it as live
// Invariant SLAB: a block is live, free (in its slab's list or in the magazine, once) or fresh; bytes of a free one stay as its last user left
// them, until its slab is reaped.
#[derive(Debug)]
pub(super) struct Slabs<'m, U: MemoryResource> {
    pub(super) magazine: Magazine,
    pub(super) partial: SlabList,
    pub(super) empty: SlabList,
    pub(super) full: SlabList,
    pub(super) geometry: Geometry,
    pub(super) slabs: Cell<usize>,
    pub(super) max_slabs: usize,
    /// The caller's memory, as far as no slab was cut from it.
    given: Cell<Option<MemoryBlock>>,
    /// Over the caller's memory: slabs stay.
    pub(super) bounded: bool,
    /// The address of the first slab, which stays: the identity.
    pub(super) name: usize,
    pub(super) upstream: U,
    memory: PhantomData<&'m mut [MaybeUninit<u8>]>,
}

impl<'m> Slabs<'m, Fixed> {
    pub(super) fn over(config: &SlabConfig, memory: &'m mut [MaybeUninit<u8>]) -> Result<Self, AllocError> {
        let mut slabs = Self::new(config, Fixed)?;
        let start = NonNull::from(&mut *memory).cast::<u8>();
        let memory = MemoryBlock::new(start, memory.len());
        let pad = start.addr().get().wrapping_neg() & (slabs.geometry.bytes - 1);
        let (_, aligned) = memory.split_at(pad).ok_or(AllocError::CapacityExhausted)?;
        slabs.given = Cell::new(Some(aligned));
        slabs.bounded = true;
        slabs.max_slabs = slabs.max_slabs.min(aligned.len().checked_div(slabs.geometry.bytes).unwrap_or(0));
        slabs.with_first()
    }
}

impl<U: MemoryResource> Slabs<'static, U> {
    pub(super) fn growing(config: &SlabConfig, upstream: U) -> Result<Self, AllocError> {
        Self::new(config, upstream)?.with_first()
    }
}

impl<U: MemoryResource> Slabs<'_, U> {
    fn new(config: &SlabConfig, upstream: U) -> Result<Self, AllocError> {
        Ok(Self {
            magazine: Magazine::new(),
            partial: SlabList::default(),
            empty: SlabList::default(),
            full: SlabList::default(),
            geometry: Geometry::of(config)?,
            slabs: Cell::new(0),
            max_slabs: config.max_slabs,
            given: Cell::new(None),
            bounded: false,
            name: 0,
            upstream,
            memory: PhantomData,
        })
    }

    fn with_first(mut self) -> Result<Self, AllocError> {
        let first = self.grow()?;
        self.empty.push(first);
        self.name = first.address();
        Ok(self)
    }

    /// A block: of the magazine, else of a partial slab, else of an empty one, else of a new one.
    #[inline(always)]
    pub(super) fn take(&self) -> Result<Slot, AllocError> {
        match self.magazine.pop() {
            Some(place) => Ok(Slot { place, used: true }),
            None => self.take_from_slab(),
        }
    }

    #[inline]
    fn take_from_slab(&self) -> Result<Slot, AllocError> {
        let slab = match self.partial.first() {
            Some(slab) => slab,
            None => self.next_partial()?,
        };
        let slot = slab.take(&self.geometry);
        if slab.live() == self.geometry.count {
            self.partial.remove(slab);
            self.full.push(slab);
        }
        Ok(slot)
    }

    /// Whether [`take`](Self::take) would hand out a block that was used before.
    #[inline(always)]
    pub(super) fn offers_used(&self) -> bool {
        let next = || self.partial.first().or_else(|| self.empty.first());
        !self.magazine.is_empty() || next().is_some_and(|slab| slab.offers_used())
    }

    /// Sees to it that there is a block to be had.
    pub(super) fn make_room(&self) -> Result<(), AllocError> {
        if self.magazine.is_empty() { self.make_room_in_slabs() } else { Ok(()) }
    }

    fn make_room_in_slabs(&self) -> Result<(), AllocError> {
        if self.partial.first().is_none() && self.empty.first().is_none() {
            self.empty.push(self.grow()?);
        }
        Ok(())
    }

    /// No slab is partial: an empty one becomes so. (It has no live block yet, but whoever calls this takes one.)
    #[cold]
    #[inline(never)]
    fn next_partial(&self) -> Result<SlabRef, AllocError> {
        self.make_room_in_slabs()?;
        let slab = self.empty.pop().ok_or(AllocError::OutOfMemory)?;
        self.partial.push(slab);
        Ok(slab)
    }

    /// Takes a block back: into the magazine, or, if that is full, into its slab.
    ///
    /// # Safety
    ///
    /// `place` is a live block of these slabs, and nobody uses it any more.
    #[inline(always)]
    pub(super) unsafe fn give(&self, place: NonNull<u8>) {
        if !self.magazine.load(place) {
            // SAFETY: this function's contract.
            unsafe { self.give_to_slab(place) };
        }
    }

    /// Gives the blocks in the magazine to their slabs.
    pub(super) fn unload(&self) {
        while let Some(place) = self.magazine.pop() {
            // SAFETY: a block that its slab counts as live, in nobody's hands: MAGAZINE.
            unsafe { self.give_to_slab(place) };
        }
    }

    /// # Safety
    ///
    /// As for [`give`](Self::give); the block is not in the magazine.
    #[inline]
    unsafe fn give_to_slab(&self, place: NonNull<u8>) {
        // SAFETY: a block of these slabs: this function's contract.
        let slab = unsafe { SlabRef::of_block(place, &self.geometry) };
        let was_full = slab.live() == self.geometry.count;
        slab.give(place, &self.geometry);
        let is_empty = slab.live() == 0;
        if was_full || is_empty {
            let from = if was_full { &self.full } else { &self.partial };
            from.remove(slab);
            let to = if is_empty { &self.empty } else { &self.partial };
            to.push(slab);
        }
    }

    /// A new slab, in no list yet.
    fn grow(&self) -> Result<SlabRef, AllocError> {
        if self.slabs.get() >= self.max_slabs {
            return Err(AllocError::CapacityExhausted);
        }
        let start = match self.cut() {
            Some(start) => start,
            None => self.upstream.allocate(self.geometry.layout()?)?.as_non_null(),
        };
        self.slabs.set(self.slabs.get() + 1);
        // SAFETY: a block of upstream, or cut just now: as long and aligned as a slab, and ours alone.
        Ok(unsafe { SlabRef::make(start, &self.geometry) })
    }

    /// The next slab of the caller's memory.
    fn cut(&self) -> Option<NonNull<u8>> {
        let (slab, rest) = self.given.get()?.split_at(self.geometry.bytes)?;
        self.given.set(Some(rest));
        Some(slab.as_non_null())
    }

    /// As [`reap`](Self::reap) for all slabs, at the end of the resource's life.
    pub(super) fn release_all(&mut self, mut retire: impl FnMut(NonNull<u8>)) {
        for list in [&self.partial, &self.empty, &self.full] {
            while let Some(slab) = list.pop() {
                slab.used_blocks(&self.geometry).for_each(&mut retire);
                // SAFETY: from `grow`, in no list; blocks of a dropped resource are not used any more.
                unsafe { self.give_back(slab) };
            }
        }
    }

    /// Gives a slab upstream; if that is [`Fixed`], nothing happens.
    ///
    /// # Safety
    ///
    /// The slab came from [`grow`](Self::grow), is in no list, and nobody uses it any more.
    pub(super) unsafe fn give_back(&self, slab: SlabRef) {
        let block = MemoryBlock::new(slab.start(&self.geometry), self.geometry.bytes);
        // SAFETY: upstream's block, with the requested length and alignment: this function's contract.
        unsafe { self.upstream.deallocate(block, self.geometry.slab_align()) };
    }

    /// All slabs.
    pub(super) fn iter(&self) -> impl Iterator<Item = SlabRef> + '_ {
        self.partial.iter().chain(self.empty.iter()).chain(self.full.iter())
    }

    /// How far `address` lies behind the first block of a slab, and which one; `None` if in none.
    pub(super) fn find(&self, address: usize) -> Option<(SlabRef, usize)> {
        self.iter().find_map(|slab| {
            let offset = address.wrapping_sub(slab.first().addr().get());
            (offset < usize::from(self.geometry.count) * self.geometry.len).then_some((slab, offset))
        })
    }

    /// How many of its blocks are in the magazine.
    fn loaded(&self, slab: SlabRef) -> usize {
        let start = slab.start(&self.geometry).addr().get();
        self.magazine.addresses().filter(|address| address & !(self.geometry.bytes - 1) == start).count()
    }

    pub(super) fn usage(&self) -> SlabUsage {
        let mut usage = SlabUsage { slabs: self.slabs.get(), ..SlabUsage::default() };
        for slab in self.iter() {
            let (used, count) = (usize::from(slab.used()), usize::from(self.geometry.count));
            let live = usize::from(slab.live()) - self.loaded(slab);
            usage.live += live;
            usage.free += used - live;
            usage.fresh += count - used;
            usage.total += count;
            usage.empty_slabs += usize::from(live == 0);
        }
        usage
    }
}
