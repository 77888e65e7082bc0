//! The contract, and when a sample is drawn or forgotten.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Validate,
    Violation,
};

use super::{SampleObserver, Sampled, SampledKind};

// SAFETY: every block is the inner resource's, and every operation its own; nothing of a block is read or written.
unsafe impl<R: MemoryResource, O: SampleObserver, const SLOTS: usize> MemoryResource
    for Sampled<R, O, SLOTS>
{
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let block = self.inner.allocate(layout)?;
        self.draw(block, layout.size(), Alignment::from_layout(layout));
        Ok(block)
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // Before it goes back: its address may be somebody else's at once.
        if !block.is_empty()
            && let Some(size) = self.table.remove(block.address())
        {
            self.tell_release(block.address(), size, align);
        }
        // SAFETY: this function's contract.
        unsafe { self.inner.deallocate(block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let claim = if block.is_empty() { None } else { self.table.claim(block.address()) };
        // SAFETY: this function's contract.
        let answer = unsafe { self.inner.reallocate(block, new_size, align) };
        if let Some(claim) = claim {
            match answer {
                Ok(_) => self.tell_release(block.address(), claim.forget(), align),
                Err(_) => claim.put_back(block.address()),
            }
        }
        let moved = answer?;
        self.draw(moved, new_size, align);
        Ok(moved)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let block = self.inner.allocate_zeroed(layout)?;
        self.draw(block, layout.size(), Alignment::from_layout(layout));
        Ok(block)
    }

    fn identity(&self) -> ResourceId {
        self.number.identity::<SampledKind>(self.inner.identity())
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.inner.info()
    }
}

// SAFETY: the blocks are the inner resource's.
unsafe impl<R: Owns, O, const SLOTS: usize> Owns for Sampled<R, O, SLOTS> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.inner.owns(ptr)
    }
}

impl<R: Collect, O, const SLOTS: usize> Collect for Sampled<R, O, SLOTS> {
    fn collect(&self) -> usize {
        self.inner.collect()
    }
}

impl<R: Validate, O, const SLOTS: usize> Validate for Sampled<R, O, SLOTS> {
    /// SAMPLE-LIVE: `taken == released + noted`; then the inner resource's.
    fn validate(&self) -> Result<(), Violation> {
        let (counts, noted) = (self.counts(), self.table.len());
        if counts.live() != noted {
            let values = [counts.taken, counts.released, noted];
            let terms = &["taken", "released", "noted"];
            return Err(Violation::new("SAMPLE-LIVE", "taken == released + noted", terms, &values));
        }
        self.inner.validate()
    }
}
