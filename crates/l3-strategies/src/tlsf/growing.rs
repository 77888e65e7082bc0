//! TLSF whose pools come from an upstream resource.

use core::alloc::Layout;
use core::cell::Cell;
use core::fmt;
use core::ptr::NonNull;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo,
    ThreadSafety, Validate, Violation, reallocate_by_moving,
};

use super::algorithm::Core;
use super::block::{GRANULE, HEADER, block_size};
use super::pool::{OVERHEAD, Pool};
use super::{COLUMNS, ROWS, TlsfUsage, refusal};
use crate::misuse::{Inspect, MisuseKind};

/// What chunks are aligned to; a pool needs no more.
const CHUNK_ALIGN: Alignment = Alignment::constant::<GRANULE>();

/// [Two-level segregated fit](super) that asks `upstream` for a chunk when it runs out, and gives all of them back when dropped.
///
/// ```text
///   GrowingTlsf ── pools ──► chunk 2 ──► chunk 1 ──► first chunk (names the resource; kept until the drop)
///        └─ upstream: Frame, System, another Tlsf, …
/// ```
///
/// Cost: as [`Tlsf`](super::Tlsf), and one upstream request per chunk; a request larger than a chunk gets a chunk of its size.
/// Released chunks stay until [`collect`](Collect::collect), until no block is live any more, or until the drop: a program that swings
/// around a chunk's edge does not ask upstream each time, and one that released everything is where it was at the start, so over a
/// bounded upstream it gets as far again as it got before. Neither is O(1): they take as long as the upstream does, and `collect` visits every pool.
///
/// ```
/// use core::alloc::Layout;
/// use std::alloc::System;
/// use stratalloc_resource::{Collect, FromGlobal, MemoryResource};
/// use stratalloc_strategies::tlsf::GrowingTlsf;
///
/// let heap: GrowingTlsf<_> = GrowingTlsf::new(FromGlobal::new(&System), 64 * 1024)?;
/// let small = heap.allocate(Layout::new::<u64>())?;
/// let block = heap.allocate(Layout::new::<[u8; 1_000_000]>())?;
/// assert!(heap.usage().total > 1_000_000);
/// // SAFETY: live, from this heap, with this alignment; not used any more.
/// unsafe { heap.deallocate(block, stratalloc_resource::Alignment::ONE) };
/// assert!(heap.collect() > 1_000_000);
/// # let _ = small;
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
pub struct GrowingTlsf<U: MemoryResource, const FLI: usize = ROWS, const SLI: usize = COLUMNS> {
    core: Core<FLI, SLI>,
    upstream: U,
    chunk: usize,
    /// Live blocks.
    live: Cell<usize>,
}

// SAFETY: all pointers lead into chunks that only this value uses; the upstream may be sent if it says so.
unsafe impl<U: MemoryResource + Send, const FLI: usize, const SLI: usize> Send for GrowingTlsf<U, FLI, SLI> {}

impl<U: MemoryResource, const FLI: usize, const SLI: usize> GrowingTlsf<U, FLI, SLI> {
    /// One that grows by `chunk` bytes at a time, and takes the first at once.
    ///
    /// # Errors
    ///
    /// The upstream's, or [`AllocError::Unsupported`] for a chunk too small for a block:
    ///
    /// ```
    /// # use stratalloc_resource::{AllocError, FromGlobal};
    /// use stratalloc_strategies::tlsf::GrowingTlsf;
    ///
    /// let refused = GrowingTlsf::<_>::new(FromGlobal::new(&std::alloc::System), 16);
    /// assert_eq!(refused.err(), Some(AllocError::Unsupported));
    /// ```
    pub fn new(upstream: U, chunk: usize) -> Result<Self, AllocError> {
        let heap = Self { core: Core::new(), upstream, chunk, live: Cell::new(0) };
        heap.grow(chunk)?;
        Ok(heap)
    }

