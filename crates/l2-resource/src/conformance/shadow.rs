//! What is live, kept beside the resource: the witness that blocks are disjoint.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::MemoryBlock;

/// The live ranges by first address.
///
/// ```text
///   insert [b, b+n):   the range below must end at or before b, the range above must start at or after b+n
///
///        ├── below ──┤      ├─ new ─┤     ├── above ──┤
/// ```
///
/// A range is removed before its block is released and inserted after its block was returned, so two threads never meet
/// in it over memory that lawfully changed hands.
// Invariant SHADOW: ranges are not empty, do not wrap, and are pairwise disjoint.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    ranges: Mutex<BTreeMap<usize, usize>>,
}

impl Shadow {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, usize>> {
        // A panic of another thread leaves the map whole: no operation on it panics half way.
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a block, or says which live range it collides with. A block of no bytes collides with nothing.
    pub(super) fn insert(&self, block: MemoryBlock) -> Result<(), String> {
        let (start, len) = (block.address(), block.len());
        if len == 0 {
            return Ok(());
        }
        let Some(end) = start.checked_add(len) else {
            return Err(format!(
                "the block {start:#x} of {len} bytes runs over the end of the address space"
            ));
        };
        let mut ranges = self.lock();
        if let Some((&other, &length)) = ranges.range(..end).next_back()
            && other + length > start
        {
            return Err(format!(
                "the block {start:#x}..{end:#x} overlaps the live block {other:#x}..{:#x}",
                other + length
            ));
        }
        ranges.insert(start, len);
        Ok(())
    }

    pub(super) fn remove(&self, block: MemoryBlock) {
        if !block.is_empty() {
            self.lock().remove(&block.address());
        }
    }
}

#[cfg(test)]
mod tests {
    use core::ptr::{self, NonNull};

    use super::*;

    fn block(start: usize, len: usize) -> MemoryBlock {
        MemoryBlock::new(NonNull::new(ptr::without_provenance_mut(start)).unwrap(), len)
    }

    #[test]
    fn touching_ranges_are_disjoint_and_sharing_a_byte_is_not() {
        let shadow = Shadow::default();
        shadow.insert(block(100, 10)).unwrap();
        shadow.insert(block(110, 10)).unwrap();
        shadow.insert(block(90, 10)).unwrap();
        for (start, len) in [(100, 10), (99, 2), (109, 1), (105, 1), (0x50, 100), (119, 5)] {
            assert!(shadow.insert(block(start, len)).is_err(), "{start}+{len}");
        }
        shadow.remove(block(100, 10));
        shadow.insert(block(101, 9)).unwrap();
    }

    #[test]
    fn empty_blocks_collide_with_nothing_and_wrapping_ones_are_refused() {
        let shadow = Shadow::default();
        shadow.insert(block(100, 10)).unwrap();
        shadow.insert(block(105, 0)).unwrap();
        assert!(shadow.insert(block(usize::MAX - 3, 8)).is_err());
    }
}
