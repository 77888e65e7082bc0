//! The contract, kept by two levels of pools.

use core::alloc::Layout;

use stratalloc_primitives::primitive::atomic::Ordering;
use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, reallocate_by_moving,
};

use super::MemPool;
use crate::misuse::{self, CHECKED, MisuseKind};

/// The kind of all pools of this module.
struct MemPoolKind;

impl<U: MemoryResource, const SMALLEST: usize, const LARGEST: usize, const CHUNK: usize, const PAGE: usize>
    MemPool<U, SMALLEST, LARGEST, CHUNK, PAGE>
{
    /// Number and class of the chunk that holds `address`, and how far that lies behind the chunk's first block.
    fn find(&self, address: usize) -> Option<(u32, Option<usize>, usize)> {
        let (number, start) = self.chunks().find(|(_, start)| address.wrapping_sub(*start) < CHUNK)?;
        let class = self.class_of_chunk(number);
        let first = class.map_or(0, |class| Self::PLANS[class].first);
        Some((number, class, address.wrapping_sub(start + first)))
    }

    /// What is wrong with a block that is handed back, as far as can be told before its link is looked at. A large one may not lie in a
    /// chunk. O(chunks).
    #[cold]
    fn wrong_with(&self, address: usize, class: Option<usize>) -> Option<MisuseKind> {
        match (self.find(address), class) {
            (None, None) => None,
            (None, Some(_)) => Some(MisuseKind::ForeignBlock),
            // Nothing of it is live.
            (Some((_, None, _)), _) => Some(MisuseKind::DoubleRelease),
            (Some((_, Some(of_chunk), offset)), _)
                if !offset.is_multiple_of(SMALLEST << of_chunk) || offset >= CHUNK =>
            {
                Some(MisuseKind::InteriorPointer)
            }
            (Some((_, of_chunk, _)), class) => (of_chunk != class).then_some(MisuseKind::WrongSize),
        }
    }

    /// Whether a block may be handed back, as far as its place tells; if not, that is reported.
    #[inline(always)]
    fn may_return(&self, block: MemoryBlock, class: Option<usize>) -> bool {
        let wrong = if CHECKED { self.wrong_with(block.address(), class) } else { None };
        if let Some(kind) = wrong {
            misuse::report("mem pool", kind, block.address());
        }
        wrong.is_none()
    }

    /// What upstream is asked for in place of a large request.
    fn large(size: usize, align: usize) -> Result<Layout, AllocError> {
        let size = size.checked_next_multiple_of(PAGE).ok_or(AllocError::SizeOverflow)?;
        Layout::from_size_align(size, align.max(PAGE)).map_err(|_| AllocError::SizeOverflow)
    }

    #[cold]
    fn allocate_large(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let layout = Self::large(layout.size(), layout.align())?;
        let block = self.ask(|upstream| upstream.allocate(layout))?;
        self.live_large.fetch_add(1, Ordering::Relaxed);
        Ok(MemoryBlock::new(block.as_non_null(), layout.size()))
    }

    /// Changes a large block to another large size, in upstream's way.
    ///
    /// # Safety
    ///
    /// As for `reallocate`, of a large block.
    unsafe fn resize_large(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let (old, new) = (Self::large(block.len(), align.bytes())?, Self::large(new_size, align.bytes())?);
        let whole = MemoryBlock::new(block.as_non_null(), old.size());
        if old.size() == new.size() {
            return Ok(whole);
        }
        // SAFETY: upstream's block, with the length and alignment that it was requested with: `large` rounds every length that
        // the caller may pass to that one; nobody else uses it: this function's contract. A refusal leaves it as it was.
        let request =
            |upstream: &U| unsafe { upstream.reallocate(whole, new.size(), Alignment::from_layout(old)) };
        let moved = self.ask(request)?;
        Ok(MemoryBlock::new(moved.as_non_null(), new.size()))
    }
}

// SAFETY:
// * Fit: a block of a class is at least as long as size and alignment, and aligned to its length; large ones are upstream's;
// * Disjoint: MEM-POOL for small blocks, upstream for large ones; Stable: the pool touches heads and links only, and a chunk goes when
//   none of its blocks is live: LIST-CLOSED;
// * Threads: LIST-ONE, and the stack's release and acquire carry a block's contents; upstream is asked by the same threads.
//   Re-entrancy: upstream is called while the lists are at rest, and no class is closed;
// * Errors: values. Identity: the first chunk, which stays until the drop;
// * whichever permitted length a block comes back with, the class is the same, and so is the number of pages.
unsafe impl<
    U: MemoryResource,
    const SMALLEST: usize,
    const LARGEST: usize,
    const CHUNK: usize,
    const PAGE: usize,
> MemoryResource for MemPool<U, SMALLEST, LARGEST, CHUNK, PAGE>
{
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        match Self::class_of(layout.size(), layout.align()) {
            Some(class) => self.take(class),
            None => self.allocate_large(layout),
        }
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        let class = Self::class_of(block.len(), align.bytes());
        if !self.may_return(block, class) {
            return;
        }
        if let Some(class) = class {
            // SAFETY: a live block of this class: this function's contract.
            let was_live = unsafe { self.put(block.as_non_null(), class) };
            if CHECKED && !was_live {
                misuse::report("mem pool", MisuseKind::DoubleRelease, block.address());
            }
        } else if let Ok(layout) = Self::large(block.len(), align.bytes()) {
            self.live_large.fetch_sub(1, Ordering::Relaxed);
            let whole = MemoryBlock::new(block.as_non_null(), layout.size());
            // SAFETY: upstream's block, with its length and alignment, as in `resize_large`.
            unsafe { self.upstream.deallocate(whole, Alignment::from_layout(layout)) };
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let (old, new) =
            (Self::class_of(block.len(), align.bytes()), Self::class_of(new_size, align.bytes()));
        match (old, new) {
            (Some(old), Some(new)) if old == new => {
                Ok(MemoryBlock::new(block.as_non_null(), SMALLEST << old))
            }
            // SAFETY: this function's contract; large.
            (None, None) => unsafe { self.resize_large(block, new_size, align) },
            // SAFETY: this function's contract.
            _ => unsafe { reallocate_by_moving(self, block, new_size, align) },
        }
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<MemPoolKind>(self.name)
    }

    fn info(&self) -> ResourceInfo<'_> {
        let upstream = self.upstream.info();
        let mut info = ResourceInfo::new("mem pool", upstream.threads);
        info.capacity = upstream.capacity;
        // What upstream serves at most, in whole pages.
        info.max_size = upstream.max_size.map(|most| most & !(PAGE - 1));
        info.max_align = upstream.max_align;
        info
    }
}