    /// Where the chunks come from.
    ///
    /// ```
    /// # use stratalloc_resource::{AllocError, FromGlobal, MemoryResource};
    /// use stratalloc_strategies::tlsf::GrowingTlsf;
    ///
    /// let heap: GrowingTlsf<_> = GrowingTlsf::new(FromGlobal::new(&std::alloc::System), 4096)?;
    /// assert_eq!(heap.upstream().info().name, "global");
    /// # Ok::<(), AllocError>(())
    /// ```
    #[must_use]
    pub const fn upstream(&self) -> &U {
        &self.upstream
    }

    /// Counts blocks and bytes; O(blocks). An example is at [`TlsfUsage`].
    #[must_use]
    pub fn usage(&self) -> TlsfUsage {
        self.core.usage()
    }

    /// As [`Tlsf::try_deallocate`](super::Tlsf::try_deallocate).
    ///
    /// # Errors
    ///
    /// [`AllocError::NotOwned`] as there.
    ///
    /// # Safety
    ///
    /// As there.
    pub unsafe fn try_deallocate(&self, block: MemoryBlock, align: Alignment) -> Result<(), AllocError> {
        self.core.check_live(block, align)?;
        // SAFETY: a live block starts there: checked, and this function's contract.
        unsafe { self.release(block) };
        Ok(())
    }

    /// Takes a block back, and all chunks but the first with the last one.
    ///
    /// # Safety
    ///
    /// A live block, not used any more.
    #[inline]
    unsafe fn release(&self, block: MemoryBlock) {
        // SAFETY: this function's contract.
        unsafe { self.core.deallocate(block.as_non_null()) };
        self.live.set(self.live.get() - 1);
        if self.live.get() == 0 {
            self.collect();
        }
    }

