//! The contract, kept by a frame.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Reuse,
    ThreadSafety, reallocate_by_moving,
};

use super::Frame;
use super::bump::GIVEN_UP;
use super::chunk;
use super::policy::Policy;
use crate::misuse::{self, CHECKED, Inspect, MisuseKind};

/// The kind of all frames, whatever their policy.
struct FrameKind;

impl<P: Policy, U: MemoryResource> Frame<'_, P, U> {
    /// Whether all the bytes lie in a region in use.
    pub(super) fn holds(&self, address: usize, len: usize) -> bool {
        self.regions_in_use().any(|place| {
            let region = self.region_of(place);
            let offset = address.wrapping_sub(region.address());
            offset < region.len() && len <= region.len() - offset
        })
    }

    /// The place after a block of `size` bytes at `start`, as far as the cursor is concerned.
    #[inline(always)]
    fn end_of(start: NonNull<u8>, size: usize) -> Option<*mut u8> {
        Some(start.as_ptr().wrapping_add(Self::taken_by(size)?))
    }

    #[inline(always)]
    fn is_youngest(&self, block: MemoryBlock) -> bool {
        Self::end_of(block.as_non_null(), block.len()) == Some(self.cursor().as_ptr())
    }

    /// What is wrong with a block that is handed back, as far as a frame without canaries can tell.
    fn wrong_with(&self, block: MemoryBlock, align: Alignment) -> Option<MisuseKind> {
        let (address, cursor) = (block.address(), self.cursor().addr().get());
        let region = self.region_of(self.current.get());
        if !self.holds(address, block.len().max(1)) {
            Some(MisuseKind::ForeignBlock)
        } else if region.contains(block.as_ptr()) && block.end_address() > cursor {
            // Behind the cursor nothing is live.
            Some(MisuseKind::DoubleRelease)
        } else {
            (!block.is_aligned(align)).then_some(MisuseKind::WrongAlignment)
        }
    }

    /// Whether a block may be given back; if not, that is reported. Always true in a fast build without canaries.
    #[inline(always)]
    fn may_return(&self, block: MemoryBlock, align: Alignment) -> bool {
        if P::CANARIES || CHECKED { self.may_return_checked(block, align) } else { true }
    }

    #[cold]
    fn may_return_checked(&self, block: MemoryBlock, align: Alignment) -> bool {
        self.inspect(block, align).err().is_none_or(|kind| {
            if P::CANARIES {
                self.expect_damage(kind);
            }
            misuse::report("frame", kind, block.address());
            false
        })
    }

    /// Releases a block that was checked.
    #[inline(always)]
    fn give_up(&self, block: MemoryBlock, align: Alignment) {
        if P::CANARIES {
            if let Ok(guard) = self.guard_of(block, align) {
                self.mark_released(guard);
            }
            return;
        }
        if P::FILL {
            // SAFETY: the block was handed back.
            unsafe { block.as_non_null().write_bytes(GIVEN_UP, block.len()) };
        }
        if self.is_youngest(block) {
            self.note_peak();
            self.set_cursor(block.as_non_null());
        }
    }

    /// Resizes a block without moving it, if that can be.
    #[inline(always)]
    fn resize_in_place(&self, block: MemoryBlock, new_size: usize) -> Option<MemoryBlock> {
        if !P::CANARIES && self.is_youngest(block) {
            let end = Self::taken_by(new_size)?;
            if end <= self.limit.get().wrapping_sub(block.address()) {
                self.note_peak();
                self.last.set(block.as_ptr().wrapping_add(end - 1));
                return Some(MemoryBlock::new(block.as_non_null(), new_size));
            }
        }
        (new_size <= block.len()).then_some(block)
    }
}

