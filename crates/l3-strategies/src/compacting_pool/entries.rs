//! [`Entries`]: where the value of each handle is. Segments that double, so that an entry never moves and growth copies nothing.
//!
//! ```text
//!   segment 0 │ 64 entries │    segment 1 │ 128 entries │    segment 2 │ 256 │ …
//!   entry     │ cell │ generation │ pins │      in use            │ – │ generation of the next use │ next free │      free
//! ```

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

use super::chunk::{Cell, NONE};
use super::handle::{Handle, HandleError};

const FIRST: u32 = 64;
const SEGMENTS: usize = 26;

pub(super) struct Entry<T> {
    /// `None` in a free entry.
    pub(super) cell: Option<NonNull<Cell<T>>>,
    /// Of the value that is here, or of the next one.
    generation: u32,
    /// How often the value is pinned; in a free entry the next free one.
    pub(super) pins: u32,
}

/// The table of handles.
pub(super) struct Entries<T> {
    // Invariant ENTRIES: the first `ready` segments are there, and the first `used` entries of them were written.
    segments: [Option<NonNull<Entry<T>>>; SEGMENTS],
    ready: usize,
    used: u32,
    free: u32,
    /// The first generation of each entry.
    seed: u32,
}

fn layout<T>(segment: usize) -> Result<Layout, AllocError> {
    Layout::array::<Entry<T>>((FIRST as usize) << segment).map_err(|_| AllocError::SizeOverflow)
}

/// How many entries so many segments have.
fn capacity(segments: usize) -> u32 {
    // The last sum is 2³² − 64.
    u32::try_from(((u64::from(FIRST)) << segments) - u64::from(FIRST)).unwrap_or(u32::MAX)
}

impl<T> Entries<T> {
    pub(super) const fn new(seed: u32) -> Self {
        Self { segments: [None; SEGMENTS], ready: 0, used: 0, free: NONE, seed }
    }

    /// Sees to it that there is a free entry.
    #[inline]
    pub(super) fn reserve(&mut self, upstream: &impl MemoryResource) -> Result<(), AllocError> {
        if self.free != NONE || self.used < capacity(self.ready) { Ok(()) } else { self.grow(upstream) }
    }

    #[cold]
    fn grow(&mut self, upstream: &impl MemoryResource) -> Result<(), AllocError> {
        let place = self.segments.get_mut(self.ready).ok_or(AllocError::CapacityExhausted)?;
        *place = Some(upstream.allocate(layout::<T>(self.ready)?)?.as_non_null().cast());
        self.ready += 1;
        Ok(())
    }

    /// Where an entry is, whether it was written or not. `None` beyond the segments.
    #[inline]
    fn place(&self, index: u32) -> Option<NonNull<Entry<T>>> {
        let number = u64::from(index) + u64::from(FIRST);
        let segment = number.ilog2() - FIRST.ilog2();
        let offset = usize::try_from(number - (u64::from(FIRST) << segment)).ok()?;
        let start = (*self.segments.get(segment as usize)?)?;
        // SAFETY: the segment has `FIRST << segment` entries, more than `offset`: ENTRIES.
        Some(unsafe { start.add(offset) })
    }

    /// An entry that was used at some time.
    #[inline]
    pub(super) fn entry(&self, index: u32) -> Option<&Entry<T>> {
        let place = if index < self.used { self.place(index)? } else { return None };
        // SAFETY: written: ENTRIES.
        Some(unsafe { place.as_ref() })
    }

    #[inline]
    fn entry_mut(&mut self, index: u32) -> Option<&mut Entry<T>> {
        let mut place = if index < self.used { self.place(index)? } else { return None };
        // SAFETY: written: ENTRIES; borrowed from `&mut self`.
        Some(unsafe { place.as_mut() })
    }

    #[inline]
    fn live(&mut self, handle: Handle<T>) -> Result<(&mut Entry<T>, NonNull<Cell<T>>), HandleError> {
        match self.entry_mut(handle.index()) {
            Some(entry) if entry.generation == handle.generation() => match entry.cell {
                Some(cell) => Ok((entry, cell)),
                None => Err(HandleError::Stale),
            },
            _ => Err(HandleError::Stale),
        }
    }

    /// The cell of a handle's value.
    #[inline]
    pub(super) fn cell(&self, handle: Handle<T>) -> Result<NonNull<Cell<T>>, HandleError> {
        match self.entry(handle.index()) {
            Some(entry) if entry.generation == handle.generation() => entry.cell.ok_or(HandleError::Stale),
            _ => Err(HandleError::Stale),
        }
    }

