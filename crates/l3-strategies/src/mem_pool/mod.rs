//! Blocks of any size in two levels: small ones from pools of powers of two, large ones from upstream.
//!
//! ```text
//!   MemPool  16   stack of free blocks ─► block ─► block ─► ∅      and the fresh end of the class's youngest chunk
//!            32   stack ─► block ─► ∅
//!            …
//!          4096   stack ─► ∅
//!          large ──────────────────────────────────────────────► upstream, whole pages
//!
//!   chunk (64 KiB, aligned to that, of one class): │ number │ links │ pad │ block │ block │ block │ …
//! ```
//!
//! Each class is a lock-free stack of block numbers, whose links lie beside the blocks and not in them, as in
//! [`lock_free_pool`](crate::lock_free_pool). The start of a block's chunk follows from its address, and the chunk's place from its number.
//! `lists.rs` and `directory.rs` have the invariants and the memory orderings.
//!
//! A request counts as the larger of its size and alignment, rounded up to a power of two; that is also what a block is aligned
//! to. All bounds are parameters of the type: the smallest and the largest class, the length of a chunk, and of a page.
//!
//! | operation | cost |
//! | --- | --- |
//! | allocate, deallocate: small | O(1): the class by one instruction, two atomic exchanges, one, on one cache line; repeated for each thread that was faster |
//! | a class has no free block | a fresh one, one more exchange; else a chunk: a spare one or an upstream request, and its links cleared |
//! | allocate, deallocate: large | an upstream request or release |
//! | reallocate | nothing within the block's length; else a move |
//! | memory | 4 bytes of link per block; up to half of a block is rounding; a chunk belongs to its class while anybody uses that |
//!
//! When upstream refuses a request, the chunks of all classes in which no block is live change hands: they serve the class that asked,
//! or go upstream, except for the first, before the request is made again. A class is closed for that moment: whoever wants a block of it
//! waits a little, and is refused if that does not end. Large blocks that are live at the drop are not given back: release them before, or
//! let upstream end with the pool.
//!
//! **Threads:** every operation from every thread, if upstream allows that; a block may be released by any thread. Lock-free, but for the
//! closing of classes and what upstream does. Needs 64-bit atomics. At most 2²⁰ chunks with the default bounds: 64 GiB of small blocks.
//!
//! **Use it** for many small blocks of few sizes and some large ones, made and ended by any thread. **Use something else** for one size
//! ([`lock_free_pool`](crate::lock_free_pool)), in one thread ([`pool`](crate::pool)), where memory is short (a [`tlsf`](crate::tlsf)
//! heap), and when many threads do little else than take and give: they share a cache line per class, and a heap with a cache per
//! thread is faster then. Upstream has to serve chunks that are aligned to their length: [`buddy`](crate::buddy) and
//! [`system`](crate::system) do so without waste, a heap of any sizes does not.
//!
//! **Source:** segregated storage by powers of two is folklore: Kingsley's allocator of 4.2BSD, 1982; McKusick and Karels, *Design of
//! a general purpose memory allocator for the 4.3BSD UNIX kernel*, USENIX Summer 1988, for large blocks in pages. The lists: Treiber,
//! *Systems programming: coping with parallelism*, 1986.
//!
//! ```
//! use core::alloc::Layout;
//! use stratalloc_resource::{FromGlobal, MemoryResource};
//! use stratalloc_strategies::mem_pool::MemPool;
//!
//! let pool: MemPool<_> = MemPool::new(FromGlobal::new(&std::alloc::System))?;
//! std::thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| assert_eq!(pool.allocate(Layout::new::<[u8; 100]>()).unwrap().len(), 128));
//!     }
//! });
//! assert_eq!(pool.usage().live_small, 4);
//! let large = pool.allocate(Layout::new::<[u8; 10_000]>())?;
//! assert_eq!((large.len(), large.address() % 4096), (12_288, 0));
//! # // SAFETY: live, not used.
//! # unsafe { pool.deallocate(large, stratalloc_resource::Alignment::ONE) };
//! # Ok::<(), stratalloc_resource::AllocError>(())
//! ```

mod blocks;
mod chunk;
mod directory;
mod lists;
mod resource;
mod validate;

use core::fmt;
use core::ptr::NonNull;

use stratalloc_primitives::primitive::atomic::{AtomicU32, AtomicUsize, Ordering};
use stratalloc_resource::{Alignment, AllocError, MemoryResource};

use chunk::LINKS;
pub(crate) use directory::Directory;
use directory::List;
pub(crate) use lists::Lists;

/// No type has more classes.
const CLASSES: usize = 32;

/// The link of a block that is with a caller; written in checked builds only.
const LIVE: u32 = u32::MAX;
/// The link of a block that is being given back.
const RETURNING: u32 = u32::MAX - 1;

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
// Equations, checked by `validate` (while no other operation runs):
// MEM-1  each free block is one of a chunk of its class, and not fresh
// MEM-2  in each class: the chunks' blocks == live + free + fresh
// Invariant MEM-POOL: a small block is live, free (in its class's stack, once) or fresh: LIST-ONE.
pub struct MemPool<
    U: MemoryResource,
    const SMALLEST: usize = 16,
    const LARGEST: usize = 4096,
    const CHUNK: usize = 65_536,
    const PAGE: usize = 4096,
