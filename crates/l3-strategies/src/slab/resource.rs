//! The contract, kept by slabs.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, SizeClasses,
    ThreadSafety,
};

use super::Slab;
use crate::misuse::{self, CHECKED, Inspect, MisuseKind};
use crate::one_size::OneSize;

/// The kind of all slab resources.
struct SlabKind;

impl<U: MemoryResource> Slab<'_, U> {
    /// Whether a block may be handed back; if not, that is reported. Always true in a fast build; O(slabs) in a checked one.
    #[inline(always)]
    pub(super) fn may_return(&self, start: NonNull<u8>) -> bool {
        if CHECKED { self.may_return_checked(start.addr().get()) } else { true }
    }

    #[cold]
    fn may_return_checked(&self, address: usize) -> bool {
        let wrong = self.wrong_with(address);
        if let Some(kind) = wrong {
            misuse::report("slab", kind, address);
        }
        wrong.is_none()
    }

    /// What is wrong with the start of a block that is handed back.
    fn wrong_with(&self, address: usize) -> Option<MisuseKind> {
        match self.slabs.find(address) {
            None => Some(MisuseKind::ForeignBlock),
            Some((_, offset)) if !offset.is_multiple_of(self.len[0]) => Some(MisuseKind::InteriorPointer),
            Some((slab, offset)) => {
                let live = slab.is_live(self.slabs.geometry.index_at(offset));
                (!live || self.slabs.magazine.contains(address)).then_some(MisuseKind::DoubleRelease)
            }
        }
    }

    /// The blocks' size and alignment.
    #[inline(always)]
    fn one_size(&self) -> OneSize {
        OneSize { len: self.len[0], align: self.align }
    }
}

// SAFETY:
// * Fit: blocks are `len` long and at multiples of the alignment: GEOMETRY; other requests are refused;
// * Disjoint: SLAB; Stable: heads and links lie beside the blocks;
// * Threads: not `Sync`. Re-entrancy: upstream is called while the slab in question is in no list, and the others are at rest;
// * Errors: values. Identity: the first slab, which stays until the drop.
unsafe impl<U: MemoryResource> MemoryResource for Slab<'_, U> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.one_size().serves(layout)?;
        self.take()
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        if self.one_size().fits("slab", block, align) {
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
        ResourceId::new::<SlabKind>(self.slabs.name)
    }

    fn info(&self) -> ResourceInfo<'_> {
        let info = ResourceInfo::new("slab", ThreadSafety::Confined)
            .with_size_classes(SizeClasses::slice(&self.len))
            .with_max_size(self.len[0])
            .with_max_align(self.align);
        let per_slab = usize::from(self.slabs.geometry.count) * self.len[0];
        // Over the caller's memory `max_slabs` is what fits there, and `Fixed` has no capacity of its own.
        let possible = if self.slabs.bounded { None } else { self.slabs.upstream.info().capacity };
        match (self.slabs.max_slabs.checked_mul(per_slab), possible) {
            (None, None) => info,
            (allowed, possible) => {
                info.with_capacity(allowed.unwrap_or(usize::MAX).min(possible.unwrap_or(usize::MAX)))
            }
        }
    }
}

// SAFETY: live blocks lie in slabs, and nobody else's do; only addresses are compared.
unsafe impl<U: MemoryResource> Owns for Slab<'_, U> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.slabs.find(ptr.addr()).is_some()
    }
}

impl<U: MemoryResource> Inspect for Slab<'_, U> {
    fn inspect(&self, block: MemoryBlock, align: Alignment) -> Result<(), MisuseKind> {
        self.wrong_with(block.address()).or_else(|| self.one_size().misfit(block, align)).map_or(Ok(()), Err)
    }
}

impl<U: MemoryResource> Collect for Slab<'_, U> {
    /// Reaping: empty slabs go upstream, except for the first one; over the caller's memory all stay.
    fn collect(&self) -> usize {
        self.slabs.reap(|_| ())
    }
}
