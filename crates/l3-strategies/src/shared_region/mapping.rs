//! A region as it lies in this process's memory.

use core::ptr::NonNull;

use stratalloc_platform::{shm, vm};
use stratalloc_primitives::primitive::atomic::AtomicU64;
use stratalloc_resource::MemoryBlock;

use super::WORD;
use super::words::Words;

/// The first bytes of a file, mapped as long as this value.
// Invariant MAPPED: `block` is a mapping that this value made and that nobody else unmaps, aligned to a page. Its bytes are accessed through
// `words`, and by the holders of blocks in it.
#[derive(Debug)]
pub(super) struct Mapping {
    block: MemoryBlock,
}

impl Mapping {
    pub(super) fn new(file: &shm::File, size: usize) -> Result<Self, vm::OsError> {
        Ok(Self { block: MemoryBlock::new(file.map(size)?, size) })
    }

    /// Where it lies.
    pub(super) const fn block(&self) -> MemoryBlock {
        self.block
    }

    pub(super) fn words(&self) -> Words<'_> {
        let base: NonNull<AtomicU64> = self.block.as_non_null().cast();
        // SAFETY: MAPPED: so many words are there as long as `self` is borrowed, aligned, and accessed so.
        unsafe { Words::new(base, (self.block.len() / WORD) as u64) }
    }

    /// The piece of so many words from word `at` on, if all of it lies inside: both may come from words that other processes write.
    pub(super) fn piece(&self, at: u64, words: u64) -> Option<MemoryBlock> {
        let bytes = |words: u64| usize::try_from(words).ok()?.checked_mul(WORD);
        self.block.split_at(bytes(at)?)?.1.truncated(bytes(words)?)
    }
}

impl Drop for Mapping {
    /// If the kernel refuses, the addresses are lost; the memory is the file's.
    fn drop(&mut self) {
        // SAFETY: MAPPED; whatever was borrowed from it is gone, and blocks are not used after their region.
        let _ = unsafe { vm::release(self.block.as_non_null(), self.block.len()) };
    }
}

#[cfg(all(test, not(miri), not(loom)))]
mod tests {
    use stratalloc_platform::page;

    use super::*;

    #[test]
    fn pieces_lie_inside() {
        let size = page::size();
        let file = shm::File::anonymous(c"test", size).unwrap();
        let map = Mapping::new(&file, size).unwrap();
        let (words, whole) = (map.words().count(), map.block());
        assert_eq!(map.piece(0, words), Some(whole));
        let last = map.piece(words - 2, 2).unwrap();
        assert_eq!((last.len(), last.end_address()), (2 * WORD, whole.end_address()));
        for (at, length) in
            [(words - 2, 3), (words + 1, 0), (1, u64::MAX), (u64::MAX, 1), (u64::MAX / 8 + 1, 1)]
        {
            assert_eq!(map.piece(at, length), None, "{at} {length}");
        }
    }
}