    /// Uses a free entry, which [`reserve`](Self::reserve) saw to, for the value in `cell`.
    #[inline]
    pub(super) fn take(&mut self, cell: NonNull<Cell<T>>) -> Handle<T> {
        let index = self.free;
        if let Some(entry) = self.entry_mut(index) {
            let next = entry.pins;
            (entry.cell, entry.pins) = (Some(cell), 0);
            let generation = entry.generation;
            self.free = next;
            return Handle::new(index, generation);
        }
        let (index, seed) = (self.used, self.seed);
        if let Some(place) = self.place(index) {
            // SAFETY: room for an entry: ENTRIES.
            unsafe { place.write(Entry { cell: Some(cell), generation: seed, pins: 0 }) };
            self.used += 1;
        }
        Handle::new(index, seed)
    }

    /// Frees the entry of a value that is not pinned; where the value is.
    #[inline]
    pub(super) fn release(&mut self, handle: Handle<T>) -> Result<NonNull<Cell<T>>, HandleError> {
        let (seed, free) = (self.seed, self.free);
        let (entry, cell) = self.live(handle)?;
        if entry.pins != 0 {
            return Err(HandleError::Pinned);
        }
        entry.cell = None;
        entry.generation = entry.generation.wrapping_add(1);
        // An entry that has used up its generations is not used again: no handle is valid twice.
        if entry.generation != seed {
            entry.pins = free;
            self.free = handle.index();
        }
        Ok(cell)
    }

    /// One pin more; whether it is the first.
    pub(super) fn pin(&mut self, handle: Handle<T>) -> Result<(NonNull<Cell<T>>, bool), HandleError> {
        let (entry, cell) = self.live(handle)?;
        entry.pins = entry.pins.checked_add(1).ok_or(HandleError::Pinned)?;
        Ok((cell, entry.pins == 1))
    }

    /// One pin less; whether it was the last.
    pub(super) fn unpin(&mut self, handle: Handle<T>) -> Result<(NonNull<Cell<T>>, bool), HandleError> {
        let (entry, cell) = self.live(handle)?;
        entry.pins = entry.pins.checked_sub(1).ok_or(HandleError::NotPinned)?;
        Ok((cell, entry.pins == 0))
    }

    /// The value of an entry in use is in another cell now.
    #[inline]
    pub(super) fn moved(&mut self, index: u32, cell: NonNull<Cell<T>>) {
        if let Some(entry) = self.entry_mut(index) {
            entry.cell = Some(cell);
        }
    }

    /// Those that were ever used, in use or free.
    pub(super) fn all(&self) -> impl Iterator<Item = &Entry<T>> {
        (0..self.used).filter_map(|index| self.entry(index))
    }

    pub(super) fn bytes(&self) -> usize {
        capacity(self.ready) as usize * size_of::<Entry<T>>()
    }

    pub(super) fn release_all(&mut self, upstream: &impl MemoryResource) {
        self.used = 0;
        for (number, segment) in self.segments.iter_mut().enumerate() {
            if let (Some(start), Ok(layout)) = (segment.take(), layout::<T>(number)) {
                let block = MemoryBlock::new(start.cast(), layout.size());
                // SAFETY: live upstream, with this layout; entries need no drop, and are not used any more.
                unsafe { upstream.deallocate(block, Alignment::from_layout(layout)) };
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    extern crate std;
    use stratalloc_resource::FromGlobal;

    #[test]
    fn an_entry_that_has_used_up_its_generations_is_retired() {
        let upstream = FromGlobal::new(&std::alloc::System);
        let mut entries = Entries::<u8>::new(5);
        entries.reserve(&upstream).unwrap();
        let first = entries.take(NonNull::dangling());
        assert_eq!((first.index(), first.generation()), (0, 5));
        // As after 2³² − 1 uses.
        entries.entry_mut(0).unwrap().generation = 4;
        let last = Handle::new(0, 4);
        assert_eq!(entries.cell(first), Err(HandleError::Stale));
        entries.release(last).unwrap();
        assert_eq!(
            (entries.cell(first), entries.cell(last)),
            (Err(HandleError::Stale), Err(HandleError::Stale))
        );
        assert_eq!(entries.take(NonNull::dangling()).index(), 1, "not the retired one");
        entries.release_all(&upstream);
    }

    #[test]
    fn places_fill_the_segments_without_gaps() {
        let upstream = FromGlobal::new(&std::alloc::System);
        let mut entries = Entries::<u8>::new(0);
        for index in 0..1000 {
            entries.reserve(&upstream).unwrap();
            assert_eq!(entries.take(NonNull::dangling()).index(), index);
        }
        assert_eq!((entries.ready, entries.all().count()), (5, 1000));
        assert_eq!(
            (capacity(1), capacity(4), capacity(5), capacity(SEGMENTS)),
            (64, 960, 1984, u32::MAX - 63)
        );
        entries.release_all(&upstream);
    }
}
