//! Two-level segregated fit: any size, any alignment, constant time.
//!
//! After M. Masmano, I. Ripoll, A. Crespo, J. Real, "TLSF: a New Dynamic Memory Allocator for Real-Time Systems",
//! ECRTS 2004. Free blocks hang in bins by size range; two levels of bitmaps find the first bin that can serve a request; neighbours
//! merge at once. What differs from the paper: the footer of a free block lies inside it, so a live block costs one word; a
//! request that no higher bin can serve looks at a few blocks of its own bin before it is refused.
//!
//! ```text
//!   Tlsf (bitmaps and list heads, inline)
//!     │ bins                         │ pools
//!     ▼                              ▼
//!   ┌──────────┬──────┬──────────────────────────────────────────────────────────────────────────────┐
//!   │ Pool rec.│header│ live block │header│ free: next prev …… size │header│ live block │…│ sentinel │   memory of the caller
//!   └──────────┴──────┴──────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate` | O(1): two bit searches, one list removal, at most one split (two for alignments above two words) |
//! | `deallocate` | O(1): at most two merges, one list insertion |
//! | `reallocate` | O(1) in place when shrinking or when the block behind is free and large enough; else a move |
//! | memory | one word per live block, and rounding to two words; free blocks cost nothing; 8 · FLI · SLI bytes for the bins |
//! | `owns`, `info` | O(pools) |
//! | `usage`, `validate` | O(blocks) |
//!
//! **Threads.** One at a time: `Send` but not `Sync`. `stratalloc-modifiers` has `Locked` for more.
//!
//! **When to use it.** Real-time work that needs blocks of mixed sizes and lifetimes with a bounded time for each operation; a
//! static buffer on a machine without an operating system; a sub-heap with a fixed budget.
//!
//! **When not.** Blocks of one size are cheaper in a pool; what dies together is cheaper in a frame; many threads want a heap with
//! caches. Whoever needs power-of-two blocks at their natural alignment without any header takes `Buddy`.
//!
//! **Misuse.** Releasing a foreign or free block, a pointer into a block, or with a length or alignment that does not fit, is
//! undefined behaviour in the fast build. With debug assertions or the feature `checked` each release looks at the headers around
//! the block and tells what is wrong as a [`Misuse`](crate::Misuse). [`Tlsf::try_deallocate`] refuses in every build. Not
//! recognised: a pointer into a live block where the bytes before it look like a header (`try_deallocate` does recognise it), and
//! a block released twice whose place has become another live block of the same size.
//!
//! Modules: `block` (words), `bins` (bitmaps and lists), `pool` (layout of given memory), `algorithm` (shared by both types),
//! `check` (misuse), `growing` (pools from an upstream), `usage`, `validate`.

use core::alloc::Layout;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, ThreadSafety,
    Validate, Violation, reallocate_by_moving,
};

mod algorithm;
mod bins;
mod block;
mod check;
mod growing;
mod pool;
mod usage;
mod validate;

pub use growing::GrowingTlsf;
pub use usage::TlsfUsage;

use crate::misuse::{Inspect, MisuseKind};
use algorithm::Core;
use block::HEADER;

/// The bins in a row of [`Tlsf`], unless its type says otherwise: as many as a word has bits, so sizes up to 2 KiB (256 bytes with 32-bit words)
/// have a bin each.
///
/// ```
/// use stratalloc_strategies::tlsf::{COLUMNS, ROWS, Tlsf};
/// assert_eq!(COLUMNS, usize::BITS as usize);
/// let _: Tlsf<'_> = Tlsf::<'_, ROWS, COLUMNS>::new();
/// ```
// 32 took 6.9 % more than the live bytes where 64 take 6.0 % (docs/experiments/tlsf-fit.md), at the same speed.
pub const COLUMNS: usize = usize::BITS as usize;

/// The rows of [`Tlsf`], unless its type says otherwise; see [`COLUMNS`]. Blocks of up to 4 GiB (2 GiB with 32-bit words).
pub const ROWS: usize = if usize::BITS == 64 { 23 } else { 24 };

