//! Blocks of any size in two levels: small ones from pools of powers of two, large ones from upstream.
//!
//! ```text
//!   MemPool  16 ─► block ─► block ─► ∅        free blocks of a class, then the fresh end of its youngest chunk
//!            32 ─► block ─► ∅
//!            …
//!          4096 ─► ∅
//!          large ──────────────────────────► upstream, whole pages
//!
//!   chunk (64 KiB, of one class): │ head │ block │ block │ block │ …     each at a multiple of its length
//! ```
//!
//! A request counts as the larger of its size and alignment, rounded up to a power of two; that is also what a block is aligned
//! to. All bounds are parameters of the type: the smallest and the largest class, the length of a chunk, and of a page.
//!
//! | operation | cost |
//! | --- | --- |
//! | allocate, deallocate: small | O(1): the class by one instruction, a list of which only the head is touched |
//! | a class has no free block | a cut from fresh memory; else an upstream request for a chunk |
//! | allocate, deallocate: large | an upstream request or release |
//! | reallocate | nothing within the block's length; else a move |
//! | memory | no headers; up to half of a block is rounding; a chunk belongs to its class |
//!
//! Chunks stay until the drop, or until upstream refuses a request while no small block is live; then all but the first go back.
//! Large blocks that are live at the drop are not given back: release them before, or let upstream end with the pool.
//!
//! **Threads:** one at a time; it may be sent. `Locked` of the modifiers makes it one for many.
//!
//! **Use it** for many small blocks of few sizes and some large ones, where speed matters more than rounding. **Use something
//! else** for one size ([`pool`](crate::pool)), where memory is short or chunks must change their class (a [`tlsf`](crate::tlsf) heap).
//!
//! **Source:** segregated storage by powers of two is folklore: Kingsley's allocator of 4.2BSD, 1982; McKusick and Karels, *Design of
//! a general purpose memory allocator for the 4.3BSD UNIX kernel*, USENIX Summer 1988, for large blocks in pages.
//!
//! ```
//! use core::alloc::Layout;
//! use stratalloc_resource::{FromGlobal, MemoryResource};
//! use stratalloc_strategies::mem_pool::MemPool;
//!
//! let pool: MemPool<_> = MemPool::new(FromGlobal::new(&std::alloc::System))?;
//! assert_eq!(pool.allocate(Layout::new::<[u8; 100]>())?.len(), 128);
//! let large = pool.allocate(Layout::new::<[u8; 10_000]>())?;
//! assert_eq!((large.len(), large.address() % 4096), (12_288, 0));
//! # // SAFETY: live, not used.
//! # unsafe { pool.deallocate(large, stratalloc_resource::Alignment::ONE) };
//! # Ok::<(), stratalloc_resource::AllocError>(())
//! ```

mod chunk;
mod resource;
mod validate;

use core::cell::Cell;
use core::fmt;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

use chunk::Chunk;

/// No type has more classes.
const CLASSES: usize = 32;

/// What a free block begins with.
#[derive(Debug)]
struct Free {
    next: Option<NonNull<Free>>,
}

/// The blocks of one length.
#[derive(Debug, Default)]
struct Class {
    free: Cell<Option<NonNull<Free>>>,
    /// Never used ones, at the end of the class's youngest chunk.
    fresh: Cell<Option<NonNull<u8>>>,
    fresh_count: Cell<usize>,
}

/// How many blocks and chunks a [`MemPool`] has; see [`MemPool::usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemPoolUsage {
    /// Small blocks in callers' hands.
    pub live_small: usize,
    /// Large blocks in callers' hands.
    pub live_large: usize,
    /// Chunks from upstream.
    pub chunks: usize,
}

/// Two levels of pools over `U`; see the [module](self).
// Equations, checked by `validate`:
// MEM-1  each free block lies in a chunk of its class, at a multiple of its length, behind the head, and below fresh memory
// MEM-2  the chunks' blocks == live small + all free + all fresh
// Invariant MEM-POOL: a small block is live, free (in its class's list, once) or fresh.
pub struct MemPool<
    U: MemoryResource,
    const SMALLEST: usize = 16,
    const LARGEST: usize = 4096,
    const CHUNK: usize = 65_536,
    const PAGE: usize = 4096,
> {
    classes: [Class; CLASSES],
    chunks: Cell<Option<NonNull<Chunk>>>,
    /// The first chunk, while it belongs to no class.
    spare: Cell<Option<NonNull<u8>>>,
    live_small: Cell<usize>,
    live_large: Cell<usize>,
    /// The address of the first chunk, which stays: the identity.
    name: usize,
    upstream: U,
}

// SAFETY: all pointers lead into chunks that only this value uses; the upstream may be sent if it says so. (Not `Sync`: cells.)
unsafe impl<U: MemoryResource + Send, const S: usize, const L: usize, const C: usize, const P: usize> Send
    for MemPool<U, S, L, C, P>
{
}

