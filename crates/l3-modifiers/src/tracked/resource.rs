//! The contract, and how blocks enter and leave the list.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, Validate,
    Violation,
};

use super::record::{PADDING, Record};
use super::{Source, Tracked};
use crate::damage::report;
use crate::locked::RawLock;

/// The kind of the identity, which is made of a number and the inner one's.
struct TrackedKind;

impl<R: MemoryResource, L: RawLock> Tracked<R, L> {
    /// A block with its record, in the list.
    pub(super) fn allocate_from(&self, layout: Layout, source: Source) -> Result<MemoryBlock, AllocError> {
        let block = PADDING.allocate(&self.inner, layout)?;
        self.locked(|| {
            let serial = self.serial.get().wrapping_add(1);
            self.serial.set(serial);
            let head = self.list.get();
            // SAFETY: made with the padding, and ours.
            let record =
                unsafe { Record::write(block, Alignment::from_layout(layout), serial, source, head) };
            if let Some(head) = head {
                // SAFETY: in the list: TRACKED.
                unsafe { head.as_ref() }.set_previous(Some(record));
            }
            self.list.set(Some(record));
            self.blocks.set(self.blocks.get() + 1);
            self.bytes.set(self.bytes.get() + layout.size());
        });
        Ok(block)
    }

    /// Takes the record of a block out of the list; where the block came from, or `None` and a report if it is not live here.
    ///
    /// # Safety
    ///
    /// `block` is a live block of this resource, or the place of one whose memory is still the resource's below.
    unsafe fn forget(&self, block: MemoryBlock) -> bool {
        let verdict = self.locked(|| {
            // SAFETY: this function's contract.
            let record = unsafe { Record::of(block) };
            // SAFETY: as above.
            let record = unsafe { record.as_ref() };
            record.check(block)?;
            let (next, previous) = record.release();
            if let Some(next) = next {
                // SAFETY: in the list: TRACKED.
                unsafe { next.as_ref() }.set_previous(previous);
            }
            match previous {
                // SAFETY: in the list: TRACKED.
                Some(previous) => unsafe { previous.as_ref() }.set_next(next),
                None => self.list.set(next),
            }
            self.blocks.set(self.blocks.get() - 1);
            self.bytes.set(self.bytes.get() - block.len());
            Ok(())
        });
        // The hook is the program's: it must not find the lock held.
        verdict.inspect_err(report).is_ok()
    }

    /// Where a block came from.
    ///
    /// # Safety
    ///
    /// As for [`forget`](Self::forget).
    unsafe fn source_of(&self, block: MemoryBlock) -> Source {
        self.locked(|| {
            // SAFETY: this function's contract.
            let record = unsafe { Record::of(block) };
            // SAFETY: as above.
            let record = unsafe { record.as_ref() };
            // A damaged record is reported at the release.
            record.check(block).ok().and_then(|()| record.describe().location)
        })
    }

    /// Moves a block. `source` replaces the line that it came from, if there is one.
    ///
    /// # Safety
    ///
    /// As for [`MemoryResource::reallocate`].
    pub(super) unsafe fn reallocate_from(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
        source: Source,
    ) -> Result<MemoryBlock, AllocError> {
        let layout =
            Layout::from_size_align(new_size, align.bytes()).map_err(|_| AllocError::SizeOverflow)?;
        // SAFETY: this function's contract.
        let source = source.or(unsafe { self.source_of(block) });
        let moved = self.allocate_from(layout, source)?;
        let kept = block.len().min(new_size);
        // SAFETY: both are live and apart, and `kept` bytes long at least.
        unsafe { moved.as_ptr().copy_from_nonoverlapping(block.as_ptr(), kept) };
        // SAFETY: this function's contract.
        unsafe { self.deallocate(block, align) };
        Ok(moved)
    }
}

// SAFETY:
// * Fit: `Padding` leaves the requested bytes at an aligned place; the length shown is the only one that fits;
// * Disjoint, Stable: inside the inner resource's blocks; records lie before the bytes and do not move with the value;
// * Threads: TRACKED;
// * Errors: the inner resource's; a damaged block is reported and left alone;
// * Identity: a number that no other value of this library has, found at the first question and kept.
unsafe impl<R: MemoryResource, L: RawLock> MemoryResource for Tracked<R, L> {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.allocate_from(layout, None)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        if unsafe { self.forget(block) } {
            // SAFETY: this function's contract, and the record told the same length.
            unsafe { PADDING.deallocate(&self.inner, block, align) };
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        unsafe { self.reallocate_from(block, new_size, align, None) }
    }

    fn identity(&self) -> ResourceId {
        self.number.identity::<TrackedKind>(self.inner.identity())
    }

    fn info(&self) -> ResourceInfo<'_> {
        PADDING.limits("tracked", &self.inner.info())
    }
}

impl<R: Collect, L: RawLock> Collect for Tracked<R, L> {
    fn collect(&self) -> usize {
        self.inner.collect()
    }
}

impl<R: Validate, L: RawLock> Validate for Tracked<R, L> {
    /// Those of the [list](Tracked::validate_list), then the inner resource's.
    fn validate(&self) -> Result<(), Violation> {
        self.validate_list()?;
        self.inner.validate()
    }
}
