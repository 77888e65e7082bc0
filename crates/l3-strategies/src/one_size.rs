//! What resources have in common whose blocks are all of one size.

use core::alloc::Layout;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock};

use crate::misuse::{self, CHECKED, MisuseKind};

/// The size of all blocks of a resource, and the largest alignment that they have.
#[derive(Clone, Copy)]
pub(crate) struct OneSize {
    pub(crate) len: usize,
    pub(crate) align: Alignment,
}

impl OneSize {
    /// Whether a block serves the request.
    #[inline(always)]
    pub(crate) fn serves(self, layout: Layout) -> Result<(), AllocError> {
        if layout.size() > self.len {
            return Err(AllocError::Unsupported);
        }
        if layout.align() > self.align.bytes() {
            return Err(AllocError::BadAlignment);
        }
        Ok(())
    }

    /// The answer to a change of size: a block is as long as it can be already.
    #[inline(always)]
    pub(crate) fn resized(self, block: MemoryBlock, new_size: usize) -> Result<MemoryBlock, AllocError> {
        if new_size <= self.len {
            Ok(MemoryBlock::new(block.as_non_null(), self.len))
        } else if new_size <= isize::MAX.unsigned_abs() {
            Err(AllocError::Unsupported)
        } else {
            Err(AllocError::SizeOverflow)
        }
    }

    /// What is wrong with the length and alignment of a block that is handed back.
    pub(crate) fn misfit(self, block: MemoryBlock, align: Alignment) -> Option<MisuseKind> {
        if block.len() > self.len {
            Some(MisuseKind::WrongSize)
        } else {
            (align > self.align).then_some(MisuseKind::WrongAlignment)
        }
    }

    /// Whether length and alignment may be a block's; if not, that is reported for the resource `name`. Always true in a fast build.
    #[inline(always)]
    pub(crate) fn fits(self, name: &'static str, block: MemoryBlock, align: Alignment) -> bool {
        if !CHECKED {
            return true;
        }
        let wrong = self.misfit(block, align);
        if let Some(kind) = wrong {
            misuse::report(name, kind, block.address());
        }
        wrong.is_none()
    }
}