impl<U: MemoryResource, const SMALLEST: usize, const LARGEST: usize, const CHUNK: usize, const PAGE: usize>
    MemPool<U, SMALLEST, LARGEST, CHUNK, PAGE>
{
    /// Every bound is checked when the type is used first; a wrong one does not compile.
    const BOUNDS: () = {
        assert!(SMALLEST.is_power_of_two() && LARGEST.is_power_of_two() && PAGE.is_power_of_two());
        assert!(size_of::<Free>() <= SMALLEST && SMALLEST <= LARGEST, "a free block holds a link");
        assert!(LARGEST.ilog2() - SMALLEST.ilog2() < 32, "more classes than there may be");
        assert!(CHUNK.is_multiple_of(LARGEST) && CHUNK <= 1 << 30, "a chunk is full of blocks");
        assert!(CHUNK >= 2 * LARGEST && LARGEST >= size_of::<Chunk>(), "a chunk holds its head and a block");
    };

    /// What chunks are aligned to, so that each block is to its length.
    const CHUNK_ALIGN: Alignment = Alignment::constant::<LARGEST>();

    /// Pools whose chunks come from `upstream`, the first now.
    ///
    /// ```
    /// use stratalloc_resource::FromGlobal;
    /// use stratalloc_strategies::mem_pool::MemPool;
    ///
    /// // Classes from 32 to 1024, chunks of 8 KiB, large blocks in units of 512 bytes.
    /// let pool = MemPool::<_, 32, 1024, 8192, 512>::new(FromGlobal::new(&std::alloc::System))?;
    /// assert_eq!(pool.usage().chunks, 1);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The upstream's.
    pub fn new(upstream: U) -> Result<Self, AllocError> {
        const { Self::BOUNDS };
        let first = Self::request_chunk(&upstream)?;
        Ok(Self {
            classes: [const { Class { free: Cell::new(None), fresh: Cell::new(None), fresh_count: Cell::new(0) } };
                CLASSES],
            chunks: Cell::new(None),
            spare: Cell::new(Some(first)),
            live_small: Cell::new(0),
            live_large: Cell::new(0),
            name: first.addr().get(),
            upstream,
        })
    }

    /// Counts blocks and chunks. O(chunks).
    ///
    /// ```
    /// # use stratalloc_resource::{FromGlobal, MemoryResource};
    /// # use stratalloc_strategies::mem_pool::{MemPool, MemPoolUsage};
    /// let pool: MemPool<_> = MemPool::new(FromGlobal::new(&std::alloc::System))?;
    /// pool.allocate(core::alloc::Layout::new::<u8>())?;
    /// assert_eq!(pool.usage(), MemPoolUsage { live_small: 1, live_large: 0, chunks: 1 });
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn usage(&self) -> MemPoolUsage {
        MemPoolUsage {
            live_small: self.live_small.get(),
            live_large: self.live_large.get(),
            chunks: self.chunks().count() + usize::from(self.spare.get().is_some()),
        }
    }

    /// The class for a size and an alignment, as the logarithm of its length over `SMALLEST`; `None` for a large block.
    #[inline(always)]
    const fn class_of(size: usize, align: usize) -> Option<usize> {
        let need = if size > align { size } else { align };
        if need > LARGEST {
            return None;
        }
        let need = if need > SMALLEST { need } else { SMALLEST };
        Some(((need - 1).ilog2() + 1 - SMALLEST.ilog2()) as usize)
    }

    /// Takes a block of a class.
    #[inline]
    fn take(&self, index: usize) -> Result<MemoryBlock, AllocError> {
        let class = &self.classes[index];
        let start = match class.free.get() {
            Some(block) => {
                // SAFETY: a free block: MEM-POOL.
                class.free.set(unsafe { block.read() }.next);
                block.cast()
            }
            None => self.take_fresh(index)?,
        };
        self.live_small.set(self.live_small.get() + 1);
        Ok(MemoryBlock::new(start, SMALLEST << index))
    }

    /// Takes a block of a class back.
    ///
    /// # Safety
    ///
    /// `start` is the start of a live block of that class, and nobody uses it any more.
    #[inline]
    unsafe fn put(&self, start: NonNull<u8>, index: usize) {
        let class = &self.classes[index];
        let block = start.cast::<Free>();
        // SAFETY: ours from now on, long and aligned enough for a link: BOUNDS.
        unsafe { block.write(Free { next: class.free.get() }) };
        class.free.set(Some(block));
        self.live_small.set(self.live_small.get() - 1);
    }

    #[cold]
    #[inline(never)]
    fn take_fresh(&self, index: usize) -> Result<NonNull<u8>, AllocError> {
        if self.classes[index].fresh_count.get() == 0 {
            self.grow(index)?;
        }
        let class = &self.classes[index];
        let block = class.fresh.get().ok_or(AllocError::OutOfMemory)?;
        // SAFETY: a fresh block, so its end is in the chunk, or is the chunk's end.
        class.fresh.set(Some(unsafe { block.add(SMALLEST << index) }));
        class.fresh_count.set(class.fresh_count.get() - 1);
        Ok(block)
    }
}

impl<U: MemoryResource, const S: usize, const L: usize, const C: usize, const P: usize> Drop
    for MemPool<U, S, L, C, P>
{
    fn drop(&mut self) {
        self.release_chunks();
        if let Some(first) = self.spare.take() {
            // SAFETY: from `request_chunk`; blocks of a dropped resource are not used any more.
            unsafe { self.give_back(first) };
        }
    }
}

impl<U: MemoryResource, const S: usize, const L: usize, const C: usize, const P: usize> fmt::Debug
    for MemPool<U, S, L, C, P>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemPool").field("usage", &self.usage()).finish_non_exhaustive()
    }
}
