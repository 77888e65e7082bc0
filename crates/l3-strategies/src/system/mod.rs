//! Pages of the operating system, one mapping per block: the last resort.
//!
//! ```text
//!   block            size of the request            rounding
//!   ├─ page ─┼─ page ─┼─ page ─┼─ page ─┼─ pa│ge ─┤◄───────┤    no header, no table: the release tells start and length
//!   ▲ aligned to a page, or to more if the request says so
//!
//!   PARKED ──► range that the kernel would not unmap ──► …      tried again by collect, and before a request fails
//! ```
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate` | one `mmap` (up to four for alignments above a page), and a page fault for each page at its first touch |
//! | `allocate_zeroed` | the same: fresh pages are zero |
//! | `deallocate` | one `munmap` |
//! | `reallocate` | nothing within the last page; else one `mremap`, which moves page tables and copies no byte; alignments above a page copy |
//! | memory | rounding to whole pages; the kernel's page tables |
//!
//! On Windows a reservation is the unit, of 64 KiB of addresses at least, and there is no `mremap`: growth and shrinking by pages copy.
//!
//! **Threads.** Any thread may do anything at any time: there is nothing here to share but the kernel, and a lock-free list of
//! parked ranges that is empty unless the process has reached its limit of mappings.
//!
//! **When to use it.** As the last link of a [`Fallback`][fb], as upstream of what takes large chunks (`GrowingTlsf`, frames,
//! pools), and for a few large blocks that should go back to the system when they are released.
//!
//! **When not.** For anything small or frequent: 8 bytes take a page, and a microsecond or more.
//!
//! **Misuse.** A wrong release unmaps what it names, which is undefined behaviour in the fast build. With debug assertions or the
//! feature `checked` a release of what is no longer mapped, and of what does not begin at a page, is reported as a
//! [`Misuse`](crate::Misuse). A foreign page, and one that has been mapped anew since, cannot be recognised: this resource has no memory
//! of its own of what it gave, hence no `Owns`.
//!
//! The layers below are described in `stratalloc_platform::vm`.
//!
//! [fb]: https://docs.rs/stratalloc-modifiers

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use stratalloc_platform::{page, vm};
use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety,
    reallocate_by_moving,
};

use crate::misuse::{self, CHECKED, Inspect, MisuseKind};

mod parked;

/// Pages of the operating system as a resource; see the [module](self).
///
/// All values are the same one: a block of one may be released through another.
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_resource::{Alignment, MemoryResource};
/// use stratalloc_strategies::system::System;
///
/// let block = System.allocate_zeroed(Layout::new::<[u8; 10_000]>())?;
/// assert!(block.len() >= 10_000 && block.len() % 4096 == 0);
/// // SAFETY: live, with this alignment.
/// let larger = unsafe { System.reallocate(block, 1 << 20, Alignment::ONE)? };
/// // SAFETY: live, with this alignment; not used any more.
/// unsafe { System.deallocate(larger, Alignment::ONE) };
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct System;

impl System {
    /// The bytes of address space that the kernel would not take back: it refuses to cut a mapping in two when the process has as
    /// many as it may have. Their pages were given back as far as possible. [`collect`](Collect::collect) tries again.
    ///
    /// ```
    /// use stratalloc_strategies::system::System;
    ///
    /// assert_eq!(System::parked(), 0);
    /// ```
    #[must_use]
    pub fn parked() -> usize {
        parked::bytes()
    }
}

/// The length of a block for `size` bytes: whole pages, at least one.
#[inline]
pub(crate) fn whole_pages(size: usize) -> Result<usize, AllocError> {
    let mask = page::size() - 1;
    match size.max(1).checked_add(mask) {
        Some(sum) if sum <= isize::MAX.unsigned_abs() => Ok(sum & !mask),
        _ => Err(AllocError::SizeOverflow),
    }
}

/// Maps `len` bytes. Should the system refuse, ranges that it would not take back before may be all that stands in the way.
fn map(len: usize, align: usize) -> Result<MemoryBlock, AllocError> {
    // Charged: whoever comes to the last resort wants to be told now, not killed later.
    let reserve = || vm::reserve(len, align, vm::Access::Charged);
    let start = reserve().or_else(|error| if parked::retry() > 0 { reserve() } else { Err(error) });
    start.map(|start| MemoryBlock::new(start, len)).map_err(|_| AllocError::OutOfMemory)
}