/// Two-level segregated fit over memory that the caller supplies; see the [module](self).
///
/// `FLI` is the number of rows (each covers a power of two of sizes), `SLI` the number of bins in a row: a power of two from 2 to the bits
/// of a word. The defaults ([`ROWS`], [`COLUMNS`]) take blocks of up to 4 GiB on 64-bit machines (2 GiB on 32-bit ones) and waste at most a 64th
/// (a 32nd) of a search; an embedded program that needs blocks of up to 16 KiB takes `Tlsf<8, 8>`, whose bins are 64 words. Parameters
/// without sense do not compile:
///
/// ```compile_fail
/// use stratalloc_strategies::tlsf::Tlsf;
/// static HEAP: Tlsf<'_, 8, 12> = Tlsf::new(); // 12 is no power of two
/// ```
///
/// ```compile_fail
/// use stratalloc_strategies::tlsf::Tlsf;
/// static HEAP: Tlsf<'_, 60, 32> = Tlsf::new(); // rows beyond the address space
/// ```
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use stratalloc_resource::{Alignment, MemoryResource};
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let mut memory = [MaybeUninit::uninit(); 4096];
/// let heap: Tlsf<'_, 8, 8> = Tlsf::over(&mut memory)?;
/// let layout = Layout::new::<[u32; 100]>();
/// let block = heap.allocate(layout)?;
/// assert!(block.len() >= 400 && block.len() < 400 + 32);
/// // SAFETY: live, from this heap, with this alignment; not used any more.
/// unsafe { heap.deallocate(block, Alignment::from_layout(layout)) };
/// assert_eq!(heap.usage().used, 0);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
pub struct Tlsf<'m, const FLI: usize = ROWS, const SLI: usize = COLUMNS> {
    core: Core<FLI, SLI>,
    // Invariant in `'m`: through a shorter one, `add_pool` would take memory that ends before this value.
    memory: PhantomData<Cell<&'m mut [MaybeUninit<u8>]>>,
}

// SAFETY: all pointers lead into memory that only this value uses, and nothing in it belongs to a thread.
unsafe impl<const FLI: usize, const SLI: usize> Send for Tlsf<'_, FLI, SLI> {}

impl<'m, const FLI: usize, const SLI: usize> Tlsf<'m, FLI, SLI> {
    /// One without memory: every request is refused until [`add_pool`](Self::add_pool).
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use stratalloc_resource::{AllocError, MemoryResource};
    /// use stratalloc_strategies::tlsf::Tlsf;
    ///
    /// let heap: Tlsf<'_> = const { Tlsf::new() };
    /// assert_eq!(heap.allocate(Layout::new::<u8>()), Err(AllocError::CapacityExhausted));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { core: Core::new(), memory: PhantomData }
    }

    /// One with `memory` as its first pool.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use stratalloc_resource::AllocError;
    /// use stratalloc_strategies::tlsf::Tlsf;
    ///
    /// let mut too_small = [MaybeUninit::uninit(); 16];
    /// let refused = Tlsf::<'_, 24, 32>::over(&mut too_small);
    /// assert_eq!(refused.err(), Some(AllocError::CapacityExhausted));
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] if the memory cannot hold a single block.
    pub fn over(memory: &'m mut [MaybeUninit<u8>]) -> Result<Self, AllocError> {
        let heap = Self::new();
        heap.add_pool(memory)?;
        Ok(heap)
    }

    /// Adds memory, and returns how many bytes it gave. It need not touch other pools, and any alignment will do.
    ///
    /// Blocks never span two pools. Memory larger than the largest block becomes several.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use stratalloc_strategies::tlsf::Tlsf;
    ///
    /// let (mut slow, mut fast) = ([MaybeUninit::uninit(); 4096], [MaybeUninit::uninit(); 1024]);
    /// let heap: Tlsf<'_> = Tlsf::over(&mut slow)?;
    /// assert!(heap.add_pool(&mut fast)? > 900);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// The memory has to last as long as the heap, also when that is reached through a reference:
    ///
    /// ```compile_fail,E0597
    /// # use core::mem::MaybeUninit;
    /// # use stratalloc_strategies::tlsf::Tlsf;
    /// let heap: Tlsf<'_> = Tlsf::new();
    /// {
    ///     let mut memory = [MaybeUninit::uninit(); 4096];
    ///     let shorter: &Tlsf<'_> = &heap;
    ///     shorter.add_pool(&mut memory);
    /// } // the memory is gone before the heap
    /// heap.usage();
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] if the memory cannot hold a single block; it is then left alone.
    pub fn add_pool(&self, memory: &'m mut [MaybeUninit<u8>]) -> Result<usize, AllocError> {
        let block = MemoryBlock::new(NonNull::from(&mut *memory).cast(), memory.len());
        // SAFETY: the slice is borrowed mutably for as long as this value can exist, so nobody else uses it.
        unsafe { self.add_raw_pool(block) }
    }

    /// As [`add_pool`](Self::add_pool), for memory that is no slice: a linker section, a mapping.
    ///
    /// ```
    /// use core::ptr::NonNull;
    /// use stratalloc_resource::MemoryBlock;
    /// use stratalloc_strategies::tlsf::Tlsf;
    ///
    /// let mut memory = vec![0_u64; 512];
    /// let heap: Tlsf<'_> = Tlsf::new();
    /// let block = MemoryBlock::new(NonNull::from(memory.as_mut_slice()).cast(), 4096);
    /// // SAFETY: the vector outlives the heap and is not used otherwise.
    /// assert!(unsafe { heap.add_raw_pool(block) }.is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// As for `add_pool`.
    ///
    /// # Safety
    ///
    /// `memory` is valid for reads and writes and used by nobody else as long as this value, or a block of it, is.
    pub unsafe fn add_raw_pool(&self, memory: MemoryBlock) -> Result<usize, AllocError> {
        // SAFETY: this function's contract.
        match unsafe { self.core.add(memory) } {
            0 => Err(AllocError::CapacityExhausted),
            gained => Ok(gained),
        }
    }

    /// Counts blocks and bytes; O(blocks). An example is at [`TlsfUsage`].
    #[must_use]
    pub fn usage(&self) -> TlsfUsage {
        self.core.usage()
    }

    /// As [`deallocate`](MemoryResource::deallocate), but looks first, at every block of the pool; O(blocks).
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use core::mem::MaybeUninit;
    /// use stratalloc_resource::{Alignment, AllocError, MemoryResource};
    /// use stratalloc_strategies::tlsf::Tlsf;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 4096];
    /// let heap: Tlsf<'_> = Tlsf::over(&mut memory)?;
    /// let block = heap.allocate(Layout::new::<u64>())?;
    /// // SAFETY: the block is not used any more.
    /// unsafe { heap.try_deallocate(block, Alignment::of::<u64>())? };
    /// // SAFETY: refused, which is what this shows.
    /// let again = unsafe { heap.try_deallocate(block, Alignment::of::<u64>()) };
    /// assert_eq!(again, Err(AllocError::NotOwned));
    /// # Ok::<(), AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::NotOwned`] if no live block of this length and alignment starts there: foreign, released already, inside a
    /// block. Nothing is changed then.
    ///
    /// # Safety
    ///
    /// If a live block of this resource starts there, nobody uses it any more.
    pub unsafe fn try_deallocate(&self, block: MemoryBlock, align: Alignment) -> Result<(), AllocError> {
        self.core.check_live(block, align)?;
        // SAFETY: a live block starts there: checked, and this function's contract.
        unsafe { self.core.deallocate(block.as_non_null()) };
        Ok(())
    }
}

