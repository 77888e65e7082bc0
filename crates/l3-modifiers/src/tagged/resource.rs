//! The contract, and how blocks are charged to their tags.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, MemoryTag, Owns, ResourceId, ResourceInfo,
    Validate, Violation,
};

use super::account::Account;
use super::label::{self, LABEL};
use super::{Tagged, TaggedKind};
use crate::damage::report;
use crate::info::limited;

impl<R: MemoryResource, const TAGS: usize> Tagged<R, TAGS> {
    /// A block of `tag`, whatever the current one is.
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use stratalloc_modifiers::Tagged;
    /// use stratalloc_resource::{Alignment, FromGlobal, MemoryResource, MemoryTag};
    ///
    /// let tagged: Tagged<_> = Tagged::new(FromGlobal::new(&std::alloc::System));
    /// let block = tagged.allocate_as(MemoryTag::new(5), Layout::new::<u64>())?;
    /// let zeros = tagged.allocate_zeroed_as(MemoryTag::new(6), Layout::new::<u64>())?;
    /// assert_eq!(tagged.usage(MemoryTag::new(5)).live_bytes, 8);
    /// for block in [block, zeros] {
    ///     // SAFETY: live, with this alignment; not used any more.
    ///     unsafe { tagged.deallocate(block, Alignment::of::<u64>()) };
    /// }
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::OverBudget`] if the tag's hard limit would be exceeded; else as the resource below.
    #[inline]
    pub fn allocate_as(&self, tag: MemoryTag, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.charged(tag, layout, |layout| self.inner.allocate(layout))
    }

    /// As [`allocate_as`](Self::allocate_as), with zeroed bytes.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn allocate_zeroed_as(&self, tag: MemoryTag, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.charged(tag, layout, |layout| self.inner.allocate_zeroed(layout))
    }

    /// A block with its label, charged to `tag`.
    #[inline]
    fn charged(
        &self,
        tag: MemoryTag,
        layout: Layout,
        allocate: impl FnOnce(Layout) -> Result<MemoryBlock, AllocError>,
    ) -> Result<MemoryBlock, AllocError> {
        let labelled = label::with_label(layout)?;
        let (tag, account) = self.account(tag);
        if !account.charge(layout.size()) {
            return Err(AllocError::OverBudget(tag));
        }
        let inner = allocate(labelled).inspect_err(|_| account.refund(layout.size()))?;
        account.served();
        let block = MemoryBlock::new(inner.as_non_null(), layout.size());
        // SAFETY: in the inner block, which has room for the label, and ours.
        unsafe { label::write(block, tag) };
        Ok(block)
    }

    /// The account of a live block, or `None` and a report if it is not live here.
    ///
    /// # Safety
    ///
    /// As for [`label::read`].
    #[inline]
    unsafe fn account_of(&self, block: MemoryBlock) -> Option<(MemoryTag, &Account)> {
        // SAFETY: this function's contract.
        let tag = unsafe { label::read(block) };
        tag.inspect_err(report).ok().map(|tag| self.account(tag))
    }
}

/// The inner block around a block.
const fn inner_of(block: MemoryBlock) -> MemoryBlock {
    // The sum did not overflow when the block was made.
    MemoryBlock::new(block.as_non_null(), block.len().wrapping_add(LABEL))
}

// SAFETY:
// * Fit: a block begins where the inner one does, which is longer by the label; the length shown is the only one that fits;
// * Disjoint, Stable: inside the inner resource's blocks; labels lie behind the bytes, and a failed `reallocate` does not touch them;
// * Threads: as the inner resource; the counters are atomic;
// * Errors: the inner resource's and `OverBudget`; what was charged for a refused request is given back;
// * Identity: each value has its own, since the accounts are its own.
unsafe impl<R: MemoryResource, const TAGS: usize> MemoryResource for Tagged<R, TAGS> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.allocate_as(self.current(), layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        let Some((_, account)) = (unsafe { self.account_of(block) }) else { return };
        // SAFETY: nobody uses the block any more: this function's contract.
        unsafe { label::release(block) };
        account.released(block.len());
        // SAFETY: this function's contract; the length is that of the inner request.
        unsafe { self.inner.deallocate(inner_of(block), align) };
    }

    /// The block keeps its tag, whatever the current one is.
    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        let found = unsafe { self.account_of(block) };
        let (tag, account) = found.ok_or(AllocError::NotOwned)?;
        let total = new_size.checked_add(LABEL).ok_or(AllocError::SizeOverflow)?;
        let growth = new_size.saturating_sub(block.len());
        if !account.charge(growth) {
            return Err(AllocError::OverBudget(tag));
        }
        // SAFETY: this function's contract; the length is that of the inner request.
        let moved = unsafe { self.inner.reallocate(inner_of(block), total, align) };
        let moved = moved.inspect_err(|_| account.refund(growth))?;
        account.resized(block.len().saturating_sub(new_size));
        let moved = MemoryBlock::new(moved.as_non_null(), new_size);
        // SAFETY: in the inner block, which has room for the label, and ours.
        unsafe { label::write(moved, tag) };
        Ok(moved)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.allocate_zeroed_as(self.current(), layout)
    }

    fn identity(&self) -> ResourceId {
        self.number.identity::<TaggedKind>(self.inner.identity())
    }

    fn info(&self) -> ResourceInfo<'_> {
        let inner = self.inner.info();
        let max_size = inner.max_size.or(inner.capacity).map(|most| most.saturating_sub(LABEL));
        let info = ResourceInfo::new("tagged", inner.threads).with_reuse(inner.reuse);
        limited(info, inner.capacity, (max_size, inner.max_align))
    }
}

// SAFETY: each block begins where one of the inner resource begins.
unsafe impl<R: Owns, const TAGS: usize> Owns for Tagged<R, TAGS> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.inner.owns(ptr)
    }
}

impl<R: Collect, const TAGS: usize> Collect for Tagged<R, TAGS> {
    fn collect(&self) -> usize {
        self.inner.collect()
    }
}

impl<R: Validate, const TAGS: usize> Validate for Tagged<R, TAGS> {
    /// TAG-BLOCKS: `releases <= allocations`, and no bytes are live without a block; TAG-PEAK: `live <= peak`; for each tag. Then the
    /// inner resource's.
    fn validate(&self) -> Result<(), Violation> {
        self.accounts.iter().try_for_each(Account::validate)?;
        self.inner.validate()
    }
}
