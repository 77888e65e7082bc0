//! Values that can move, reached by handles: sparse chunks are emptied into others and given back.
//!
//! ```text
//!   Handle { index 3, generation 7 } ──► entry 3 │ generation 7 │ cell ──┐ pins │        looked up at each use
//!                                                                     │
//!   chunk  │ head │ cell │ cell │ ▓ value, owner 3 ◄──────────────────┘ │ free ─► free │     before
//!   chunk  │ head │ ▓ │ ▓ │ free │ ▓ │ ▓ │
//!
//!   compact(n):  the sparsest chunk's values move into the fullest others, their entries follow; the empty chunk goes upstream
//!
//!   chunk  │ head │ ▓ │ ▓ │ ▓ moved, owner 3 │ ▓ │ ▓ │                                        after
//! ```
//!
//! Chunks with room are kept in eight lists by how full they are, and those with a pinned value in one of their own, which is filled first.
//! Whoever holds a handle holds no address; `get` gives a reference, and the borrow ends before anything can move.
//!
//! | operation | cost |
//! | --- | --- |
//! | [`insert`](CompactingPool::insert) | O(1): the fullest list with room; without any an upstream request |
//! | [`get`](CompactingPool::get), [`get_mut`](CompactingPool::get_mut) | O(1): an entry, a comparison, the cell |
//! | [`remove`](CompactingPool::remove), [`pin`](CompactingPool::pin), [`unpin`](CompactingPool::unpin) | O(1) |
//! | [`compact(n)`](CompactingPool::compact) | at most `n` cells looked at, each of which is moved at most once; one upstream release per chunk emptied |
//! | memory | 8 bytes per cell, 16 per entry (as many as values were live at one time, until the drop), 40 per chunk |
//!
//! When `compact` says that it is done and nothing is pinned, there are as few chunks as hold the values: `chunks == ⌈live ÷ cells⌉`.
//!
//! **Threads:** one changes it at a time (`&mut self`), many may look (`Sync` if the values are).
//!
//! **Use it** for many values of a type with mixed lifetimes in a program that runs for long: entities, sessions, cache entries,
//! documents; where memory has to go back after a peak although something of it survives. **Use something else** when values must stay where they are
//! ([`slab`](crate::slab), which gives back slabs that happen to become empty; here pinning is for exceptions, such as a value lent to a
//! device), when all go at once ([`frame`](crate::frame)), or when one look-up more per access is too much.
//!
//! **Misuse.** A handle whose value was removed is [`HandleError::Stale`]. So is one of another pool, but for chance (one in 2³²); no handle
//! reaches memory that is not a value of this pool. A generation that has run through all numbers retires its entry.
//!
//! **Source:** handles as in the classic Mac OS memory manager (*Inside Macintosh: Memory*, 1992); chunks emptied from the sparsest as in
//! evacuating collectors (Detlefs et al., *Garbage-first garbage collection*, ISMM 2004), and their problem without handles: Powers et al., *Mesh*, PLDI 2019.
//!
//! ```
//! use stratalloc_resource::FromGlobal;
//! use stratalloc_strategies::compacting_pool::{CompactingPool, HandleError};
//!
//! let mut names = CompactingPool::new(FromGlobal::new(&std::alloc::System)).with_chunk_cells(32);
//! let handles = (0..1000).map(|n| names.insert(format!("name {n}"))).collect::<Result<Vec<_>, _>>()?;
//! for (n, handle) in handles.iter().enumerate().filter(|(n, _)| n % 10 != 0) {
//!     assert_eq!(names.remove(*handle), Ok(format!("name {n}")));
//! }
//! assert_eq!((names.usage().chunks, names.usage().fragmentation()), (32, 902)); // each with three names
//! while !names.compact(16).done {}
//! assert_eq!(names.usage().chunks, 4); // a hundred names
//! assert_eq!(names.get(handles[500]).map(String::as_str), Ok("name 500"));
//! assert_eq!(names.get(handles[501]), Err(HandleError::Stale));
//! # Ok::<(), stratalloc_resource::AllocError>(())
//! ```

mod chunk;
mod compact;
mod entries;
mod handle;
mod lists;
mod validate;

use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use stratalloc_resource::{AllocError, MemoryResource};

pub use compact::Compaction;
pub use handle::{Handle, HandleError};

use crate::tlsf::Tlsf;
use chunk::{Cell, Chunk};
use compact::Source;
use entries::Entries;
use lists::Lists;

/// How many values, cells and chunks there are; see [`CompactingPool::usage`]. An example is at the [module](self).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactingUsage {
    /// Values.
    pub live: usize,
    /// Values that are pinned.
    pub pinned: usize,
    /// Cells, with a value or without: `chunks × cells per chunk`.
    pub cells: usize,
    /// Chunks.
    pub chunks: usize,
    /// Bytes that the chunks have from upstream.
    pub chunk_bytes: usize,
    /// Bytes that the table of handles has from upstream.
    pub table_bytes: usize,
}

