//! Blocks of one size from a free list, with a way home from other threads.
//!
//! ```text
//!    owner's thread                                        other threads
//!   ┌──────────────────────────────────────────┐          ┌───────────────────────┐
//!   │ Pool  free ─► block ─► block ─► ∅        │          │ PoolRemote            │
//!   │       fresh ─► never used, cut one by one│◄── take ─┤   deallocate: one CAS │
//!   │       regions ─► chunk ─► first memory   │    all   │                       │
//!   └──────────────────────────────────────────┘          └───────────────────────┘
//!                                             returned ─► block ─► block ─► ∅       (a cache line of its own)
//!
//!   region │ head │ block │ block │ block │ …       each a multiple of the alignment, without a header
//! ```
//!
//! A [`Pool`] belongs to one thread at a time, so that its own operations need no atomics. A [`PoolRemote`], which any thread
//! may have, takes blocks back for it: they wait on a lock-free list, and the owner takes all of them at once when its own
//! list is empty.
//!
//! | operation | cost |
//! | --- | --- |
//! | [`take`](Pool::take), [`give`](Pool::give) | eight and five instructions: a list of which only the front is touched |
//! | the list is empty | one swap if something was returned, and a few blocks of it go to the list; else a cut from fresh memory; else an upstream request |
//! | [`PoolRemote`]: release | one compare-and-swap, repeated if another thread was faster |
//! | reallocate | nothing within the block's length; never moves |
//!
//! A block can be a little longer than asked for ([`PoolConfig::block_len`]); there is no header. Chunks stay until the pool is
//! dropped.
//!
//! **Use it** for objects of one type that come and go: particles, nodes, messages that one thread makes and others finish
//! with. **Use something else** when blocks are *made* by many threads ([`LockFreePool`](crate::lock_free_pool)), when sizes
//! differ (a [`tlsf`](crate::tlsf) heap), or when all of them die together (a [`frame`](crate::frame)).
//!
//! **Source:** the free list is folklore (Knuth 1, 2.2.3); fresh memory cut lazily: Kenwright, *Fast efficient fixed-size memory
//! pool*, 2012; returning by a list that only one thread takes from: Leijen's *mimalloc*, 2019.
//!
//! ```
//! use stratalloc_resource::{FromGlobal, OwnedBlock};
//! use stratalloc_strategies::pool::{Pool, PoolConfig};
//!
//! let pool = Pool::growing(PoolConfig::of::<[u8; 1000]>(), FromGlobal::new(&std::alloc::System))?;
//! let block = pool.take()?;
//! // SAFETY: just taken, and owned by the message from now on.
//! let mut message = unsafe { OwnedBlock::from_parts(block, pool.align(), pool.remote()) };
//! std::thread::scope(|scope| {
//!     scope.spawn(move || {
//!         message.as_uninit_mut()[0].write(1);
//!     }); // dropped there, returned to the pool
//! });
//! assert_eq!(pool.usage().live, 0);
//! # Ok::<(), stratalloc_resource::AllocError>(())
//! ```

mod config;
mod free_list;
mod region;
mod remote;
mod resource;
mod return_list;
mod validate;

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

pub use config::PoolConfig;
pub use remote::PoolRemote;
pub(crate) use return_list::ReturnList;

use crate::Fixed;
use free_list::{Free, FreeList};
use region::Region;
use remote::{RETURNED_AT_ONCE, Shared};

/// How many blocks a [`Pool`] has; see [`Pool::usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUsage {
    /// Blocks in callers' hands.
    pub live: usize,
    /// Blocks on the free list.
    pub free: usize,
    /// Blocks that were never used.
    pub fresh: usize,
    /// All there are: `live + free + fresh`.
    pub total: usize,
}

/// A pool of blocks of one size; see the [module](self).
// Equations, checked by `validate`:
// POOL-1  each free block is one of a region, at a multiple of `len` from its first, and not fresh
// POOL-2  free + fresh ≤ total, which is the sum of the regions' counts (so the list has no cycle)
// POOL-3  fresh memory is the end of the youngest region
// Invariant POOL: a block is live, free (in one list, once) or fresh; free and fresh ones are the pool's alone.
pub struct Pool<'m, U: MemoryResource = Fixed> {
    free: FreeList,
    // What other threads returned and the owner has taken, but not put to the free blocks yet: linked from each block to the next.
    arrived: Cell<Option<NonNull<Free>>>,
    fresh: Cell<NonNull<u8>>,
    fresh_count: Cell<usize>,
    regions: Cell<Option<NonNull<Region>>>,
    total: Cell<usize>,
    // `len` alone, as the contract's size classes want it.
    len: [usize; 1],
    // The address of the first region, which stays: the identity.
    name: usize,
    config: PoolConfig,
    upstream: U,
    shared: Shared,
    memory: PhantomData<&'m mut [MaybeUninit<u8>]>,
}

