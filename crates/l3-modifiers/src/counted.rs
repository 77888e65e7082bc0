//! What came and went, in numbers.
//!
//! ```text
//!   allocations ──┐                                requested bytes ──┐
//!   releases    ──┴─► live = allocations − releases  released bytes ─┴─► live bytes ──► peak bytes
//!   refusals by cause
//! ```
//!
//! A block is shown exactly as long as it was requested: if the real size were told, a release could carry either, and live bytes would
//! drift. So the counts reconcile exactly: when everything was released, live is 0.
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate` | four relaxed atomic operations |
//! | `deallocate` | two |
//! | `reallocate` | three or four |
//! | memory | 13 words in all, none a block |
//!
//! **Threads.** As the resource; counters of a shared one are exact, and a snapshot under way may see an operation half.
//!
//! **When to use it.** To see what a subsystem uses, to compare strategies, in tests that must reconcile.
//!
//! **When not.** On the hottest path of many threads: all share these counters' cache lines. Whoever wants the slack that a resource
//! rounds up puts it below, not around.

use core::alloc::Layout;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Validate,
    Violation,
};

/// The variants of [`AllocError`].
const CAUSES: usize = 7;

/// A resource that counts; see the [module](self).
///
/// It is equal to the resource below, whose blocks it hands out; what goes back there directly is not counted.
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_modifiers::Counted;
/// use stratalloc_resource::{Alignment, FromGlobal, MemoryResource};
///
/// let counted = Counted::new(FromGlobal::new(&std::alloc::System));
/// let block = counted.allocate(Layout::new::<[u8; 100]>())?;
/// let counts = counted.counts();
/// assert_eq!((counts.live_blocks(), counts.live_bytes), (1, 100));
/// // SAFETY: live, with this alignment; not used any more.
/// unsafe { counted.deallocate(block, Alignment::ONE) };
/// let counts = counted.counts();
/// assert_eq!((counts.live_blocks(), counts.live_bytes, counts.peak_bytes), (0, 0, 100));
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Debug, Default)]
pub struct Counted<R> {
    inner: R,
    allocations: AtomicUsize,
    releases: AtomicUsize,
    resizes: AtomicUsize,
    requested: AtomicUsize,
    live: AtomicUsize,
    peak: AtomicUsize,
    refusals: [AtomicUsize; CAUSES],
}

/// The counters of a [`Counted`] at one moment. An example is at [`since`](Self::since).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests that were served.
    pub allocations: usize,
    /// Blocks that were released.
    pub releases: usize,
    /// Reallocations that were served.
    pub resizes: usize,
    /// Bytes of all requests that were served, growth of reallocations included. Wraps.
    pub requested_bytes: usize,
    /// Bytes of the live blocks, as requested.
    pub live_bytes: usize,
    /// The most live bytes that there ever were.
    pub peak_bytes: usize,
    refusals: [usize; CAUSES],
}

impl Counts {
    /// Blocks that are live: allocations − releases.
    ///
    /// An example is at [`Counted`].
    #[must_use]
    pub const fn live_blocks(&self) -> usize {
        self.allocations.wrapping_sub(self.releases)
    }

    /// Requests that were refused, whatever the cause.
    ///
    /// ```
    /// # use core::alloc::Layout;
    /// # use stratalloc_modifiers::Counted;
    /// # use stratalloc_resource::{AllocError, MemoryResource};
    /// # use stratalloc_strategies::tlsf::Tlsf;
    /// let counted = Counted::new(Tlsf::<'_, 24, 32>::new());
    /// assert!(counted.allocate(Layout::new::<u8>()).is_err());
    /// assert_eq!(counted.counts().refusals(), 1);
    /// assert_eq!(counted.counts().refused(AllocError::CapacityExhausted), 1);
    /// assert_eq!(counted.counts().refused(AllocError::OutOfMemory), 0);
    /// ```
    #[must_use]
    pub fn refusals(&self) -> usize {
        self.refusals.iter().sum()
    }

    /// Requests that were refused for this cause. An example is at [`refusals`](Self::refusals).
    #[must_use]
    pub const fn refused(&self, cause: AllocError) -> usize {
        self.refusals[index(cause)]
    }

    /// What happened since an earlier moment; live and peak bytes are those of now.
    ///
    /// ```
    /// # use core::alloc::Layout;
    /// # use stratalloc_resource::{FromGlobal, MemoryResource, OwnedBlock};
    /// use stratalloc_modifiers::Counted;
    ///
    /// let counted = Counted::new(FromGlobal::new(&std::alloc::System));
    /// let kept = OwnedBlock::new(&counted, Layout::new::<u64>())?;
    /// let before = counted.counts();
    /// drop(OwnedBlock::new(&counted, Layout::new::<[u64; 10]>())?);
    /// let frame = counted.counts().since(&before);
    /// assert_eq!((frame.allocations, frame.releases, frame.requested_bytes), (1, 1, 80));
    /// assert_eq!(frame.live_bytes, 8);
    /// # drop(kept);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut refusals = self.refusals;
        for (now, then) in refusals.iter_mut().zip(earlier.refusals) {
            *now = now.wrapping_sub(then);
        }
        Self {
            allocations: self.allocations.wrapping_sub(earlier.allocations),
            releases: self.releases.wrapping_sub(earlier.releases),
            resizes: self.resizes.wrapping_sub(earlier.resizes),
            requested_bytes: self.requested_bytes.wrapping_sub(earlier.requested_bytes),
            refusals,
            ..*self
        }
    }
}