impl CompactingUsage {
    /// The share of cells without a value, in thousandths: 0 for a pool without chunks. An example is at the [module](self).
    #[must_use]
    pub const fn fragmentation(&self) -> usize {
        // A thousand times the cells may be more than an address has room for.
        let free = self.cells.saturating_sub(self.live) as u128;
        match (free * 1000).checked_div(self.cells as u128) {
            Some(share) => share as usize,
            None => 0,
        }
    }
}

/// Values that can move; see the [module](self).
///
/// ```
/// use stratalloc_resource::FromGlobal;
/// use stratalloc_strategies::compacting_pool::{CompactingPool, HandleError};
///
/// let mut visits = CompactingPool::new(FromGlobal::new(&std::alloc::System));
/// let anna = visits.insert_with(|| 1_u32)?;
/// *visits.get_mut(anna)? += 1;
///
/// let place = visits.pin(anna)?; // nothing moves it now, so a device may look there
/// assert!(core::ptr::eq(visits.get(anna)?, place.as_ptr()));
/// assert_eq!(visits.remove(anna), Err(HandleError::Pinned));
///
/// visits.unpin(anna)?;
/// assert_eq!((visits.len(), visits.remove(anna)), (1, Ok(2)));
/// assert!(visits.is_empty());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
// Equations, checked by `validate`:
// COMPACT-1  live == Σ live of chunks == entries in use
// COMPACT-2  each cell with a value names an entry that names the cell
// COMPACT-3  a chunk is in the list that its live and pinned values say; all chunks are in one
pub struct CompactingPool<T, U: MemoryResource> {
    entries: Entries<T>,
    lists: Lists<T>,
    chunks: usize,
    live: usize,
    pinned: usize,
    /// Per chunk; at least one.
    cells: u32,
    source: Option<Source<T>>,
    upstream: U,
}

// SAFETY: the pointers lead to chunks and entries that only this value has.
unsafe impl<T: Send, U: MemoryResource + Send> Send for CompactingPool<T, U> {}
// SAFETY: without `&mut` values are only looked at, and the upstream is not called.
unsafe impl<T: Sync, U: MemoryResource + Sync> Sync for CompactingPool<T, U> {}

/// Where the next pool's generations begin.
static SEEDS: AtomicU32 = AtomicU32::new(1);

impl<'m, T> CompactingPool<T, Tlsf<'m>> {
    /// Values in `memory`: chunks and the table of handles come from a [`Tlsf`] heap over it, so what a compaction frees serves either again.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use stratalloc_resource::AllocError;
    /// use stratalloc_strategies::compacting_pool::CompactingPool;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 10_000];
    /// let mut pool = CompactingPool::over(&mut memory)?.with_chunk_cells(8);
    /// let handle = pool.insert([7_u64; 10])?;
    /// let mut count = 1;
    /// while pool.insert([8; 10]).is_ok() {
    ///     count += 1;
    /// }
    /// assert!(count >= 40 && pool.get(handle) == Ok(&[7; 10]));
    /// assert!(pool.upstream().usage().largest_free < 1000); // the heap is as good as full
    /// # Ok::<(), AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Tlsf::over`].
    pub fn over(memory: &'m mut [MaybeUninit<u8>]) -> Result<Self, AllocError> {
        Tlsf::over(memory).map(Self::new)
    }
}