// SAFETY: all pointers lead into memory that only this value uses, and `Shared` into blocks that were returned; the upstream
// may be sent if it says so. (Not `Sync`: the lists are the owner's.)
unsafe impl<U: MemoryResource + Send> Send for Pool<'_, U> {}

impl<'m> Pool<'m> {
    /// A pool over `memory`, that never grows.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use stratalloc_resource::AllocError;
    /// use stratalloc_strategies::pool::{Pool, PoolConfig};
    ///
    /// let mut memory = [MaybeUninit::uninit(); 1000];
    /// let pool = Pool::over(PoolConfig::of::<[u64; 4]>(), &mut memory)?;
    /// let mut blocks = 0;
    /// while pool.take().is_ok() {
    ///     blocks += 1;
    /// }
    /// assert!(blocks >= 28 && pool.take() == Err(AllocError::CapacityExhausted));
    /// # Ok::<(), AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] if the memory is too small for a head (of a few words) and a block,
    /// [`AllocError::SizeOverflow`] if no memory is large enough.
    pub fn over(config: PoolConfig, memory: &'m mut [MaybeUninit<u8>]) -> Result<Self, AllocError> {
        let pool = Self::empty(config, Fixed)?;
        let memory = MemoryBlock::new(NonNull::from(&mut *memory).cast(), memory.len());
        // SAFETY: borrowed mutably for as long as the pool.
        unsafe { pool.add_region(memory, config.max_blocks()) }.ok_or(AllocError::CapacityExhausted)?;
        Ok(pool.named())
    }
}

impl<U: MemoryResource> Pool<'static, U> {
    /// A pool that takes chunks from `upstream`, the first now; see [`PoolConfig::with_chunk_blocks`].
    ///
    /// # Errors
    ///
    /// The upstream's.
    pub fn growing(config: PoolConfig, upstream: U) -> Result<Self, AllocError> {
        let pool = Self::empty(config, upstream)?;
        pool.grow()?;
        Ok(pool.named())
    }
}

