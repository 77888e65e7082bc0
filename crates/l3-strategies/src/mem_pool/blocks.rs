//! Small blocks: out of a class's lists, and back into them.

use core::cell::Cell;
use core::ptr::{NonNull, null_mut};

use stratalloc_primitives::primitive::atomic::Ordering;
use stratalloc_resource::{AllocError, MemoryBlock, MemoryResource};

use super::chunk::{Head, Plan};
use super::{LIVE, MemPool, RETURNING};
use crate::misuse::CHECKED;

impl<U: MemoryResource, const SMALLEST: usize, const LARGEST: usize, const CHUNK: usize, const PAGE: usize>
    MemPool<U, SMALLEST, LARGEST, CHUNK, PAGE>
{
    /// Takes a block of a class.
    #[inline]
    pub(super) fn take(&self, class: usize) -> Result<MemoryBlock, AllocError> {
        let lists = &self.classes[class];
        if !lists.enter() {
            return Err(AllocError::OutOfMemory);
        }
        // Counted from here on; if there is a block, until it comes back.
        let chunk = Cell::new(null_mut());
        let link_of = |index| {
            chunk.set(self.chunk_of(index));
            // SAFETY: just looked up, of a class that we have entered: MEM-CHUNK.
            unsafe { self.link_in(chunk.get(), index) }
        };
        let index = match lists.pop(link_of) {
            // The last index that was asked for.
            Some(index) => index,
            None => {
                let fresh = self.take_fresh(class).inspect_err(|_| lists.leave())?;
                chunk.set(self.chunk_of(fresh));
                fresh
            }
        };
        let chunk = chunk.get();
        if CHECKED {
            // SAFETY: the block is ours, so its chunk stays: MEM-CHUNK.
            unsafe { self.link_in(chunk, index) }.store(LIVE, Ordering::Relaxed);
        }
        let offset = Self::PLANS[class].first + ((index & Self::BLOCK_MASK) as usize * (SMALLEST << class));
        // SAFETY: inside a chunk, so not null: MEM-CHUNK.
        let start = unsafe { NonNull::new_unchecked(chunk.wrapping_add(offset)) };
        Ok(MemoryBlock::new(start, SMALLEST << class))
    }

    /// Takes a block of a class back. In a checked build false if it was not live.
    ///
    /// # Safety
    ///
    /// `start` is the start of a live block of that class (or, in a checked build, of any block of a chunk of it), and nobody uses it
    /// any more.
    #[inline]
    pub(super) unsafe fn put(&self, start: NonNull<u8>, class: usize) -> bool {
        let inside = start.addr().get() & (CHUNK - 1);
        let chunk = start.as_ptr().wrapping_sub(inside);
        // SAFETY: the head of the block's chunk: MEM-CHUNK; the block is live, so the class is not closed.
        let Head { number } = unsafe { chunk.cast::<Head>().read() };
        let block = (inside - Self::PLANS[class].first) / (SMALLEST << class);
        #[expect(clippy::cast_possible_truncation, reason = "less than the chunk's count")]
        let index = number << Self::BLOCK_BITS | block as u32;
        // SAFETY: its chunk, as above.
        let link = unsafe { self.link_in(chunk, index) };
        let lists = &self.classes[class];
        if CHECKED && link.compare_exchange(LIVE, RETURNING, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return false;
        }
        // The last access: after it nobody is counted for the block.
        lists.push(index, link);
        true
    }

    /// Takes a fresh block of a class that the caller has entered, from a new chunk if need be.
    #[cold]
    #[inline(never)]
    fn take_fresh(&self, class: usize) -> Result<u32, AllocError> {
        let (lists, Plan { count, .. }) = (&self.classes[class], Self::PLANS[class]);
        loop {
            let used_up = match lists.take_fresh() {
                Ok((number, left)) => return Ok(number << Self::BLOCK_BITS | (count - left)),
                Err(used_up) => used_up,
            };
            let number = match self.chunk_for(class) {
                Ok(number) => number,
                // Another thread may have given one back since the first look.
                Err(error) => return lists.pop(|index| self.link(index)).ok_or(error),
            };
            // One block is the caller's, for which it brought the chunk.
            if lists.install(used_up, number, count - 1) {
                return Ok(number << Self::BLOCK_BITS);
            }
            self.spare(number);
        }
    }
}
