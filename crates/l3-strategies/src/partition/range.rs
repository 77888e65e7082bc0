//! The range of a partition: whole pages behind the contract.

use core::alloc::Layout;
use core::cell::Cell;
use core::fmt;

use stratalloc_platform::{page, vm};
use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, ThreadSafety,
    Validate, Violation,
};

use super::bitmap::Bitmap;
use super::config::PartitionConfig;
use crate::misuse::{self, CHECKED, MisuseKind};
use crate::reservation::GuardedReservation;

/// An address range that gives pages, lowest addresses first, and takes them back; see the [module](super).
///
/// ```
/// use stratalloc_resource::{MemoryResource, Owns};
/// use stratalloc_strategies::frame::{Frame, Speed};
/// use stratalloc_strategies::partition::{PartitionConfig, PartitionRange};
///
/// let range = PartitionRange::new(PartitionConfig::new(16 << 20))?;
/// let frame = Frame::<Speed, _>::growing(&range);
/// let name = frame.alloc_str("in a range of its own");
/// assert!(range.owns(name.as_ptr()) && range.committed() > 0);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
// Equations, checked by `validate`:
// PART-1  used pages == live pages
// PART-2  edge ≤ pages
// Invariant RANGE: of the pages of `reservation` those whose bit is set are committed and in a live block; the others are nobody's.
pub struct PartitionRange {
    reservation: GuardedReservation,
    map: Bitmap,
    live: Cell<usize>,
    /// Whether the kernel once refused to take pages back: then some free ones may not read as zero.
    stale: Cell<bool>,
}

// SAFETY: the pointers lead to mappings that only this value uses. (Not `Sync`: cells.)
unsafe impl Send for PartitionRange {}

/// The kind of all ranges.
struct PartitionRangeKind;

impl PartitionRange {
    /// Reserves the addresses, and no memory yet. See [`PartitionRange`] for an example.
    ///
    /// # Errors
    ///
    /// [`AllocError::OutOfMemory`] where there is no such range of addresses, [`AllocError::SizeOverflow`] where there cannot be.
    pub fn new(config: PartitionConfig) -> Result<Self, AllocError> {
        let page = page::size();
        let whole = |bytes: usize| bytes.max(1).checked_next_multiple_of(page);
        let bytes = whole(config.bytes).ok_or(AllocError::SizeOverflow)?;
        let guard = config.guards.checked_mul(page).ok_or(AllocError::SizeOverflow)?;
        let both = guard.checked_mul(2).and_then(|guards| guards.checked_add(bytes));
        if both.is_none_or(|whole| whole > isize::MAX.unsigned_abs()) {
            return Err(AllocError::SizeOverflow);
        }
        let map = Bitmap::new(bytes / page)?;
        let reservation = GuardedReservation::new(bytes, guard, page).map_err(|_| AllocError::OutOfMemory)?;
        let reservation = reservation.keeping_addresses(config.keep);
        Ok(Self { reservation, map, live: Cell::new(0), stale: Cell::new(false) })
    }

    /// All that it can ever hand out; live or not. See [`PartitionConfig`] for an example.
    #[must_use]
    pub const fn pages(&self) -> MemoryBlock {
        self.reservation.memory()
    }

    /// Bytes in live blocks: those behind which there may be memory. See [`PartitionRange`] for an example.
    #[must_use]
    pub fn committed(&self) -> usize {
        self.live.get() * page::size()
    }

    /// The pages of a block, as numbers. `len` may be anything between request and block.
    fn numbers(&self, block: MemoryBlock) -> (usize, usize) {
        let first = (block.address() - self.pages().address()) / page::size();
        (first, first + block.len().max(1).div_ceil(page::size()))
    }

