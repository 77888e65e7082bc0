//! Blocks of one size from slabs that grow and shrink by need, and caches of objects that stay constructed.
//!
//! ```text
//!   Slab     magazine  │ block │ block │ … │  take: what came back last, of 16 at most
//!            partial ─► slab ⇄ slab           then from the first of these; then an empty one; then a new one
//!            empty   ─► slab                  kept for later; collect (“reaping”) gives them upstream
//!            full    ─► slab ⇄ slab ⇄ slab    nothing to look for there
//!
//!   a slab:  aligned to its length, so that the address of a block tells where its slab begins
//!   │ colour │ head: free, used, live │ links: 2 bytes per block │ block │ block │ block │ … │ rest │
//!   ◄───────► 0, 64, 128 … from slab to slab, by its address
//! ```
//!
//! Two types share that. [`Slab`] is a resource that hands out bytes. [`ObjectCache`] hands out values of a type: it constructs a
//! value when a block is used for the first time, and a value that comes back is kept as it is for whoever comes next, until its
//! slab is reaped; what is costly to set up (a lock, a table, a buffer that has grown) is set up once. So links lie outside
//! the blocks: a free block keeps its bytes.
//!
//! A slab with live blocks is preferred to one without, so that slabs become empty and can go. The first slab stays until the drop.
//! Up to 16 blocks that came back wait in a magazine and are handed out again before any slab is looked at, whose heads and links then
//! stay out of the cache; their slabs count them as live, until reaping unloads the magazine.
//!
//! | operation | cost |
//! | --- | --- |
//! | [`take`](Slab::take), [`give`](Slab::give) by the magazine | a load or a store, and a length |
//! | when it is empty or full | O(1): a block's number by a mask and a multiplication; a slab that becomes full, partial or empty changes its list |
//! | no slab has a free block | one upstream request for a slab; its memory is touched block by block |
//! | [`collect`](stratalloc_resource::Collect::collect) | one upstream release per empty slab, and the destructors of its objects |
//! | reallocate | nothing within the block's length; never moves |
//! | memory | the head and 2 bytes per block, no header; the magazine keeps at most 16 slabs from being empty, until `collect`; [`usage`](Slab::usage) tells |
//!
//! **Threads:** one at a time. Either type may be sent; neither is `Sync`. `Locked` of the modifiers makes a [`Slab`] one for many.
//!
//! **Use it** for objects of which there are many at one time and few at another, and for those that are costly to construct:
//! connections, sessions, nodes with a table. **Use something else** when chunks may stay until the end ([`pool`](crate::pool):
//! fewer instructions, and any thread returns), when blocks are made by many threads
//! ([`lock_free_pool`](crate::lock_free_pool)), or when sizes differ (a [`tlsf`](crate::tlsf) heap). Upstream has to serve blocks that
//! are aligned to their length of 4 KiB and more: [`buddy`](crate::buddy) does so without waste, a heap of any sizes does not.
//!
//! **Source:** Bonwick, *The slab allocator: an object-caching kernel memory allocator*, USENIX Summer 1994: caches of constructed
//! objects, three states, colouring, reaping. Bonwick and Adams, *Magazines and vmem*, USENIX 2001: one magazine of theirs. Links as an array of small numbers in the slab, as Linux has them.
//!
//! ```
//! use stratalloc_resource::{Collect, FromGlobal};
//! use stratalloc_strategies::slab::{ObjectCache, SlabConfig};
//!
//! let upstream = FromGlobal::new(&std::alloc::System);
//! let lines = ObjectCache::growing(|| String::with_capacity(200), SlabConfig::of::<String>(), upstream)?;
//! let mut line = lines.take()?;
//! line.push_str("GET / HTTP/1.1");
//! line.clear();
//! drop(line); // back to the cache, with its buffer
//! assert_eq!(lines.take()?.capacity(), 200);
//! lines.collect(); // drops the strings that nobody holds
//! # Ok::<(), stratalloc_resource::AllocError>(())
//! ```

mod config;
mod geometry;
mod head;
mod list;
mod magazine;
mod object_cache;
mod reap;
mod resource;
mod slabs;
mod validate;

use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

pub use config::SlabConfig;
pub use object_cache::{Object, ObjectCache};

use crate::Fixed;
use slabs::Slabs;

/// How many blocks and slabs there are; see [`Slab::usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlabUsage {
    /// Blocks in callers' hands.
    pub live: usize,
    /// Blocks that were given back; those of an [`ObjectCache`] hold a value.
    pub free: usize,
    /// Blocks that were not used since their slab was made or reaped.
    pub fresh: usize,
    /// All there are: `live + free + fresh`.
    pub total: usize,
    /// The slabs that have them.
    pub slabs: usize,
    /// Slabs without live blocks, among those.
    pub empty_slabs: usize,
}

/// Blocks of one size in slabs; see the [module](self). See [`over`](Self::over) for an example.
///
/// The bytes of a block stay as they are from its release until it is handed out again or its slab is reaped. A checked build
/// reports releases of blocks that are not live; that takes a walk over the slabs.
pub struct Slab<'m, U: MemoryResource = Fixed> {
    slabs: Slabs<'m, U>,
    // `len` alone, as the contract's size classes want it.
    len: [usize; 1],
    align: Alignment,
}

// SAFETY: all pointers lead into memory that only this value uses; the upstream may be sent if it says so. (Not `Sync`: cells.)
unsafe impl<U: MemoryResource + Send> Send for Slab<'_, U> {}

