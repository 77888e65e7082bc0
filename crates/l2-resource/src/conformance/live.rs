//! A live block, and the lengths at which it may be handed back.

use super::random::Random;
use crate::{Alignment, MemoryBlock};

/// A live block and what the kit knows of it.
// Invariant LIVE: `block` was returned by the resource under test for `size` bytes at `align`, is in the shadow, and is
// marked with `mark` over its whole length. A value of this type is handed to `release` or `reallocate` at most once.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) block: MemoryBlock,
    pub(super) size: usize,
    pub(super) align: Alignment,
    pub(super) mark: u64,
}

/// How a block is handed back; all must be the same to the resource.
#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    /// The length that was returned.
    Real,
    /// The size that was requested.
    Requested,
    /// Sometimes this, sometimes that, sometimes between.
    Any,
}

impl Live {
    /// The block as it is handed back.
    pub(super) fn handed(&self, length: Length, random: &mut Random) -> MemoryBlock {
        let spare = self.block.len() - self.size;
        let len = match length {
            Length::Real => self.block.len(),
            Length::Requested => self.size,
            Length::Any => match random.below(3) {
                0 => self.size,
                1 => self.block.len(),
                _ => self.size + random.below(spare + 1),
            },
        };
        MemoryBlock::new(self.block.as_non_null(), len)
    }
}
