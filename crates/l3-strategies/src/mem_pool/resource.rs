//! The contract, kept by two levels of pools.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety,
    reallocate_by_moving,
};

use super::MemPool;
use crate::misuse::{self, CHECKED, MisuseKind};

/// The kind of all pools of this module.
struct MemPoolKind;

impl<U: MemoryResource, const SMALLEST: usize, const LARGEST: usize, const CHUNK: usize, const PAGE: usize>
    MemPool<U, SMALLEST, LARGEST, CHUNK, PAGE>
{
    /// The class of the chunk that holds `address`, and how far that lies behind the chunk's first block.
    pub(super) fn find(&self, address: usize) -> Option<(usize, usize)> {
        self.chunks().find_map(|(start, chunk)| {
            let inside = address.wrapping_sub(start) < CHUNK;
            inside.then(|| (chunk.class, address.wrapping_sub(start + Self::first(chunk.class))))
        })
    }

    /// Whether `address` lies in the fresh memory of a class.
    pub(super) fn is_fresh(&self, address: usize, index: usize) -> bool {
        let class = &self.classes[index];
        let fresh = class.fresh.get().map_or(0, |fresh| fresh.addr().get());
        address.wrapping_sub(fresh) < class.fresh_count.get() * (SMALLEST << index)
    }

    /// Whether a block may be handed back; if not, that is reported. A large one may, unless it lies in a chunk.
    #[inline(always)]
    fn may_return(&self, block: MemoryBlock, class: Option<usize>) -> bool {
        if CHECKED { self.may_return_checked(block.address(), class) } else { true }
    }

    /// O(chunks + free blocks of the class).
    #[cold]
    fn may_return_checked(&self, address: usize, class: Option<usize>) -> bool {
        let wrong = match (self.find(address), class) {
            (None, None) => None,
            (None, Some(_)) => Some(MisuseKind::ForeignBlock),
            (Some((of_chunk, offset)), _) if offset % (SMALLEST << of_chunk) != 0 => {
                Some(MisuseKind::InteriorPointer)
            }
            (Some((of_chunk, _)), class) if class != Some(of_chunk) => Some(MisuseKind::WrongSize),
            (Some((of_chunk, _)), _) => {
                let released = self.is_fresh(address, of_chunk) || self.is_free(address, of_chunk);
                released.then_some(MisuseKind::DoubleRelease)
            }
        };
        if let Some(kind) = wrong {
            misuse::report("mem pool", kind, address);
        }
        wrong.is_none()
    }

    fn is_free(&self, address: usize, class: usize) -> bool {
        // SAFETY: a free block: MEM-POOL.
        let mut free =
            core::iter::successors(self.classes[class].free.get(), |block| unsafe { block.read() }.next);
        free.any(|block| block.addr().get() == address)
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
        self.live_large.set(self.live_large.get() + 1);
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
        // the caller may pass to that one; nobody else uses it: this function's contract.
        let moved = unsafe { self.upstream.reallocate(whole, new.size(), Alignment::from_layout(old)) }?;
        Ok(MemoryBlock::new(moved.as_non_null(), new.size()))
    }
}

// SAFETY:
// * Fit: a block of a class is at least as long as size and alignment, and aligned to its length; large ones are upstream's;
// * Disjoint: MEM-POOL for small blocks, upstream for large ones; Stable: only free blocks are touched;
// * Threads: not `Sync`. Re-entrancy: upstream is called while the lists are at rest;
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
            unsafe { self.put(block.as_non_null(), class) };
        } else if let Ok(layout) = Self::large(block.len(), align.bytes()) {
            self.live_large.set(self.live_large.get() - 1);
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
        let mut info = ResourceInfo::new("mem pool", ThreadSafety::Confined);
        info.capacity = upstream.capacity;
        // What upstream serves at most, in whole pages.
        info.max_size = upstream.max_size.map(|most| most & !(PAGE - 1));
        info.max_align = upstream.max_align;
        info
    }
}