impl<'m> Slab<'m> {
    /// Slabs in `memory`, as many as fit between multiples of their length, and no others.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use stratalloc_resource::AllocError;
    /// use stratalloc_strategies::slab::{Slab, SlabConfig};
    ///
    /// let mut memory = [MaybeUninit::uninit(); 4096];
    /// let slab = Slab::over(SlabConfig::of::<[u64; 4]>().with_slab_bytes(1024), &mut memory)?;
    /// let mut blocks = 0;
    /// while slab.take().is_ok() {
    ///     blocks += 1;
    /// }
    /// assert!(blocks >= 3 * 28 && slab.take() == Err(AllocError::CapacityExhausted));
    /// # Ok::<(), AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] if no slab fits, [`AllocError::SizeOverflow`] if a slab would have more than 1 GiB.
    pub fn over(config: SlabConfig, memory: &'m mut [MaybeUninit<u8>]) -> Result<Self, AllocError> {
        Slabs::over(&config, memory).map(|slabs| Self::with(&config, slabs))
    }
}

impl<U: MemoryResource> Slab<'static, U> {
    /// Slabs from `upstream`, the first now.
    ///
    /// ```
    /// use stratalloc_resource::{Collect, FromGlobal, MemoryResource};
    /// use stratalloc_strategies::slab::{Slab, SlabConfig};
    ///
    /// let slab = Slab::growing(SlabConfig::of::<[u64; 32]>(), FromGlobal::new(&std::alloc::System))?;
    /// assert_eq!((slab.align().bytes(), slab.upstream().info().name), (8, "global"));
    /// let blocks: Vec<_> = (0..100).map(|_| slab.take()).collect::<Result<_, _>>()?;
    /// assert_eq!(slab.usage().slabs, 7);
    /// for block in blocks {
    ///     // SAFETY: live, not used.
    ///     unsafe { slab.give(block.as_non_null()) };
    /// }
    /// assert_eq!((slab.collect(), slab.usage().slabs), (6 * 4096, 1));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The upstream's, or [`AllocError::SizeOverflow`] if a slab would have more than 1 GiB.
    pub fn growing(config: SlabConfig, upstream: U) -> Result<Self, AllocError> {
        Slabs::growing(&config, upstream).map(|slabs| Self::with(&config, slabs))
    }
}

impl<'m, U: MemoryResource> Slab<'m, U> {
    fn with(config: &SlabConfig, slabs: Slabs<'m, U>) -> Self {
        Self { len: [slabs.geometry.len], slabs, align: config.align }
    }

    /// The real size of each block: the configured one, rounded up to the alignment. See [`SlabConfig`] for an example.
    #[must_use]
    pub const fn block_len(&self) -> usize {
        self.len[0]
    }

    /// The alignment of each block, as it was configured. See [`growing`](Self::growing) for an example.
    #[must_use]
    pub const fn align(&self) -> Alignment {
        self.align
    }

    /// Takes a block.
    ///
    /// ```
    /// # use stratalloc_resource::FromGlobal;
    /// # use stratalloc_strategies::slab::{Slab, SlabConfig};
    /// let slab = Slab::growing(SlabConfig::of::<u64>(), FromGlobal::new(&std::alloc::System))?;
    /// let block = slab.take()?;
    /// // SAFETY: live, 8 bytes long.
    /// unsafe { block.as_ptr().cast::<u64>().write(7) };
    /// // SAFETY: live, not used any more.
    /// unsafe { slab.give(block.as_non_null()) };
    /// assert_eq!(slab.take()?, block);
    /// // SAFETY: live; a free block keeps its bytes.
    /// assert_eq!(unsafe { block.as_ptr().cast::<u64>().read() }, 7);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] when there are as many slabs as there may be, or the upstream's.
    #[inline(always)]
    pub fn take(&self) -> Result<MemoryBlock, AllocError> {
        let slot = self.slabs.take()?;
        Ok(MemoryBlock::new(slot.place, self.len[0]))
    }

    /// Gives a block back; see [`take`](Self::take).
    ///
    /// # Safety
    ///
    /// `start` is the start of a live block of this resource, and nobody uses it any more.
    #[inline(always)]
    pub unsafe fn give(&self, start: NonNull<u8>) {
        if self.may_return(start) {
            // SAFETY: this function's contract.
            unsafe { self.slabs.give(start) };
        }
    }

    /// Where the slabs come from. See [`growing`](Self::growing) for an example.
    #[must_use]
    pub const fn upstream(&self) -> &U {
        &self.slabs.upstream
    }

    /// Counts blocks and slabs; those of the magazine are free. O(slabs).
    ///
    /// ```
    /// # use stratalloc_resource::FromGlobal;
    /// # use stratalloc_strategies::slab::{Slab, SlabConfig};
    /// let slab = Slab::growing(SlabConfig::of::<u64>(), FromGlobal::new(&std::alloc::System))?;
    /// slab.take()?;
    /// let usage = slab.usage();
    /// assert_eq!((usage.live, usage.free, usage.live + usage.fresh), (1, 0, usage.total));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn usage(&self) -> SlabUsage {
        self.slabs.usage()
    }
}

impl<U: MemoryResource> Drop for Slab<'_, U> {
    fn drop(&mut self) {
        self.slabs.release_all(|_| ());
    }
}

impl<U: MemoryResource> fmt::Debug for Slab<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slab")
            .field("block_len", &self.len[0])
            .field("align", &self.align)
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}