    /// Takes a chunk of `size` bytes from upstream and makes it a pool.
    fn grow(&self, size: usize) -> Result<(), AllocError> {
        let layout =
            Layout::from_size_align(size, CHUNK_ALIGN.bytes()).map_err(|_| AllocError::SizeOverflow)?;
        let chunk = self.upstream.allocate(layout)?;
        // One chunk is one pool, so that it can go back as one: what it has beyond the largest block stays unused.
        // SAFETY: the chunk is ours until it is given back, which is after its pool was taken out.
        if unsafe { self.core.add_one(chunk) }.is_none() {
            // SAFETY: live, from upstream, with this alignment, and not used.
            unsafe { self.upstream.deallocate(chunk, CHUNK_ALIGN) };
            return Err(AllocError::Unsupported);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn allocate_growing(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        if !Core::<FLI, SLI>::can_ever(layout.size(), layout.align()) {
            return Err(refusal::<FLI, SLI>(layout));
        }
        // `can_ever` bounds the sum by the largest block, far below overflow.
        let block = block_size(layout.size()).ok_or(AllocError::SizeOverflow)?;
        let need = block + layout.align() + GRANULE + OVERHEAD;
        let usual = need.max(self.chunk);
        let grown = self.grow(usual).or_else(|error| if usual > need { self.grow(need) } else { Err(error) });
        // Empty chunks of the wrong size may be all that stands in the way.
        grown.or_else(|error| if self.collect() > 0 { self.grow(need) } else { Err(error) })?;
        self.core.allocate(layout).ok_or_else(|| refusal::<FLI, SLI>(layout))
    }

    /// Gives a pool back that is in no list any more.
    ///
    /// # Safety
    ///
    /// No block of the pool is live or in a bin.
    unsafe fn give_back(&self, pool: &Pool) -> usize {
        // SAFETY: `origin` is the block that `grow` got, with its length and alignment, and nobody uses it any more.
        unsafe { self.upstream.deallocate(pool.origin, CHUNK_ALIGN) };
        pool.origin.len()
    }
}

impl<U: MemoryResource, const FLI: usize, const SLI: usize> Drop for GrowingTlsf<U, FLI, SLI> {
    fn drop(&mut self) {
        let mut next = self.core.pools.get();
        while let Some(record) = next {
            // SAFETY: records stay until their chunk is given back, which is below.
            let pool = unsafe { record.read() };
            next = pool.next;
            // SAFETY: whoever drops a resource promises that its blocks are not used any more.
            unsafe { self.give_back(&pool) };
        }
    }
}

impl<U: MemoryResource, const FLI: usize, const SLI: usize> Collect for GrowingTlsf<U, FLI, SLI> {
    fn collect(&self) -> usize {
        let mut given = 0;
        let mut before: Option<NonNull<Pool>> = None;
        let mut next = self.core.pools.get();
        while let Some(record) = next {
            // SAFETY: in the list: POOL.
            let pool = unsafe { record.read() };
            next = pool.next;
            // SAFETY: the first block of a pool: POOL.
            let empty = unsafe { pool.first.is_free() };
            // SAFETY: as above; MERGED: an empty pool is one free block.
            let empty = empty && unsafe { pool.first.size() } == pool.span();
            // The oldest chunk names the resource.
            if !empty || next.is_none() {
                before = Some(record);
                continue;
            }
            // SAFETY: free, so in a bin.
            unsafe { self.core.bins.remove(pool.first, pool.span()) };
            match before {
                // SAFETY: in the list; only the link changes.
                Some(before) => unsafe { (*before.as_ptr()).next = next },
                None => self.core.pools.set(next),
            }
            // SAFETY: no block is live, and its only one left the bin.
            given += unsafe { self.give_back(&pool) };
        }
        given
    }
}

// SAFETY: as for `Tlsf`, whose core this is; chunks are exclusive by the upstream's Disjoint and stay until no block is in
// them. Identity: the first chunk stays until the drop. No lock is held while the upstream is called, and the core is at rest then.
unsafe impl<U: MemoryResource, const FLI: usize, const SLI: usize> MemoryResource
    for GrowingTlsf<U, FLI, SLI>
{
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let block = match self.core.allocate(layout) {
            Some(block) => block,
            None => self.allocate_growing(layout)?,
        };
        self.live.set(self.live.get() + 1);
        Ok(block)
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        if self.core.admits(block, align) {
            // SAFETY: a live block of ours: this function's contract.
            unsafe { self.release(block) };
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        if !self.core.admits(block, align) {
            return Err(AllocError::NotOwned);
        }
        // SAFETY: a live block of ours: this function's contract.
        if let Some(resized) = unsafe { self.core.resize(block.as_non_null(), new_size) } {
            return Ok(resized);
        }
        // SAFETY: this function's contract.
        unsafe { reallocate_by_moving(self, block, new_size, align) }
    }

    fn identity(&self) -> ResourceId {
        self.core.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        let upstream = self.upstream.info();
        let own = Core::<FLI, SLI>::MAX_BLOCK - HEADER;
        let most = upstream.max_size.map_or(own, |size| own.min(size.saturating_sub(OVERHEAD + GRANULE)));
        let info = ResourceInfo::new("growing tlsf", ThreadSafety::Confined).with_max_size(most);
        match upstream.capacity {
            Some(capacity) => info.with_capacity(capacity),
            None => info,
        }
    }
}

// SAFETY: live blocks lie between first header and sentinel of a pool, and nobody else's do; only addresses are compared.
unsafe impl<U: MemoryResource, const FLI: usize, const SLI: usize> Owns for GrowingTlsf<U, FLI, SLI> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.core.pools().any(|pool| pool.contains(ptr.addr()))
    }
}

impl<U: MemoryResource, const FLI: usize, const SLI: usize> Inspect for GrowingTlsf<U, FLI, SLI> {
    fn inspect(&self, block: MemoryBlock, align: Alignment) -> Result<(), MisuseKind> {
        self.core.inspect(block, align)
    }
}

impl<U: MemoryResource, const FLI: usize, const SLI: usize> Validate for GrowingTlsf<U, FLI, SLI> {
    fn validate(&self) -> Result<(), Violation> {
        self.core.validate()
    }
}

impl<U: MemoryResource, const FLI: usize, const SLI: usize> fmt::Debug for GrowingTlsf<U, FLI, SLI> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrowingTlsf")
            .field("chunk", &self.chunk)
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}
