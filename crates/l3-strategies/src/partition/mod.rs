//! Isolated address ranges: what was freed in one is never handed out by another.
//!
//! Many attacks on a program, and many of its own mistakes, work because a freed block of one type becomes a live block of
//! another: the dangling pointer then reads and writes a stranger. A partition has a range of addresses to itself, for as long as it
//! lives (or, with [`keeping_addresses`](PartitionConfig::keeping_addresses), for ever), so a dangling pointer can only meet its own kind.
//!
//! ```text
//!            partition of sessions                        partition of the parser
//!   ┌───────┬───────────────────────────────────┬───────┬───────┬──────────────────────┬───────┐
//!   │ guard │ chunk │ free │ chunk │ never used │ guard │ guard │ chunk │ never used   │ guard │
//!   └───────┴───────────────────────────────────┴───────┴───────┴──────────────────────┴───────┘
//!     no      read,   no     read,    no access             one reservation each; pages come when a chunk is taken,
//!   access    write  access  write                          and go back, without their addresses, when it is released
//!
//!   beside it:  bitmap, one bit per page (no overflow of a block reaches it)
//! ```
//!
//! A partition is a strategy over a range that nobody else allocates from. [`PartitionRange`] is that range: a resource of whole pages. What
//! cuts its chunks into blocks is a strategy that exists already, since it needs nothing that TLSF and slabs do not have:
//!
//! | | inside | for |
//! | --- | --- | --- |
//! | [`Partition::general`] | [`GrowingTlsf`] | a subsystem: blocks of any size in constant time, neighbours merge |
//! | [`Partition::of_blocks`] | [`Slab`] | a type: blocks of one size, so that a dangling pointer meets an object of the same type *at the same place* |
//! | [`PartitionRange`] | – | pages, or upstream of any other strategy: `Frame`, `Pool`, `MemPool`, `ObjectCache` |
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate`, `deallocate` | the strategy's: O(1) |
//! | a chunk more or less | one system call (`mprotect`; `mmap`), and a search in the bitmap: a word per 64 pages ever used, a step per gap that is too small |
//! | `owns` | O(1): one subtraction, one comparison |
//! | `collect` | the strategy's search for empty chunks; their pages go back, their addresses stay |
//! | memory | the strategy's; a bit per page; guards are addresses only |
//!
//! **Threads.** One at a time: `Send` but not `Sync`; `Locked` of the modifiers makes it one for many.
//!
//! **When to use it.** For types that attackers reach or that hold secrets (sessions, parsed input, keys, virtual tables), for a
//! plugin or a subsystem whose damage is to stay its own, and for knowing by address what a pointer points to.
//!
//! **When not.** For many small things: each partition keeps chunks that no other can use. It does not find a use after free, it only
//! confines it (`Guarded` and `Tracked` find); what lies in the *same* partition can still meet. With 32-bit addresses reservations are scarce.
//!
//! **Misuse.** As the strategy inside reports it; [`PartitionRange`] itself reports, in a checked build, releases of pages that are not live,
//! foreign ones and pointers into a page. Beyond both ends lie guard pages, if asked for: an overrun out of the partition faults.
//!
//! **Sources.** The idea of a heap per type is that of PartitionAlloc (Chromium), `kalloc_type` (XNU) and the isolated heaps of
//! WebKit's bmalloc; Cling (P. Akritidis, USENIX Security 2010) argues for reusing memory among objects of one type only.

use core::alloc::Layout;
use core::fmt;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Validate,
    Violation,
};

mod bitmap;
mod config;
mod range;

pub use config::PartitionConfig;
pub use range::PartitionRange;

use crate::slab::{Slab, SlabConfig};
use crate::tlsf::GrowingTlsf;

/// A strategy in an address range of its own; see the [module](self).
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_resource::{Alignment, MemoryResource, Owns};
/// use stratalloc_strategies::partition::{Partition, PartitionConfig};
///
/// let config = PartitionConfig::new(64 << 20).with_guards(1);
/// let (sessions, parser) = (Partition::general(config)?, Partition::general(config)?);
/// let layout = Layout::new::<[u8; 100]>();
/// let session = sessions.allocate(layout)?;
/// let address = session.address();
/// // SAFETY: live, not used any more.
/// unsafe { sessions.deallocate(session, Alignment::ONE) };
/// for _ in 0..1000 {
///     assert_ne!(parser.allocate(layout)?.address(), address);
/// }
/// assert!(sessions.owns(session.as_ptr()) && !parser.owns(session.as_ptr()));
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
// Invariant PARTITION: `inner` hands out nothing but parts of chunks from the range that it owns, which spans `range`. (Only the
// constructors below make one, and each gives the strategy that upstream and no other memory.)
pub struct Partition<S = GrowingTlsf<PartitionRange>> {
    range: MemoryBlock,
    inner: S,
}

// SAFETY: `range` is only compared with; the strategy may be sent if it says so.
unsafe impl<S: Send> Send for Partition<S> {}

/// What a general partition takes from its range at a time.
const CHUNK: usize = 64 << 10;

impl Partition {
    /// Blocks of any size. See [`Partition`] for an example.
    ///
    /// # Errors
    ///
    /// Those of [`PartitionRange::new`].
    pub fn general(config: PartitionConfig) -> Result<Self, AllocError> {
        let range = PartitionRange::new(config)?;
        let chunk = CHUNK.min(range.pages().len());
        Ok(Self { range: range.pages(), inner: GrowingTlsf::new(range, chunk)? })
    }
}

impl Partition<Slab<'static, PartitionRange>> {
    /// Blocks of one size: a partition for a type.
    ///
    /// ```
    /// use stratalloc_resource::Owns;
    /// use stratalloc_strategies::partition::{Partition, PartitionConfig};
    /// use stratalloc_strategies::slab::SlabConfig;
    ///
    /// struct Session([u64; 12]);
    /// let sessions = Partition::of_blocks(PartitionConfig::new(1 << 20), SlabConfig::of::<Session>())?;
    /// let block = sessions.inner().take()?;
    /// assert!(sessions.owns(block.as_ptr()));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`PartitionRange::new`] and of [`Slab::growing`].
    pub fn of_blocks(config: PartitionConfig, blocks: SlabConfig) -> Result<Self, AllocError> {
        let range = PartitionRange::new(config)?;
        Ok(Self { range: range.pages(), inner: Slab::growing(blocks, range)? })
    }
}