/// Unmaps a range, or parks it.
///
/// # Safety
///
/// The range consists of whole pages that were mapped here, and nobody uses it any more.
pub(crate) unsafe fn unmap(start: NonNull<u8>, len: usize) {
    // SAFETY: this function's contract.
    if unsafe { vm::release(start, len) }.is_err() {
        // SAFETY: still mapped, since the release was refused; still nobody's.
        unsafe { parked::park(start, len) };
    }
}

impl Inspect for System {
    fn inspect(&self, block: MemoryBlock, _align: Alignment) -> Result<(), MisuseKind> {
        let len = whole_pages(block.len()).map_err(|_| MisuseKind::WrongSize)?;
        if !block.address().is_multiple_of(page::size()) {
            return Err(MisuseKind::InteriorPointer);
        }
        // SAFETY: only asked about; the question is whether it is mapped at all, and the answer to that is a value.
        match unsafe { vm::resident(block.as_non_null(), len) } {
            Err(error) if error.is_out_of_memory() => Err(MisuseKind::DoubleRelease),
            _ => Ok(()),
        }
    }
}

/// Whether the release may go on. What is wrong with it is reported.
fn admits(name: &'static str, block: MemoryBlock) -> bool {
    let wrong = if CHECKED { System.inspect(block, Alignment::ONE).err() } else { None };
    if let Some(kind) = wrong {
        misuse::report(name, kind, block.address());
    }
    wrong.is_none()
}

/// Unmaps a block of the resource `name`, whose blocks are mappings of whole pages.
///
/// # Safety
///
/// A live block, not used any more.
pub(crate) unsafe fn take_back(name: &'static str, block: MemoryBlock) {
    if admits(name, block)
        && let Ok(len) = whole_pages(block.len())
    {
        // SAFETY: a live block, whose length is this: this function's contract.
        unsafe { unmap(block.as_non_null(), len) };
    }
}

/// Changes the size of a block of `resource`, called `name`, whose blocks are mappings of whole pages: by the kernel's page tables where
/// the alignment allows, else by moving.
///
/// # Safety
///
/// As for [`MemoryResource::reallocate`].
pub(crate) unsafe fn resize(
    resource: &impl MemoryResource,
    name: &'static str,
    block: MemoryBlock,
    new_size: usize,
    align: Alignment,
) -> Result<MemoryBlock, AllocError> {
    if !admits(name, block) {
        return Err(AllocError::NotOwned);
    }
    let (old, new) = (whole_pages(block.len())?, whole_pages(new_size)?);
    if new == old {
        return Ok(MemoryBlock::new(block.as_non_null(), old));
    }
    // Moved mappings are aligned to a page; one that shrinks stays where it is.
    let may_move = align.bytes() <= page::size();
    // SAFETY: a live block's mapping, which nobody else uses: this function's contract.
    if let Ok(start) = unsafe { vm::remap(block.as_non_null(), old, new, may_move) } {
        return Ok(MemoryBlock::new(start, new));
    }
    // SAFETY: this function's contract.
    unsafe { reallocate_by_moving(resource, block, new_size, align) }
}

// SAFETY:
// * Fit, Disjoint: a mapping of whole pages, aligned by `vm::reserve`; the length follows from any length between request and block;
// * Stable: mappings belong to nobody else; the value has no state;
// * Threads: as the kernel; the list of parked ranges is lock-free and its ranges are in no block;
// * Errors: sizes beyond an address space are refused here, the rest by the kernel, all as values; a failed `mremap` changes nothing;
// * Identity: one static for all values of this library.
unsafe impl MemoryResource for System {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        map(whole_pages(layout.size())?, layout.align())
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { take_back("system", block) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        unsafe { resize(self, "system", block, new_size, align) }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        // Fresh anonymous pages read as zero.
        self.allocate(layout)
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Self>(ptr::from_ref(parked::anchor()).addr())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("system", ThreadSafety::Shared)
    }
}

impl Collect for System {
    /// Tries to unmap what is parked; everything else went back when it was released.
    fn collect(&self) -> usize {
        parked::retry()
    }
}