// SAFETY:
// * Fit: `bump` aligns, and hands out `layout.size()` bytes below the limit; what it takes for a block follows from any length
//   that it may come back with, since that is the requested one (or a longer one after a shrink that stayed);
// * Disjoint: BUMP; Stable: the cursor moves over a live block only when a rewind gives it up; blocks lie outside the value;
// * Threads: not `Sync`. Re-entrancy: upstream is called when the frame is at rest, and it cannot reach the frame;
// * Errors: values; a block that cannot move stays. Identity: the base, or a chunk that stays while blocks live.
unsafe impl<P: Policy, U: MemoryResource> MemoryResource for Frame<'_, P, U> {
    #[inline(always)]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        Ok(MemoryBlock::new(self.obtain(layout)?, layout.size()))
    }

    #[inline(always)]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        if self.may_return(block, align) {
            self.give_up(block, align);
        }
    }

    #[inline]
    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        if new_size > isize::MAX.unsigned_abs() {
            return Err(AllocError::SizeOverflow);
        }
        if !self.may_return(block, align) {
            return Err(AllocError::NotOwned);
        }
        if P::CANARIES && new_size <= block.len() {
            return Ok(self.shrink_guarded(block, new_size));
        }
        if let Some(resized) = self.resize_in_place(block, new_size) {
            return Ok(resized);
        }
        // SAFETY: this function's contract.
        unsafe { reallocate_by_moving(self, block, new_size, align) }
    }

    // A frame without memory takes its first chunk for this: it names the frame from now on.
    fn identity(&self) -> ResourceId {
        if !self.base.is_empty() {
            return ResourceId::new::<FrameKind>(self.base.address());
        }
        if self.name.get().is_none() {
            if self.first.get().is_none() {
                // Without memory there is no block either that could be mistaken for another's.
                let _ = self.prepare(1);
            }
            self.name.set(self.first.get());
        }
        ResourceId::new::<FrameKind>(self.name.get().map_or(0, |chunk| chunk.addr().get()))
    }

    fn info(&self) -> ResourceInfo<'_> {
        let info = ResourceInfo::new("frame", ThreadSafety::Confined).with_reuse(Reuse::AllTogether);
        match self.upstream.info().capacity {
            Some(capacity) => info.with_capacity(capacity.saturating_add(self.reserved())),
            None => info,
        }
    }
}

// SAFETY: live blocks have at least one byte inside a region in use, also those of size zero (`taken_by`), and no other
// resource's block has; addresses are only compared.
unsafe impl<P: Policy, U: MemoryResource> Owns for Frame<'_, P, U> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.holds(ptr.addr(), 1)
    }
}

impl<P: Policy, U: MemoryResource> Inspect for Frame<'_, P, U> {
    fn inspect(&self, block: MemoryBlock, align: Alignment) -> Result<(), MisuseKind> {
        if P::CANARIES {
            return self.guard_of(block, align).map(|_| ());
        }
        self.wrong_with(block, align).map_or(Ok(()), Err)
    }
}

impl<P: Policy, U: MemoryResource> Collect for Frame<'_, P, U> {
    /// Gives back the chunks that are kept behind the current one: after a reset, all of them. (One may stay if it has given the
    /// frame its identity.)
    fn collect(&self) -> usize {
        if self.used() == 0 {
            // Every block takes a byte at least, so there is none: the cursor may leave the first chunk, where a reset has put it.
            // SAFETY: no block is younger than an empty frame's start.
            unsafe { self.rewind_to(&self.start()) };
            self.left.set(self.left.get().wrapping_add(1));
        }
        let mut given = 0;
        let mut next = self.next_link().take();
        while let Some(chunk) = next {
            // SAFETY: CHUNK; it is given back below, if it is.
            let after = unsafe { &(*chunk.as_ptr()).next };
            next = after.get();
            if self.name.get() == Some(chunk) {
                if self.current.get().is_some() {
                    // Blocks live under this name.
                    after.set(self.next_link().replace(Some(chunk)));
                    continue;
                }
                self.name.set(None);
            }
            // SAFETY: taken out of the chain; no block is in it, since the cursor has not been there (since the last rewind).
            given += unsafe { chunk::release(&self.upstream, chunk) };
        }
        self.next_chunk.set(P::FIRST_CHUNK);
        given
    }
}
