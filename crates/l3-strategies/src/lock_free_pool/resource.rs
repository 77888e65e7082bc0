//! The contract, kept by a lock-free pool.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, SizeClasses,
    ThreadSafety, Validate, Violation,
};

use super::LockFreePool;
use crate::misuse::{Inspect, MisuseKind};
use crate::one_size::OneSize;

/// The kind of all lock-free pools.
struct LockFreePoolKind;

impl<U: MemoryResource> LockFreePool<'_, U> {
    /// The blocks' size and alignment.
    #[inline(always)]
    fn one_size(&self) -> OneSize {
        OneSize { len: self.len[0], align: self.align }
    }
}

// SAFETY:
// * Fit: blocks are `len` long, a multiple of the alignment, from an aligned first; other requests are refused;
// * Disjoint: FREE-ONE; Stable: the pool touches links only, and the room does not move with the value;
// * Threads: FREE-ONE, and the stack's release and acquire carry a block's contents. Re-entrancy: nothing is called;
// * Errors: values; FREE-FULL. Identity: the address of the first block.
unsafe impl<U: MemoryResource> MemoryResource for LockFreePool<'_, U> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.one_size().serves(layout)?;
        self.take()
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        if self.one_size().fits("lock-free pool", block, align) {
            // SAFETY: a live block of ours: this function's contract.
            unsafe { self.give(block.as_non_null()) };
        }
    }

    #[inline]
    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        _: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        self.one_size().resized(block, new_size)
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<LockFreePoolKind>(self.first.addr().get())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("lock-free pool", ThreadSafety::Shared)
            .with_size_classes(SizeClasses::slice(&self.len))
            .with_max_size(self.len[0])
            .with_max_align(self.align)
            .with_capacity(self.block_count() * self.len[0])
    }
}

// SAFETY: live blocks lie among the pool's, and nobody else's do; only addresses are compared.
unsafe impl<U: MemoryResource> Owns for LockFreePool<'_, U> {
    fn owns(&self, ptr: *const u8) -> bool {
        ptr.addr().wrapping_sub(self.first.addr().get()) < self.block_count() * self.len[0]
    }
}

impl<U: MemoryResource> Validate for LockFreePool<'_, U> {
    fn validate(&self) -> Result<(), Violation> {
        let look = self.indices.look(self.links());
        let (used, free, count) = (look.used as usize, look.free as usize, self.block_count());
        if let Some((index, taken)) = look.strange {
            let terms = &["index", "taken"];
            return Err(Violation::new("LFP-1", "index < taken", terms, &[index as usize, taken as usize]));
        }
        if free > used || used > count {
            let terms = &["free", "used", "count"];
            return Err(Violation::new("LFP-2", "free <= used <= count", terms, &[free, used, count]));
        }
        Ok(())
    }
}

impl<U: MemoryResource> Inspect for LockFreePool<'_, U> {
    fn inspect(&self, block: MemoryBlock, align: Alignment) -> Result<(), MisuseKind> {
        let offset = block.address().wrapping_sub(self.first.addr().get());
        self.wrong_with(offset).or_else(|| self.one_size().misfit(block, align)).map_or(Ok(()), Err)
    }
}
