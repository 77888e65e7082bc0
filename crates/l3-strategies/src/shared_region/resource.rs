//! The contract, kept by a shared region.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo,
    ThreadSafety, Validate, Violation, reallocate_by_moving,
};

use super::block::Head;
use super::heap;
use super::layout::{AT_BLOCKS, HEADER, MAX_ALIGN};
use super::words::Words;
use super::{SharedRegion, WORD, validate};
use crate::misuse::{self, CHECKED, MisuseKind};

/// The kind of all regions.
struct SharedRegionKind;

impl SharedRegion {
    /// The block's place and head, for a change of it, or why it is not live.
    fn admit(&self, words: &Words<'_>, block: MemoryBlock) -> Result<(u64, Head), MisuseKind> {
        let at = self.block_at(block.address()).ok_or(MisuseKind::ForeignBlock)?;
        let head = heap::live(words, at)?;
        let fits = block.len() as u64 <= (head.size - HEADER) * WORD as u64;
        if fits { Ok((at, head)) } else { Err(MisuseKind::WrongSize) }
    }
}

/// Tells about a mistake, with the lock given back. In a fast build nothing happens: the block is left alone.
fn report(kind: MisuseKind, block: MemoryBlock) {
    if CHECKED {
        misuse::report("shared region", kind, block.address());
    }
}

// SAFETY:
// * Fit: `allocate` leaves as many words as asked for, at a place that `cut_gap` aligned; mappings are aligned to pages;
// * Disjoint, Stable: BLOCK; only headers are written, and free blocks' have no holder;
// * Threads: one operation at a time: LOCK-ONE; its Acquire and Release carry payloads from holder to holder;
// * Errors: values; a change that is not committed is undone. Re-entrancy: nothing is called with the lock held;
// * Identity: the mapping's address, this value's as long as it lives.
unsafe impl MemoryResource for SharedRegion {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.take(layout, layout.size() as u64).map(|(_, block)| block)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _align: Alignment) {
        let freed = self.locked(|words| {
            let (at, head) = self.admit(words, block)?;
            heap::free(words, at, head);
            Ok(())
        });
        if let Some(Err(kind)) = freed {
            report(kind, block);
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        if new_size > isize::MAX.unsigned_abs() {
            return Err(AllocError::SizeOverflow);
        }
        let size = heap::block_words(new_size as u64).ok_or(AllocError::CapacityExhausted)?;
        let resized = self.locked(|words| {
            let (at, head) = self.admit(words, block)?;
            let kept = heap::resize(words, at, head, size, new_size as u64);
            Ok(kept.and_then(|kept| self.payload(at, kept)).filter(|block| block.len() >= new_size))
        });
        match resized.ok_or(AllocError::Unsupported)? {
            Ok(Some(block)) => Ok(block),
            // SAFETY: this function's contract.
            Ok(None) => unsafe { reallocate_by_moving(self, block, new_size, align) },
            Err(kind) => {
                report(kind, block);
                Err(AllocError::NotOwned)
            }
        }
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<SharedRegionKind>(self.map.block().address())
    }

    fn info(&self) -> ResourceInfo<'_> {
        let tables = usize::try_from(AT_BLOCKS + 2 * HEADER).unwrap_or(0) * WORD;
        let room = self.map.block().len() - tables;
        ResourceInfo::new("shared region", ThreadSafety::Shared)
            .with_capacity(room)
            .with_max_size(room)
            .with_max_align(Alignment::constant::<MAX_ALIGN>())
    }
}

// SAFETY: blocks lie in the mapping, and nobody else's do; only addresses are compared.
unsafe impl Owns for SharedRegion {
    fn owns(&self, ptr: *const u8) -> bool {
        self.map.block().contains(ptr)
    }
}

impl Collect for SharedRegion {
    /// Frees what dead processes hold. Nothing goes back to the system: the memory is the file's.
    fn collect(&self) -> usize {
        self.reclaim();
        0
    }
}

impl Validate for SharedRegion {
    fn validate(&self) -> Result<(), Violation> {
        self.locked(validate::validate).unwrap_or(Ok(()))
    }
}
