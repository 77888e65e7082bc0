//! [`SmallObject`]: the small domain of a heap as a resource of its own, for the small side of a composition.
//!
//! ```text
//!   request ─► size ≤ max_size, align ≤ max_align? ── no ──► Unsupported, BadAlignment: the composition asks another link
//!                 │ yes
//!                 ▼
//!   thread heaps  │ bin 16 │ bin 32 │ bin 48 │ …            one list of free blocks per size class: the cache of a thread (H = ProcessHeap)
//!                 │ refill ▲                                or one of up to eight that threads lock for an operation (H = Heap)
//!                 ▼        │ slabs that an exited thread left, or that came back full of free blocks
//!   depot         │ slab │ slab │ …                         what no thread owns, per class
//!                 │ none there
//!                 ▼
//!   region        slices of 16 KiB                          free from another thread: into the slab's remote list, which its owner takes
//! ```
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate`, over `ProcessHeap` | O(1): two comparisons, then a pop from the thread's own list |
//! | `allocate`, over `Heap` | the same, and one compare-and-swap for the lock of a thread heap |
//! | an empty list | a slab from the depot or the region, at most once per refill of a slab |
//! | `deallocate` | O(1); a block of another thread's slab is one exchange |
//! | `reallocate` | nothing while the size class stays; else a move |
//! | memory | no header; size classes as in the heap: every 16 bytes up to 1 KiB (up to a quarter more for a size that a thread asks for rarely); a slab of 16 or 64 KiB per class in use |
//!
//! **Threads.** Any thread allocates and frees.
//!
//! **When to use it.** As the small side of [`Segregate`][modifiers] or the first link of `Fallback`, where requests are small, of many
//! sizes and from many threads, and something else shall serve the large ones:
//! `Fallback<Segregate<256, SmallObject, Tlsf>, System>`. Over an independent [`Heap`], which is the default, all blocks end with the value
//! and share no page with anybody else; over [`ProcessHeap`] each thread has a cache of its own and there is nothing to drop.
//!
//! **When not.** For requests of all sizes take the heap itself; for one size and one thread a pool is smaller, and works without an operating
//! system.
//!
//! **Misuse.** Requests that are too large or too aligned are refused. With debug assertions, or the feature `checked`, a release of a block
//! that is not the resource's ends the process with a line that says so; in a fast build nothing is checked. A double release is not found.
//!
//! Why here: the layers allow no strategy to know the heap, and the façade contains no algorithm; the small domain belongs to this crate.
//! Compositions meet it in the façade.
//!
//! **Source:** Bonwick and Adams, *Magazines and Vmem*, USENIX 2001 (thread caches over a depot); Leijen, Zorn, de Moura,
//! *Mimalloc: free list sharding in action*, 2019 (a list per slab, a remote list per slab).
//!
//! [modifiers]: https://docs.rs/stratalloc-modifiers

use core::alloc::Layout;
use core::fmt::Write;

use stratalloc_platform::{process, report};
use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, SizeClasses,
    ThreadSafety, Validate, Violation,
};

use crate::layout::SLAB_MAX;
use crate::small::class;
use crate::{Heap, ProcessHeap};

/// Whether this build looks for foreign blocks.
const CHECKED: bool = cfg!(any(debug_assertions, feature = "checked"));

/// The small domain of a heap; see the [module](self).
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_heap::{Heap, SmallObject};
/// use stratalloc_resource::{Alignment, AllocError, MemoryResource};
///
/// let small = SmallObject::new()?.with_max_size(256);
/// assert_eq!((small.max_size(), small.max_align().bytes()), (256, 256));
/// assert!(SmallObject::<Heap>::MAX_SIZE == 32 << 10 && small.heap().footprint() == 0);
/// let block = small.allocate(Layout::new::<[u8; 200]>())?;
/// assert!((208..=256).contains(&block.len()));
/// assert_eq!(small.allocate(Layout::new::<[u8; 257]>()), Err(AllocError::Unsupported));
/// // SAFETY: live, with this alignment; not used any more.
/// unsafe { small.deallocate(block, Alignment::ONE) };
/// # Ok::<(), AllocError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SmallObject<H = Heap> {
    heap: H,
    /// At most `SLAB_MAX`.
    max_size: usize,
}

impl SmallObject {
    /// The small domain of a new heap: up to [`MAX_SIZE`](Self::MAX_SIZE), nothing shared with other heaps, all freed with the value.
    /// See [`SmallObject`] for an example.
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] when there are 1023 such heaps, or no memory for the first.
    pub fn new() -> Result<Self, AllocError> {
        Heap::new().map(Self::over).ok_or(AllocError::CapacityExhausted)
    }
}

impl SmallObject<ProcessHeap> {
    /// The small domain of the process heap, with a cache for each thread. Its blocks may as well be released to [`ProcessHeap`].
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use stratalloc_heap::{ProcessHeap, SmallObject};
    /// use stratalloc_resource::{Alignment, MemoryResource};
    ///
    /// static SMALL: SmallObject<ProcessHeap> = SmallObject::process();
    /// let block = SMALL.allocate(Layout::new::<u64>())?;
    /// assert!(SMALL.is_equal(&ProcessHeap));
    /// // SAFETY: live, with this alignment; not used any more. The resources are equal.
    /// unsafe { ProcessHeap.deallocate(block, Alignment::of::<u64>()) };
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub const fn process() -> Self {
        Self::over(ProcessHeap)
    }
}

impl<H> SmallObject<H> {
    /// The largest request that any value serves: 32 KiB, above which a slab would hold a single block. See [`SmallObject`] for an example.
    pub const MAX_SIZE: usize = SLAB_MAX;

    /// The small domain of `heap`.
    const fn over(heap: H) -> Self {
        Self { heap, max_size: SLAB_MAX }
    }

    /// Refuses requests above `bytes`, of which 1 to [`MAX_SIZE`](Self::MAX_SIZE) are taken. See [`SmallObject`] for an example.
    #[must_use]
    pub const fn with_max_size(mut self, bytes: usize) -> Self {
        self.max_size = match bytes {
            0 => 1,
            1..=SLAB_MAX => bytes,
            _ => SLAB_MAX,
        };
        self
    }

    /// The largest request that is served. See [`SmallObject`] for an example.
    #[must_use]
    pub const fn max_size(&self) -> usize {
        self.max_size
    }

    /// The largest alignment: the largest power of two that is no larger than the largest request, so that no block is more than twice
    /// that. See [`SmallObject`] for an example.
    #[must_use]
    pub const fn max_align(&self) -> Alignment {
        match Alignment::new(1 << self.max_size.ilog2()) {
            Some(align) => align,
            None => Alignment::ONE,
        }
    }

    /// The heap whose small domain this is. See [`SmallObject`] for an example.
    #[must_use]
    pub const fn heap(&self) -> &H {
        &self.heap
    }

    #[inline(always)]
    fn admits(&self, layout: Layout) -> Result<(), AllocError> {
        if layout.size() > self.max_size {
            Err(AllocError::Unsupported)
        } else if layout.align() > self.max_align().bytes() {
            Err(AllocError::BadAlignment)
        } else {
            Ok(())
        }
    }
}

impl<H: Owns> SmallObject<H> {
    /// Ends a checked build at a block that is not ours.
    #[inline(always)]
    fn expect_own(&self, block: MemoryBlock) {
        if CHECKED && !self.heap.owns(block.as_ptr()) {
            foreign(block.address());
        }
    }
}

#[cold]
#[inline(never)]
fn foreign(address: usize) -> ! {
    let mut line = report::stderr();
    // Nobody is left to tell that even this failed.
    let _ =
        writeln!(line, "small-object: the block at {address:#x} is released here, but came from elsewhere");
    line.flush();
    process::exit_at_once(134)
}

// SAFETY: every block is one of the heap's, which keeps the contract; requests beyond the limits are refused before they reach it, and a
// block goes back to the heap that it came from. Equal are those of equal heaps, which release each other's blocks.
unsafe impl<H: MemoryResource + Owns> MemoryResource for SmallObject<H> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.admits(layout)?;
        self.heap.allocate(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        self.expect_own(block);
        // SAFETY: this function's contract.
        unsafe { self.heap.deallocate(block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        self.expect_own(block);
        match Layout::from_size_align(new_size, align.bytes()) {
            Ok(layout) => self.admits(layout)?,
            Err(_) => return Err(AllocError::SizeOverflow),
        }
        // SAFETY: this function's contract.
        unsafe { self.heap.reallocate(block, new_size, align) }
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.admits(layout)?;
        self.heap.allocate_zeroed(layout)
    }

    fn identity(&self) -> ResourceId {
        self.heap.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        // Class numbers begin at 1, and the largest class is that of the largest size at the largest alignment.
        let largest = class::of_aligned(self.max_size, self.max_align().bytes());
        // A rarely used class is served from the next one that it shares slabs with; a block of a mixed slab may have a rest besides.
        let count = if class::is_mixed(largest) {
            largest + class::MIN_UNITS as usize - 1
        } else {
            usize::from(class::facts(largest).shares)
        };
        let classes = SizeClasses::computed(count, |index| class::size(index + 1));
        ResourceInfo::new("small-object", ThreadSafety::Shared)
            .with_size_classes(classes)
            .with_max_size(self.max_size)
            .with_max_align(self.max_align())
    }
}

// SAFETY: the heap's answer; equal resources are those of equal heaps.
unsafe impl<H: Owns> Owns for SmallObject<H> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.heap.owns(ptr)
    }
}

impl<H: Collect> Collect for SmallObject<H> {
    fn collect(&self) -> usize {
        self.heap.collect()
    }
}

impl<H> Validate for SmallObject<H> {
    /// The equations of the region and of all heaps in it: nobody else may use any of them meanwhile.
    fn validate(&self) -> Result<(), Violation> {
        crate::validate::validate()
    }
}