/// Why no free block could serve `layout`.
#[cold]
fn refusal<const FLI: usize, const SLI: usize>(layout: Layout) -> AllocError {
    if Core::<FLI, SLI>::can_ever(layout.size(), layout.align()) {
        AllocError::CapacityExhausted
    } else if Core::<FLI, SLI>::can_ever(0, layout.align()) {
        AllocError::Unsupported
    } else {
        AllocError::BadAlignment
    }
}

// SAFETY:
// * Fit: `occupy` leaves at least the requested payload at a place that `cut_gap` aligned; the header tells the size, so a
//   release may carry any length;
// * Disjoint, Stable: a live block is in no bin (BINS), and only free blocks are written to; pools do not move with the value;
// * Threads: not `Sync`;
// * Errors: every path returns a value; MERGED makes whatever was free before free again;
// * Identity: the address of the oldest pool, which stays as long as this value; without a pool there is no block.
unsafe impl<const FLI: usize, const SLI: usize> MemoryResource for Tlsf<'_, FLI, SLI> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        match self.core.allocate(layout) {
            Some(block) => Ok(block),
            None => Err(refusal::<FLI, SLI>(layout)),
        }
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        if self.core.admits(block, align) {
            // SAFETY: a live block of ours: this function's contract.
            unsafe { self.core.deallocate(block.as_non_null()) };
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
        let (mut capacity, mut largest) = (0, 0);
        for pool in self.core.pools() {
            let room = pool.span() - HEADER;
            capacity += room;
            largest = room.max(largest);
        }
        ResourceInfo::new("tlsf", ThreadSafety::Confined).with_capacity(capacity).with_max_size(largest)
    }
}

// SAFETY: live blocks lie between first header and sentinel of a pool, and nobody else's do; only addresses are compared.
unsafe impl<const FLI: usize, const SLI: usize> Owns for Tlsf<'_, FLI, SLI> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.core.pools().any(|pool| pool.contains(ptr.addr()))
    }
}

impl<const FLI: usize, const SLI: usize> Inspect for Tlsf<'_, FLI, SLI> {
    fn inspect(&self, block: MemoryBlock, align: Alignment) -> Result<(), MisuseKind> {
        self.core.inspect(block, align)
    }
}

impl<const FLI: usize, const SLI: usize> Validate for Tlsf<'_, FLI, SLI> {
    fn validate(&self) -> Result<(), Violation> {
        self.core.validate()
    }
}

impl<const FLI: usize, const SLI: usize> Default for Tlsf<'_, FLI, SLI> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const FLI: usize, const SLI: usize> fmt::Debug for Tlsf<'_, FLI, SLI> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tlsf").field("usage", &self.usage()).finish_non_exhaustive()
    }
}