impl<S> Partition<S> {
    /// The strategy, for what it can do beside the contract; see [`of_blocks`](Partition::of_blocks).
    #[must_use]
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The addresses of the partition, without guards: those of its blocks, past, present and to come.
    ///
    /// ```
    /// use stratalloc_strategies::partition::{Partition, PartitionConfig};
    ///
    /// let partition = Partition::general(PartitionConfig::new(1 << 20))?;
    /// assert_eq!(partition.addresses().len(), 1 << 20);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn addresses(&self) -> core::ops::Range<usize> {
        self.range.address()..self.range.end_address()
    }
}

// SAFETY: every clause is the strategy's, to which all is passed on.
unsafe impl<S: MemoryResource> MemoryResource for Partition<S> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.inner.allocate(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { self.inner.deallocate(block, align) };
    }

    #[inline]
    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        unsafe { self.inner.reallocate(block, new_size, align) }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.inner.allocate_zeroed(layout)
    }

    fn identity(&self) -> ResourceId {
        self.inner.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        let mut info = self.inner.info();
        info.name = "partition";
        info.with_capacity(self.range.len())
    }
}

// SAFETY: PARTITION: blocks lie in the range, and nobody else's do, since it is reserved; only addresses are compared.
unsafe impl<S: MemoryResource> Owns for Partition<S> {
    #[inline]
    fn owns(&self, ptr: *const u8) -> bool {
        self.range.contains(ptr)
    }
}

impl<S: Collect> Collect for Partition<S> {
    /// Gives the pages of empty chunks back to the system; their addresses stay the partition's.
    fn collect(&self) -> usize {
        self.inner.collect()
    }
}

impl Validate for Partition {
    fn validate(&self) -> Result<(), Violation> {
        self.inner.validate()?;
        self.inner.upstream().validate()
    }
}

impl Validate for Partition<Slab<'static, PartitionRange>> {
    fn validate(&self) -> Result<(), Violation> {
        self.inner.validate()?;
        self.inner.upstream().validate()
    }
}

impl<S: fmt::Debug> fmt::Debug for Partition<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition").field("range", &self.range).field("inner", &self.inner).finish()
    }
}
