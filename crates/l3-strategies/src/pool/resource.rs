//! The contract, kept by a pool.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, SizeClasses,
    ThreadSafety,
};

use super::Pool;
use crate::misuse::{self, CHECKED, Inspect, MisuseKind};
use crate::one_size::OneSize;

/// The kind of all pools and their remotes.
pub(super) struct PoolKind;

impl<U: MemoryResource> Pool<'_, U> {
    /// Whether a block of the pool starts at `address`; what is wrong if not.
    pub(super) fn place_of(&self, address: usize) -> Result<(), MisuseKind> {
        let (len, fresh) = (self.len[0], self.fresh.get().addr().get());
        for region in self.regions() {
            let offset = address.wrapping_sub(region.first.addr().get());
            if offset < region.count * len {
                let cut = address.wrapping_sub(fresh) >= self.fresh_count.get() * len;
                return if !offset.is_multiple_of(len) {
                    Err(MisuseKind::InteriorPointer)
                } else if cut {
                    Ok(())
                } else {
                    // Never handed out.
                    Err(MisuseKind::DoubleRelease)
                };
            }
        }
        Err(MisuseKind::ForeignBlock)
    }

    /// Whether a block may be handed back; if not, that is reported. Always true in a fast build; O(free) in a checked one.
    #[inline(always)]
    pub(super) fn may_return(&self, start: NonNull<u8>) -> bool {
        if CHECKED { self.may_return_checked(start) } else { true }
    }

    #[cold]
    fn may_return_checked(&self, start: NonNull<u8>) -> bool {
        let wrong = self.wrong_with(start);
        if let Some(kind) = wrong {
            misuse::report("pool", kind, start.addr().get());
        }
        wrong.is_none()
    }

    /// What is wrong with the start of a block that is handed back.
    fn wrong_with(&self, start: NonNull<u8>) -> Option<MisuseKind> {
        let place = self.place_of(start.addr().get());
        let free = place.is_ok() && self.free_blocks().any(|block| block.cast() == start);
        place.err().or(free.then_some(MisuseKind::DoubleRelease))
    }

    /// The blocks' size and alignment.
    #[inline(always)]
    fn one_size(&self) -> OneSize {
        OneSize { len: self.len[0], align: self.config.align() }
    }
}

// SAFETY:
// * Fit: blocks are `len` long and at multiples of the alignment; other requests are refused;
// * Disjoint: POOL; Stable: the pool touches free blocks only, and they lie outside the value;
// * Threads: not `Sync`; remotes only push. Re-entrancy: upstream is called while the lists are at rest;
// * Errors: values. Identity: the first region, which stays until the drop; remotes have the same and hand blocks to the pool.
unsafe impl<U: MemoryResource> MemoryResource for Pool<'_, U> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.one_size().serves(layout)?;
        self.take()
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        if self.one_size().fits("pool", block, align) {
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
        ResourceId::new::<PoolKind>(self.name)
    }

    fn info(&self) -> ResourceInfo<'_> {
        let info = ResourceInfo::new("pool", ThreadSafety::Confined)
            .with_size_classes(SizeClasses::slice(&self.len))
            .with_max_size(self.len[0])
            .with_max_align(self.config.align());
        let own = self.total.get() * self.len[0];
        let allowed = self.config.max_blocks().checked_mul(self.len[0]);
        let possible = self.upstream.info().capacity.map(|capacity| capacity.saturating_add(own));
        match (allowed, possible) {
            (None, None) => info,
            (allowed, possible) => {
                info.with_capacity(allowed.unwrap_or(usize::MAX).min(possible.unwrap_or(usize::MAX)))
            }
        }
    }
}

// SAFETY: live blocks lie in the pool's regions, and nobody else's do; only addresses are compared.
unsafe impl<U: MemoryResource> Owns for Pool<'_, U> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.regions().any(|region| {
            let offset = ptr.addr().wrapping_sub(region.first.addr().get());
            offset < region.count * self.len[0]
        })
    }
}

impl<U: MemoryResource> Inspect for Pool<'_, U> {
    fn inspect(&self, block: MemoryBlock, align: Alignment) -> Result<(), MisuseKind> {
        self.take_returned(usize::MAX);
        self.wrong_with(block.as_non_null())
            .or_else(|| self.one_size().misfit(block, align))
            .map_or(Ok(()), Err)
    }
}
