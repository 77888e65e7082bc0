//! [`Magazine`]: the blocks that came back last, at hand without a look at their slabs.

use core::cell::Cell;
use core::ptr::NonNull;

/// So many blocks at most; also the most slabs that a magazine keeps from being empty until it is unloaded.
const ROUNDS: usize = 16;

/// A stack of blocks in front of the slabs, after Bonwick and Adams.
///
/// Invariant MAGAZINE: blocks of the resource's slabs, each once, in nobody's hands; their slabs count them as live.
#[derive(Debug)]
pub(super) struct Magazine {
    // Below `len`: `Some`.
    blocks: [Cell<Option<NonNull<u8>>>; ROUNDS],
    len: Cell<usize>,
}

impl Magazine {
    pub(super) const fn new() -> Self {
        Self { blocks: [const { Cell::new(None) }; ROUNDS], len: Cell::new(0) }
    }

    /// The block that was loaded last.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<NonNull<u8>> {
        // Without blocks this wraps to an index that no array has.
        let last = self.len.get().wrapping_sub(1);
        let block = self.blocks.get(last)?.get();
        self.len.set(last);
        block
    }

    /// Keeps a block, unless it is full; whether it did.
    #[inline(always)]
    pub(super) fn load(&self, block: NonNull<u8>) -> bool {
        let len = self.len.get();
        let Some(place) = self.blocks.get(len) else { return false };
        place.set(Some(block));
        self.len.set(len + 1);
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.len.get()
    }

    /// The addresses of its blocks.
    pub(super) fn addresses(&self) -> impl Iterator<Item = usize> + '_ {
        self.blocks.iter().take(self.len()).filter_map(|block| Some(block.get()?.addr().get()))
    }

    pub(super) fn contains(&self, address: usize) -> bool {
        self.addresses().any(|block| block == address)
    }
}