impl<U: MemoryResource> Pool<'_, U> {
    fn empty(config: PoolConfig, upstream: U) -> Result<Self, AllocError> {
        Ok(Self {
            free: FreeList::new(),
            arrived: Cell::new(None),
            fresh: Cell::new(NonNull::dangling()),
            fresh_count: Cell::new(0),
            regions: Cell::new(None),
            total: Cell::new(0),
            len: [config.block_len()?],
            name: 0,
            config,
            upstream,
            shared: Shared::new(),
            memory: PhantomData,
        })
    }

    fn named(mut self) -> Self {
        self.name = self.regions.get().map_or(0, |region| region.addr().get());
        self
    }

    /// The real size of each block; see [`PoolConfig::block_len`]. See [`PoolConfig`] for an example.
    #[must_use]
    pub const fn block_len(&self) -> usize {
        self.len[0]
    }

    /// The alignment of each block, as it was configured. See the [module](self) for an example.
    #[must_use]
    pub const fn align(&self) -> Alignment {
        self.config.align()
    }

    /// Takes a block.
    ///
    /// ```
    /// # use stratalloc_strategies::pool::{Pool, PoolConfig};
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 1000];
    /// let pool = Pool::over(PoolConfig::of::<u32>(), &mut memory)?;
    /// let block = pool.take()?;
    /// // SAFETY: taken just now, not used.
    /// unsafe { pool.give(block.as_non_null()) };
    /// assert_eq!(pool.take()?, block);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] when there are as many as there may be, or the upstream's.
    #[inline(always)]
    pub fn take(&self) -> Result<MemoryBlock, AllocError> {
        // SAFETY: free blocks are the pool's: POOL.
        let start = match unsafe { self.free.pop() } {
            Some(block) => block.cast(),
            None => self.take_elsewhere()?,
        };
        Ok(MemoryBlock::new(start, self.len[0]))
    }

    /// Gives a block back; see [`take`](Self::take).
    ///
    /// # Safety
    ///
    /// `start` is the start of a live block of this pool, and nobody uses it any more.
    #[inline(always)]
    pub unsafe fn give(&self, start: NonNull<u8>) {
        if self.may_return(start) {
            self.put(start.cast());
        }
    }

    #[inline(always)]
    fn put(&self, block: NonNull<Free>) {
        // SAFETY: the pool's from now on, long and aligned enough for a link: `block_len`.
        unsafe { self.free.push(block) };
    }

    /// The free list is empty: a block that was returned, or a fresh one.
    #[cold]
    #[inline(never)]
    fn take_elsewhere(&self) -> Result<NonNull<u8>, AllocError> {
        self.take_returned(RETURNED_AT_ONCE);
        // SAFETY: free blocks are the pool's: POOL.
        if let Some(block) = unsafe { self.free.pop() } {
            return Ok(block.cast());
        }
        if self.fresh_count.get() == 0 {
            self.grow()?;
        }
        let block = self.fresh.get();
        // SAFETY: a region's block, or the end of the last one.
        self.fresh.set(unsafe { block.add(self.len[0]) });
        self.fresh_count.set(self.fresh_count.get() - 1);
        Ok(block)
    }

    /// Gets a chunk from upstream.
    fn grow(&self) -> Result<(), AllocError> {
        let allowed = self.config.max_blocks().saturating_sub(self.total.get());
        let (len, align) = (self.len[0], self.config.align());
        if allowed == 0 {
            return Err(AllocError::CapacityExhausted);
        }
        let wish = self.config.chunk_blocks().min(allowed);
        let memory = match region::request(&self.upstream, wish, len, align) {
            Err(_) if wish > 1 => region::request(&self.upstream, 1, len, align),
            answer => answer,
        }?;
        // SAFETY: upstream's, and ours until the pool is dropped. With at least one block: `request` asked for it.
        unsafe { self.add_region(memory, wish) }.ok_or(AllocError::OutOfMemory)
    }

    /// Makes `memory` a region of at most `most` fresh blocks. Only called while there are no others.
    ///
    /// # Safety
    ///
    /// `memory` is the pool's alone, as long as it lives.
    unsafe fn add_region(&self, memory: MemoryBlock, most: usize) -> Option<()> {
        let next = self.regions.get();
        // SAFETY: this function's contract.
        let region = unsafe { region::make(memory, most, self.len[0], self.config.align(), next) }?;
        // SAFETY: just made.
        let Region { first, count, .. } = unsafe { region.read() };
        self.regions.set(Some(region));
        self.fresh.set(first);
        self.fresh_count.set(count);
        self.total.set(self.total.get() + count);
        Some(())
    }

    /// Counts blocks, after taking back what other threads returned. O(free).
    ///
    /// ```
    /// # use stratalloc_strategies::pool::{Pool, PoolConfig, PoolUsage};
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 1000];
    /// let pool = Pool::over(PoolConfig::of::<u32>().with_max_blocks(10), &mut memory)?;
    /// pool.take()?;
    /// assert_eq!(pool.usage(), PoolUsage { live: 1, free: 0, fresh: 9, total: 10 });
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn usage(&self) -> PoolUsage {
        self.take_returned(usize::MAX);
        let (free, fresh, total) = (self.free_blocks().count(), self.fresh_count.get(), self.total.get());
        PoolUsage { live: total.saturating_sub(free + fresh), free, fresh, total }
    }

    /// The free list; no longer than there are blocks, should it be a ring.
    fn free_blocks(&self) -> impl Iterator<Item = NonNull<Free>> + '_ {
        // SAFETY: free blocks are the pool's: POOL.
        let blocks = unsafe { self.free.iter() };
        blocks.take(self.total.get() + 1)
    }

    /// All regions, the youngest first.
    fn regions(&self) -> impl Iterator<Item = Region> + '_ {
        // SAFETY: REGION.
        let read = |region: NonNull<Region>| unsafe { region.read() };
        core::iter::successors(self.regions.get().map(read), move |region| region.next.map(read))
    }
}

impl<U: MemoryResource> Drop for Pool<'_, U> {
    fn drop(&mut self) {
        let align = region::chunk_align(self.config.align());
        let mut next = self.regions.get();
        while let Some(region) = next {
            // SAFETY: REGION; given back below.
            let region = unsafe { region.read() };
            next = region.next;
            // SAFETY:
            // * a region of a growing pool is a block of upstream, with this alignment; that of a pool over memory goes to `Fixed`,
            //   which does nothing;
            // * blocks of a dropped pool are not used any more.
            unsafe { self.upstream.deallocate(region.origin, align) };
        }
    }
}

impl<U: MemoryResource> fmt::Debug for Pool<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("config", &self.config)
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}