    /// Whether a release may go on. What is wrong with it is reported. Always true in a fast build.
    fn admits(&self, block: MemoryBlock) -> bool {
        if !CHECKED {
            return true;
        }
        let wrong = if !self.pages().contains(block.as_ptr()) {
            Some(MisuseKind::ForeignBlock)
        } else if !block.address().is_multiple_of(page::size()) {
            Some(MisuseKind::InteriorPointer)
        } else {
            let (first, end) = self.numbers(block);
            let used = if end <= self.map.count() { self.map.used_in(first, end) } else { 0 };
            (used != end - first).then_some(MisuseKind::DoubleRelease)
        };
        if let Some(kind) = wrong {
            misuse::report("partition", kind, block.address());
        }
        wrong.is_none()
    }

    /// Gives the memory behind pages back; the addresses stay.
    fn decommit(&self, block: MemoryBlock) {
        // SAFETY: RANGE; nobody uses them any more.
        let gone = unsafe { vm::decommit(block.as_non_null(), block.len()) };
        if gone.is_err() {
            // No more mappings: the pages stay accessible, without memory behind them if that at least is granted.
            // SAFETY: as above.
            let purged = unsafe { vm::purge(block.as_non_null(), block.len()) };
            self.stale.set(self.stale.get() || purged.is_err());
        }
    }
}

// SAFETY:
// * Fit: whole pages at an aligned place; any length between request and block tells the same pages;
// * Disjoint: RANGE and the bitmap; Stable: nobody touches pages whose bit is set;
// * Threads: not `Sync`; Errors: values; a commit that is refused leaves the bits alone;
// * Identity: the first page's address, which is this value's as long as it lives.
unsafe impl MemoryResource for PartitionRange {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let page = page::size();
        let count = layout.size().max(1).div_ceil(page);
        // From a page's number to that of the first one at or behind it with an aligned address.
        let align = |number: usize| {
            let address = self.pages().address().checked_add(number.checked_mul(page)?)?;
            Some((address.checked_next_multiple_of(layout.align())? - self.pages().address()) / page)
        };
        let first = self.map.find(count, align).ok_or(AllocError::CapacityExhausted)?;
        // SAFETY: inside the range: `find`.
        let start = unsafe { self.pages().as_non_null().add(first * page) };
        let block = MemoryBlock::new(start, count * page);
        // SAFETY: RANGE.
        unsafe { vm::commit(start, block.len()) }.map_err(|_| AllocError::OutOfMemory)?;
        self.map.set(first, first + count, true);
        self.live.set(self.live.get() + count);
        Ok(block)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _align: Alignment) {
        if !self.admits(block) {
            return;
        }
        let (first, end) = self.numbers(block);
        let whole = MemoryBlock::new(block.as_non_null(), (end - first) * page::size());
        self.decommit(whole);
        self.map.set(first, end, false);
        self.live.set(self.live.get() - (end - first));
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let block = self.allocate(layout)?;
        if self.stale.get() {
            // SAFETY: live and ours, committed.
            unsafe { block.as_ptr().write_bytes(0, block.len()) };
        }
        Ok(block)
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<PartitionRangeKind>(self.pages().address())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("partition range", ThreadSafety::Confined)
            .with_capacity(self.pages().len())
            .with_max_size(self.pages().len())
    }
}

// SAFETY: blocks lie in the range, and nobody else's do, since it is reserved; only addresses are compared.
unsafe impl Owns for PartitionRange {
    #[inline]
    fn owns(&self, ptr: *const u8) -> bool {
        self.pages().contains(ptr)
    }
}

impl Validate for PartitionRange {
    fn validate(&self) -> Result<(), Violation> {
        let (used, live) = (self.map.used_in(0, self.map.count()), self.live.get());
        if used != live {
            return Err(Violation::new("PART-1", "used == live", &["used", "live"], &[used, live]));
        }
        let (edge, pages) = (self.map.edge(), self.map.count());
        if edge > pages || self.map.used_in(edge, pages) != 0 {
            let terms = &["edge", "pages"];
            return Err(Violation::new("PART-2", "used < edge <= pages", terms, &[edge, pages]));
        }
        Ok(())
    }
}

impl fmt::Debug for PartitionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionRange")
            .field("pages", &self.pages())
            .field("committed", &self.committed())
            .finish_non_exhaustive()
    }
}
