//! Whether what is handed back is a live block, and what is wrong if not.
//!
//! Two looks. [`Core::looks_live`] reads the two headers around the block and is always content with a live one; builds that check
//! take it at each release. [`Core::judge`] walks the pool from its start, so it never takes a payload's bytes for a header; it
//! names what is wrong after the first look failed, and answers `try_deallocate`.

use stratalloc_resource::{Alignment, AllocError, MemoryBlock};

use super::algorithm::Core;
use super::block::{Block, GRANULE, HEADER, MIN_BLOCK, block_size};
use super::pool::Pool;
use crate::misuse::{self, CHECKED, MisuseKind};

impl<const FLI: usize, const SLI: usize> Core<FLI, SLI> {
    /// In builds that check: whether the release may go on. What is wrong with it is reported.
    #[inline(always)]
    pub(super) fn admits(&self, handed: MemoryBlock, align: Alignment) -> bool {
        !CHECKED || self.looks_live(handed, align) || self.denounce(handed, align)
    }

    #[cold]
    #[inline(never)]
    fn denounce(&self, handed: MemoryBlock, align: Alignment) -> bool {
        // The second look is exact, but both refuse what no live block can be.
        let (kind, address) =
            self.judge(handed, align).err().unwrap_or((MisuseKind::Overflow, handed.address()));
        misuse::report("tlsf", kind, address);
        false
    }

    /// [`AllocError::NotOwned`] unless `handed` is a live block with a fitting length and alignment.
    pub(super) fn check_live(&self, handed: MemoryBlock, align: Alignment) -> Result<(), AllocError> {
        self.judge(handed, align).map_err(|_| AllocError::NotOwned)
    }

    /// What is wrong with a release of `handed`; O(blocks of the pool).
    pub(super) fn inspect(&self, handed: MemoryBlock, align: Alignment) -> Result<(), MisuseKind> {
        self.judge(handed, align).map_err(|(kind, _)| kind)
    }

    /// Whether the words around `handed` are those of a live block. A pointer into a payload may be taken for one.
    fn looks_live(&self, handed: MemoryBlock, align: Alignment) -> bool {
        let header = handed.address().wrapping_sub(HEADER);
        let in_place = handed.address().is_multiple_of(GRANULE) && align.is_aligned(handed.address());
        let Some(pool) = self.pools().find(|pool| pool.contains(header)).filter(|_| in_place) else {
            return false;
        };
        // SAFETY: between first header and sentinel.
        let block = unsafe { pool.first.shifted(header - pool.first.address()) };
        // SAFETY: in the pool and aligned; the caller promised a live block, whose header this is.
        let (size, free) = unsafe { block.state() };
        if free || !plausible(&pool, block, size) || !fits(handed.len(), size) {
            return false;
        }
        // SAFETY: `plausible`: at or before the sentinel.
        let next = unsafe { block.shifted(size) };
        // SAFETY: as above.
        unsafe { !next.previous_is_free() }
    }

    /// What `handed` is, found by walking the pool that it lies in; O(blocks). The address is that of the culprit, which for an
    /// overwritten header is the block before it.
    fn judge(&self, handed: MemoryBlock, align: Alignment) -> Result<(), (MisuseKind, usize)> {
        let address = handed.address();
        let header = address.wrapping_sub(HEADER);
        let Some(pool) = self.pools().find(|pool| pool.contains(header)) else {
            return Err((MisuseKind::ForeignBlock, address));
        };
        let (mut block, mut before) = (pool.first, pool.first);
        loop {
            // SAFETY: the first block of the pool, or where a plausible one ends, before the sentinel.
            let (size, free) = unsafe { block.state() };
            if !plausible(&pool, block, size) {
                return Err((MisuseKind::Overflow, before.address() + HEADER));
            }
            if header < block.address() + size {
                let verdict = match header - block.address() {
                    _ if free => MisuseKind::DoubleRelease,
                    0 if !fits(handed.len(), size) => MisuseKind::WrongSize,
                    0 if align.is_aligned(address) => return Ok(()),
                    0 => MisuseKind::ForeignBlock,
                    _ => MisuseKind::InteriorPointer,
                };
                return Err((verdict, address));
            }
            before = block;
            // SAFETY: `plausible`: at or before the sentinel, and the sentinel lies behind `header`.
            block = unsafe { block.shifted(size) };
        }
    }
}

/// Whether a block in this pool may have this size.
fn plausible(pool: &Pool, block: Block, size: usize) -> bool {
    let room = pool.sentinel.address() - block.address();
    size >= MIN_BLOCK && size.is_multiple_of(GRANULE) && size <= room
}

/// Whether a block of `size` bytes may be handed back with `len`: not more than its payload, and not so little that the rest would
/// have been split off.
fn fits(len: usize, size: usize) -> bool {
    len <= size - HEADER && block_size(len).is_some_and(|least| size - least < MIN_BLOCK)
}