> {
    classes: [Lists; CLASSES],
    directory: Directory,
    live_large: AtomicUsize,
    /// The address of the first chunk, which stays: the identity.
    name: usize,
    upstream: U,
}

// SAFETY: all pointers lead into memory that only this value uses; the upstream may be sent if it says so.
unsafe impl<U: MemoryResource + Send, const S: usize, const L: usize, const C: usize, const P: usize> Send
    for MemPool<U, S, L, C, P>
{
}
// SAFETY: shared are atomics, and chunks whose bytes are with one thread: LIST-ONE for blocks, LIST-CLOSED and PLACE-ONE for whole
// chunks. Upstream is called from any thread, which it allows.
unsafe impl<U: MemoryResource + Sync, const S: usize, const L: usize, const C: usize, const P: usize> Sync
    for MemPool<U, S, L, C, P>
{
}

impl<U: MemoryResource, const SMALLEST: usize, const LARGEST: usize, const CHUNK: usize, const PAGE: usize>
    MemPool<U, SMALLEST, LARGEST, CHUNK, PAGE>
{
    /// Every bound is checked when the type is used first; a wrong one does not compile.
    const BOUNDS: () = {
        assert!(SMALLEST.is_power_of_two() && LARGEST.is_power_of_two(), "classes are powers of two");
        assert!(CHUNK.is_power_of_two() && PAGE.is_power_of_two(), "chunks and pages are powers of two");
        assert!(8 <= SMALLEST && SMALLEST <= LARGEST, "a link is at most half of a block");
        assert!(Self::COUNT <= CLASSES, "more classes than there may be");
        assert!(
            CHUNK >= 2 * LARGEST && CHUNK <= 1 << 30,
            "a chunk holds its head and a block, in at most 1 GiB"
        );
        assert!(LARGEST >= LINKS + size_of::<AtomicU32>(), "the head of a chunk takes no more than a block");
    };

    /// How many classes there are.
    const COUNT: usize = (LARGEST.ilog2() - SMALLEST.ilog2()) as usize + 1;
    /// What chunks are aligned to: the start of a block's chunk follows from its address.
    const CHUNK_ALIGN: Alignment = Alignment::constant::<CHUNK>();
    /// The index of a block: the number of its chunk, then its own number there in these bits.
    const BLOCK_BITS: u32 = CHUNK.ilog2() - SMALLEST.ilog2();
    const BLOCK_MASK: u32 = (1 << Self::BLOCK_BITS) - 1;
    /// So that no link is `LIVE` or `RETURNING`, and each number has a place.
    const MOST_CHUNKS: u32 = {
        let indices = (u32::MAX >> Self::BLOCK_BITS) - 1;
        if indices > directory::MOST { directory::MOST } else { indices }
    };

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
    /// Bounds without sense do not compile:
    /// ```compile_fail,E0080
    /// # use stratalloc_resource::FromGlobal;
    /// # use stratalloc_strategies::mem_pool::MemPool;
    /// // A chunk that is no power of two.
    /// let pool = MemPool::<_, 32, 1024, 9000>::new(FromGlobal::new(&std::alloc::System));
    /// ```
    ///
    /// # Errors
    ///
    /// The upstream's.
    pub fn new(upstream: U) -> Result<Self, AllocError> {
        const { Self::BOUNDS };
        let mut pool = Self {
            classes: core::array::from_fn(|_| Lists::new()),
            directory: Directory::new(),
            live_large: AtomicUsize::new(0),
            name: 0,
            upstream,
        };
        let first = pool.request_chunk()?;
        pool.name = pool.directory.place(first).start.load(Ordering::Relaxed).addr();
        pool.directory.push(List::Spare, first);
        Ok(pool)
    }

    /// Counts blocks and chunks; while other threads go on, each figure is one of its moment. O(chunks).
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
            live_small: self.classes.iter().map(Lists::users).sum(),
            live_large: self.live_large.load(Ordering::Relaxed),
            chunks: self.chunks().count(),
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
}

impl<U: MemoryResource, const S: usize, const L: usize, const C: usize, const P: usize> Drop
    for MemPool<U, S, L, C, P>
{
    fn drop(&mut self) {
        for number in 0..self.directory.used() {
            let place = self.directory.place(number);
            if let Some(start) = NonNull::new(place.start.load(Ordering::Acquire)) {
                // SAFETY: from `request_chunk`; blocks of a dropped resource are not used any more.
                unsafe { self.give_back(start) };
            }
        }
        // SAFETY: the only upstream there was; the directory goes with the pool.
        unsafe { self.directory.release(&self.upstream) };
    }
}

impl<U: MemoryResource, const S: usize, const L: usize, const C: usize, const P: usize> fmt::Debug
    for MemPool<U, S, L, C, P>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemPool").field("usage", &self.usage()).finish_non_exhaustive()
    }
}
