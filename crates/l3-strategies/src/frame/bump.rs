//! The cursor: the one allocation that everything goes through, and what happens when it does not fit.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;

use stratalloc_resource::{AllocError, MemoryBlock, MemoryResource};

use super::chunk::{self, Chunk};
use super::policy::Policy;
use super::{Frame, min_align};

/// What fresh memory is filled with, under policies that fill.
pub(super) const FRESH: u8 = 0xCD;
/// What given-up memory is filled with.
pub(super) const GIVEN_UP: u8 = 0xDD;

impl<P: Policy, U: MemoryResource> Frame<'_, P, U> {
    /// A block for `layout`, with all that the policy does to it.
    #[inline(always)]
    pub(super) fn obtain(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let start = if P::CANARIES { self.guarded(layout) } else { self.raw(layout) }?;
        if P::COUNT {
            self.count.set(self.count.get().wrapping_add(1));
        }
        if P::FILL {
            // SAFETY: the block is ours, and `layout.size()` long.
            unsafe { start.write_bytes(FRESH, layout.size()) };
        }
        Ok(start)
    }

    /// A block without the policy's extras.
    #[inline(always)]
    pub(super) fn raw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        match self.bump(layout) {
            Some(start) => Ok(start),
            None => self.bump_elsewhere(layout),
        }
    }

    /// What a block of `size` bytes takes: not nothing, or it would have the address of whatever comes after the region, and
    /// [`Owns`](stratalloc_resource::Owns) could not tell whose it is. `None` if no `isize` holds it.
    #[inline(always)]
    pub(super) fn taken_by(size: usize) -> Option<usize> {
        let mask = P::MIN_ALIGN - 1;
        let rounded = size.max(1).wrapping_add(mask) & !mask;
        // Sizes are at most `isize::MAX`, so nothing wraps in an unsigned number.
        (mask == 0 || rounded.cast_signed() >= 0).then_some(rounded)
    }

    /// Moves the cursor over a block, if the region has room for it.
    #[inline(always)]
    fn bump(&self, layout: Layout) -> Option<NonNull<u8>> {
        let size = Self::taken_by(layout.size())?;
        // The byte before the block.
        let before = if layout.align() <= P::MIN_ALIGN {
            // FRAME-3.
            self.last.get()
        } else {
            self.last.get().map_addr(|address| address | (layout.align() - 1))
        };
        // One signed comparison covers it all: the region is at most `isize::MAX` long, the byte before an aligned start passes the
        // limit by less than the largest alignment, so the true difference fits an `isize`, whatever wrapped on the way. (In a region of
        // exactly `isize::MAX` bytes the first request would be refused; there is none.)
        let room_and_one = self.limit.get().wrapping_sub(before.addr()).cast_signed();
        if room_and_one <= size.cast_signed() {
            return None;
        }
        self.last.set(before.wrapping_add(size));
        // SAFETY: below the limit, which is not null, and above the byte before the cursor: the room holds `size`, at least 1.
        Some(unsafe { NonNull::new_unchecked(before.wrapping_add(1)) })
    }

    /// The region is full: a block in the next chunk that has room, kept or new.
    #[cold]
    #[inline(never)]
    fn bump_elsewhere(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let size = Self::taken_by(layout.size()).ok_or(AllocError::SizeOverflow)?;
        // However the room lies, the start of it and the block are aligned with this.
        let slack = (layout.align() - 1) + (P::MIN_ALIGN - 1);
        let need = size.checked_add(slack).ok_or(AllocError::SizeOverflow)?;
        self.prepare(need)?;
        match self.next_link().get() {
            Some(chunk) => self.enter(chunk),
            // Not reached: `prepare` has put one there.
            None => return Err(AllocError::OutOfMemory),
        }
        self.bump(layout).ok_or(AllocError::OutOfMemory)
    }

    /// Makes sure that the chunk after the current one has `need` bytes of room.
    pub(super) fn prepare(&self, need: usize) -> Result<(), AllocError> {
        let chunk = match self.take_following(need) {
            Some(chunk) => chunk,
            None => {
                let wish = self.next_chunk.get();
                let chunk = chunk::allocate(&self.upstream, need, wish)?;
                self.next_chunk.set(wish.saturating_mul(2).min(P::LARGEST_CHUNK));
                chunk
            }
        };
        let link = self.next_link();
        // SAFETY: CHUNK; it is in no chain.
        unsafe { chunk.as_ref() }.next.set(link.get());
        link.set(Some(chunk));
        Ok(())
    }

    /// The link to the chunk after the current one.
    pub(super) fn next_link(&self) -> &Cell<Option<NonNull<Chunk>>> {
        match self.current.get() {
            None => &self.first,
            // SAFETY: CHUNK; a chunk in use is given back only when the frame is dropped.
            Some(current) => unsafe { &(*current.as_ptr()).next },
        }
    }

    /// Takes the first chunk with `need` bytes of room out of those that are kept behind the current one.
    fn take_following(&self, need: usize) -> Option<NonNull<Chunk>> {
        let mut link = self.next_link();
        while let Some(chunk) = link.get() {
            // SAFETY: in the chain: CHUNK. Nothing is given back while the reference lives.
            let next = unsafe { &(*chunk.as_ptr()).next };
            // SAFETY: as above.
            if unsafe { chunk::room(chunk) }.len() >= need {
                link.set(next.get());
                return Some(chunk);
            }
            link = next;
        }
        None
    }

    /// Goes on in `chunk`, which follows the current one.
    pub(super) fn enter(&self, chunk: NonNull<Chunk>) {
        let used = self.used();
        // SAFETY: in the chain: CHUNK.
        let room = unsafe { chunk::room(chunk) };
        let start = Self::first_place(room);
        self.fill_fresh(room);
        if self.current.get().is_none() && self.base.is_empty() {
            self.home.set(Some(chunk));
        }
        self.current.set(Some(chunk));
        self.limit.set(room.end_address());
        self.bias.set(used.wrapping_sub(start.addr().get()));
        self.set_cursor(start);
    }

    /// The first place in a room that fits FRAME-3.
    pub(super) fn first_place(room: MemoryBlock) -> NonNull<u8> {
        let skip = room.address().wrapping_neg() & min_align::<P>().mask();
        // `need` had room for the rounding; without it, the end is a place for nothing.
        room.split_at(skip.min(room.len())).map_or(room.as_non_null(), |(_, rest)| rest.as_non_null())
    }

    /// Fills a region that the cursor enters, so that all of it is initialised: guards can then be looked for anywhere.
    pub(super) fn fill_fresh(&self, room: MemoryBlock) {
        if P::FILL && !room.is_empty() {
            // SAFETY: no live block reaches into it: BUMP for the region to come.
            unsafe { room.as_non_null().write_bytes(FRESH, room.len()) };
        }
    }

    /// Remembers how far the frame was used, before the cursor goes back.
    #[inline(always)]
    pub(super) fn note_peak(&self) {
        let used = self.used();
        if used > self.peak.get() {
            self.peak.set(used);
        }
    }

    /// Gets chunks of `bytes` in all ready, so that as many can be allocated (at alignment 1, in one block) without asking upstream.
    ///
    /// ```
    /// use std::alloc::System;
    /// use stratalloc_resource::FromGlobal;
    /// use stratalloc_strategies::frame::{Frame, Speed};
    ///
    /// let frame = Frame::<Speed, _>::growing(FromGlobal::new(&System));
    /// frame.try_reserve(1_000_000)?;
    /// let before = frame.reserved();
    /// frame.alloc_slice_fill_copy(1_000_000, 1_u8);
    /// assert_eq!(frame.reserved(), before);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The upstream's.
    pub fn try_reserve(&self, bytes: usize) -> Result<(), AllocError> {
        if bytes <= self.remaining() {
            return Ok(());
        }
        let need = bytes.checked_add(2 * P::MIN_ALIGN).ok_or(AllocError::SizeOverflow)?;
        self.prepare(need)
    }
}