impl<T, U: MemoryResource> CompactingPool<T, U> {
    /// An empty pool over `upstream`, which is asked when the first value comes. An example is at the [module](self).
    pub fn new(upstream: U) -> Self {
        // Spread, so that handles of one pool are stale in another. Relaxed: any numbers do.
        let seed = SEEDS.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9);
        let cells = u32::try_from(Chunk::<T>::fit(4096).clamp(8, 256)).unwrap_or(8);
        let (entries, lists) = (Entries::new(seed), Lists::new());
        Self { entries, lists, chunks: 0, live: 0, pinned: 0, cells, source: None, upstream }
    }

    /// The same with so many cells per chunk, 1 to 65 536, if it has no chunk yet. By default as many as fit 4 KiB with the chunk's head, 8 to 256. More cells are
    /// fewer upstream requests, fewer cells become empty by themselves sooner. See the [module](self) for an example.
    #[must_use]
    pub fn with_chunk_cells(mut self, cells: u32) -> Self {
        if self.chunks == 0 {
            self.cells = cells.clamp(1, 1 << 16);
        }
        self
    }

    /// Puts `value` into a cell. See the [module](self) for an example.
    ///
    /// # Errors
    ///
    /// The upstream's; the value is dropped then. [`insert_with`](Self::insert_with) makes it only if there is room.
    #[inline]
    pub fn insert(&mut self, value: T) -> Result<Handle<T>, AllocError> {
        self.insert_with(|| value)
    }

    /// Puts what `make` returns into a cell, and calls it only when there is one. See [`CompactingPool`] for an example.
    ///
    /// # Errors
    ///
    /// The upstream's, or [`AllocError::CapacityExhausted`] with 2³² − 64 values.
    #[inline]
    pub fn insert_with(&mut self, make: impl FnOnce() -> T) -> Result<Handle<T>, AllocError> {
        self.entries.reserve(&self.upstream)?;
        let chunk = match self.lists.with_room() {
            Some(chunk) => chunk,
            None => self.grow()?,
        };
        // Before anything changes: it may panic.
        let value = make();
        // SAFETY: a chunk of ours with room.
        let cell = unsafe { self.take_cell(chunk) };
        // SAFETY: a free cell, ours now.
        unsafe { Cell::fill(cell, value) };
        let handle = self.entries.take(cell);
        // SAFETY: as above.
        unsafe { Cell::set_owner(cell, handle.index()) };
        self.live += 1;
        Ok(handle)
    }

    /// The value. See [`CompactingPool`] for an example.
    ///
    /// # Errors
    ///
    /// [`HandleError::Stale`] if it was removed.
    #[inline]
    pub fn get(&self, handle: Handle<T>) -> Result<&T, HandleError> {
        let cell = self.entries.cell(handle)?;
        // SAFETY: a live cell: COMPACT-2; it moves and goes by `&mut self` only.
        Ok(unsafe { Cell::value(cell).as_ref() })
    }

    /// The value, to be changed. See [`CompactingPool`] for an example.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    #[inline]
    pub fn get_mut(&mut self, handle: Handle<T>) -> Result<&mut T, HandleError> {
        let cell = self.entries.cell(handle)?;
        // SAFETY: as for `get`; borrowed from `&mut self`.
        Ok(unsafe { Cell::value(cell).as_mut() })
    }

    /// Takes the value out. Its handle is stale from now on. See [`CompactingPool`] for an example.
    ///
    /// # Errors
    ///
    /// [`HandleError::Stale`] if it was removed before, [`HandleError::Pinned`] if it is pinned.
    #[inline]
    pub fn remove(&mut self, handle: Handle<T>) -> Result<T, HandleError> {
        let cell = self.entries.release(handle)?;
        // SAFETY: a live cell: COMPACT-2; its entry is gone, so this is the last look.
        let value = unsafe { Cell::value(cell).read() };
        // SAFETY: as above.
        unsafe { self.give_cell(cell) };
        self.live -= 1;
        Ok(value)
    }

    /// Keeps the value where it is until as many [`unpin`](Self::unpin)s, and says where: for a device, or for code in C.
    /// See [`CompactingPool`] for an example.
    ///
    /// The pointer is valid until then, for whatever a `&mut T` from [`get_mut`](Self::get_mut) would be good for at that moment.
    ///
    /// # Errors
    ///
    /// [`HandleError::Stale`], or [`HandleError::Pinned`] at the 2³²th pin.
    pub fn pin(&mut self, handle: Handle<T>) -> Result<NonNull<T>, HandleError> {
        let (cell, first) = self.entries.pin(handle)?;
        if first {
            self.pinned += 1;
            // SAFETY: a live cell of ours.
            unsafe { self.change_pins(cell, 1) };
        }
        Ok(Cell::value(cell))
    }

    /// Takes one pin away. See [`CompactingPool`] for an example.
    ///
    /// # Errors
    ///
    /// [`HandleError::Stale`], or [`HandleError::NotPinned`].
    pub fn unpin(&mut self, handle: Handle<T>) -> Result<(), HandleError> {
        let (cell, last) = self.entries.unpin(handle)?;
        if last {
            self.pinned -= 1;
            // SAFETY: a live cell of ours.
            unsafe { self.change_pins(cell, -1) };
        }
        Ok(())
    }

    /// What there is. O(1). See the [module](self) for an example.
    #[must_use]
    pub fn usage(&self) -> CompactingUsage {
        CompactingUsage {
            live: self.live,
            pinned: self.pinned,
            cells: self.chunks * self.cells as usize,
            chunks: self.chunks,
            chunk_bytes: self.chunks * Chunk::<T>::layout(self.cells).map_or(0, |layout| layout.size()),
            table_bytes: self.entries.bytes(),
        }
    }

    /// How many values there are. See [`CompactingPool`] for an example.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Whether there are none. See [`CompactingPool`] for an example.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Where chunks come from. See [`over`](CompactingPool::over) for an example.
    #[must_use]
    pub const fn upstream(&self) -> &U {
        &self.upstream
    }
}

impl<T, U: MemoryResource> Drop for CompactingPool<T, U> {
    fn drop(&mut self) {
        while let Some(chunk) = self.lists.any() {
            // SAFETY: a chunk of ours.
            unsafe { self.lists.remove(chunk) };
            // SAFETY: in no list, and never used again.
            unsafe { Chunk::drop_values(chunk) };
            // SAFETY: as above.
            unsafe { Chunk::release(chunk, &self.upstream) };
        }
        self.entries.release_all(&self.upstream);
    }
}

impl<T, U: MemoryResource> fmt::Debug for CompactingPool<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactingPool").field("usage", &self.usage()).finish_non_exhaustive()
    }
}