const fn index(cause: AllocError) -> usize {
    match cause {
        AllocError::OutOfMemory => 0,
        AllocError::SizeOverflow => 1,
        AllocError::BadAlignment => 2,
        AllocError::OverBudget(_) => 3,
        AllocError::CapacityExhausted => 4,
        AllocError::NotOwned => 5,
        AllocError::Unsupported => 6,
    }
}

impl<R> Counted<R> {
    /// Counts what `inner` hands out and takes back. See [`Counted`] for an example.
    #[must_use]
    pub const fn new(inner: R) -> Self {
        Self {
            inner,
            allocations: AtomicUsize::new(0),
            releases: AtomicUsize::new(0),
            resizes: AtomicUsize::new(0),
            requested: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            refusals: [const { AtomicUsize::new(0) }; CAUSES],
        }
    }

    /// The resource below.
    ///
    /// ```
    /// use stratalloc_modifiers::Counted;
    ///
    /// assert_eq!(Counted::new("below").inner(), &"below");
    /// ```
    #[must_use]
    pub const fn inner(&self) -> &R {
        &self.inner
    }

    /// The counters now. See [`Counted`] for an example.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicUsize| counter.load(Relaxed);
        Counts {
            // Releases first: nobody then sees more of them than of allocations.
            releases: read(&self.releases),
            allocations: read(&self.allocations),
            resizes: read(&self.resizes),
            requested_bytes: read(&self.requested),
            live_bytes: read(&self.live),
            peak_bytes: read(&self.peak),
            refusals: core::array::from_fn(|cause| read(&self.refusals[cause])),
        }
    }

    /// Counts `bytes` more as requested and live.
    fn add(&self, bytes: usize) {
        self.requested.fetch_add(bytes, Relaxed);
        let live = self.live.fetch_add(bytes, Relaxed).wrapping_add(bytes);
        // Most requests reach no new peak: the load spares the line to others.
        if live > self.peak.load(Relaxed) {
            self.peak.fetch_max(live, Relaxed);
        }
    }

    fn allocated(
        &self,
        answer: Result<MemoryBlock, AllocError>,
        size: usize,
    ) -> Result<MemoryBlock, AllocError> {
        let block = answer.inspect_err(|&error| self.refuse(error))?;
        self.allocations.fetch_add(1, Relaxed);
        self.add(size);
        Ok(MemoryBlock::new(block.as_non_null(), size))
    }

    #[cold]
    fn refuse(&self, error: AllocError) {
        self.refusals[index(error)].fetch_add(1, Relaxed);
    }
}

// SAFETY: every block is the inner resource's, shown at the requested length, which fits; a release carries that length.
unsafe impl<R: MemoryResource> MemoryResource for Counted<R> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.allocated(self.inner.allocate(layout), layout.size())
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        self.releases.fetch_add(1, Relaxed);
        self.live.fetch_sub(block.len(), Relaxed);
        // SAFETY: this function's contract.
        unsafe { self.inner.deallocate(block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        let answer = unsafe { self.inner.reallocate(block, new_size, align) };
        let moved = answer.inspect_err(|&error| self.refuse(error))?;
        self.resizes.fetch_add(1, Relaxed);
        if new_size > block.len() {
            self.add(new_size - block.len());
        } else {
            self.live.fetch_sub(block.len() - new_size, Relaxed);
        }
        Ok(MemoryBlock::new(moved.as_non_null(), new_size))
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.allocated(self.inner.allocate_zeroed(layout), layout.size())
    }

    fn identity(&self) -> ResourceId {
        self.inner.identity()
    }

    fn is_equal(&self, other: &dyn MemoryResource) -> bool {
        self.inner.is_equal(other)
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.inner.info()
    }
}

// SAFETY: the blocks are the inner resource's.
unsafe impl<R: Owns> Owns for Counted<R> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.inner.owns(ptr)
    }
}

impl<R: Collect> Collect for Counted<R> {
    fn collect(&self) -> usize {
        self.inner.collect()
    }
}

impl<R: Validate> Validate for Counted<R> {
    /// COUNT-LIVE: `releases <= allocations`, and no bytes are live without a block; then the inner resource.
    fn validate(&self) -> Result<(), Violation> {
        let counts = self.counts();
        let terms = &["allocations", "releases", "live_bytes"];
        let values = [counts.allocations, counts.releases, counts.live_bytes];
        if counts.releases > counts.allocations || (counts.live_blocks() == 0 && counts.live_bytes != 0) {
            let formula = "releases <= allocations, and no live bytes without a block";
            return Err(Violation::new("COUNT-LIVE", formula, terms, &values));
        }
        self.inner.validate()
    }
}
