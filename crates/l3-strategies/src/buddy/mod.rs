//! The buddy system: blocks of `MIN · 2^order` bytes at their natural alignment, without headers.
//!
//! After K. C. Knowlton, "A Fast Storage Allocator", Communications of the ACM 8 (1965), and D. E. Knuth, *The Art of Computer
//! Programming*, volume 1, 2.5, algorithms R and S. What differs: no tag lies in the blocks. A map beside them has two bits for each
//! place where a block may begin, at each order, and those of two buddies share a word, so one load tells a released block from a
//! free one and whether its buddy is free. The range need not be a power of two, nor begin at one: buddies are found by absolute addresses.
//! Blocks that wait before they merge are T. P. Lee and R. E. Barkley's, "A Watermark-based Lazy Buddy System for Kernel Memory Allocation", USENIX
//! Summer 1989; here a fixed number of each order waits.
//! (The heap's medium domain uses a lock-free tree over whole chunks; this is the same structure for one thread and any block.)
//!
//! ```text
//!   memory │ map │ pad │◄─────────────────────────── range, cut at multiples of MIN ─────────────────────────►│ pad │
//!
//!   order 3                  ├───────────────────────────────────────────────┤
//!   order 2      ├───────────┤        (split)        ├─────── free ──────────┤├──────────┤
//!   order 1                  ├── live ───┤├─(split)──┤
//!   order 0                              │free ││live │                                   ├─────┤
//!
//!   kept[o]  ──► the last released blocks of order o, at most 16, not merged yet
//!   lists[o] ──► free blocks of order o, linked through themselves        filled: bit o ⟺ lists[o] is not empty
//! ```
//!
//! **Merging waits, a little.** Up to 16 released blocks of each order are kept as they are and handed out again first: a block that comes
//! and goes is neither merged nor split. All others merge at once. Whoever cannot be served otherwise has the kept ones merged first (a request
//! that finds nothing, a block that grows in place, [`usage`](Buddy::usage), [`largest_free`](Buddy::largest_free)): nothing is refused, and no
//! figure differs, for that they waited.
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate` | O(1) if one of the order is kept; else O(1) to find a block, one step per order between its size and the request's; at most ORDERS − 1 |
//! | … that finds nothing | merges all that is kept, at most 16 · ORDERS blocks, before it refuses: a bounded price that is paid once per release |
//! | `deallocate` | O(1) if it is kept; else one step per merge, at most ORDERS − 1 |
//! | `reallocate` | O(orders) in place when shrinking, or when the buddies above are free; else a move, after merging what is kept |
//! | memory | no header; sizes are rounded up to a power of two, which costs up to half of a block; map: 4 bits per MIN bytes |
//! | `owns`, `info` | O(1) |
//! | `try_deallocate` | O(1), and a look at the kept blocks of the order |
//! | `usage`, `validate` | O(blocks · orders), O(range / MIN) |
//!
//! **Threads.** One at a time: `Send` but not `Sync`. `stratalloc-modifiers` has `Locked` for more.
//!
//! **When to use it.** Requests that are powers of two, or aligned to their size: pages, buffers, textures, chunks for pools and frames. Bounded time
//! with a smaller constant than anything that searches; no header, so 4096 bytes at alignment 4096 cost 4096 bytes.
//!
//! **When not.** Odd sizes: a request of 65 bytes takes 128. [`Tlsf`](crate::tlsf::Tlsf) wastes a word where this wastes up to half.
//!
//! **Misuse.** A release of what is not live (foreign, twice, inside a block, with a length or alignment of another order) is undefined
//! behaviour in the fast build. With debug assertions or the feature `checked` each one is recognised exactly, as a
//! [`Misuse`](crate::Misuse), except that a block released twice whose place has become a live block of the same order looks live.
//! [`Buddy::try_deallocate`] refuses in every build.
//!
//! Modules: `map` (two bits a place), `lists`, `kept` (what waits to be merged), `tree` (splitting and merging), `resource` (the contract), `check` (misuse),
//! `usage`, `validate`.

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock};

mod check;
mod kept;
mod lists;
mod map;
mod resource;
mod tree;
mod usage;
mod validate;

pub use usage::BuddyUsage;

use tree::Tree;

/// The buddy system over memory that the caller supplies; see the [module](self).
///
/// `MIN` is the size of the smallest block, a power of two of at least two words; `ORDERS` how many sizes there are, each the
/// double of the one before. The defaults are blocks from 64 bytes to 2 GiB. Parameters without sense do not compile:
///
/// ```compile_fail
/// use stratalloc_strategies::buddy::Buddy;
/// static BUDDY: Buddy<'_, 20, 96> = Buddy::new(); // 96 is no power of two
/// ```
///
/// ```compile_fail
/// use stratalloc_strategies::buddy::Buddy;
/// static BUDDY: Buddy<'_, 20, 8> = Buddy::new(); // no room for the links of a free block
/// ```
///
/// ```compile_fail
/// use stratalloc_strategies::buddy::Buddy;
/// static BUDDY: Buddy<'_, 60, 64> = Buddy::new(); // blocks beyond the address space
/// ```
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use stratalloc_resource::{Alignment, MemoryResource};
/// use stratalloc_strategies::buddy::Buddy;
///
/// let mut memory = [MaybeUninit::uninit(); 16 * 1024];
/// let buddy: Buddy<'_, 8, 64> = Buddy::over(&mut memory)?;
/// let layout = Layout::from_size_align(1000, 1024).unwrap();
/// let block = buddy.allocate(layout)?;
/// assert_eq!((block.len(), block.address() % 1024), (1024, 0));
/// // SAFETY: live, from this resource, with this alignment; not used any more.
/// unsafe { buddy.deallocate(block, Alignment::from_layout(layout)) };
/// assert_eq!(buddy.usage().used, 0);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
pub struct Buddy<'m, const ORDERS: usize = 26, const MIN: usize = 64> {
    tree: Tree<ORDERS, MIN>,
    memory: PhantomData<&'m mut [MaybeUninit<u8>]>,
}

// SAFETY: all pointers lead into memory that only this value uses, and nothing in it belongs to a thread.
unsafe impl<const ORDERS: usize, const MIN: usize> Send for Buddy<'_, ORDERS, MIN> {}

const WORD: Alignment = Alignment::of::<usize>();

impl<'m, const ORDERS: usize, const MIN: usize> Buddy<'m, ORDERS, MIN> {
    /// One without memory: every request is refused until [`supply`](Self::supply).
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use stratalloc_resource::{AllocError, MemoryResource};
    /// use stratalloc_strategies::buddy::Buddy;
    ///
    /// let buddy: Buddy<'_> = const { Buddy::new() };
    /// assert_eq!(buddy.allocate(Layout::new::<u8>()), Err(AllocError::CapacityExhausted));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { tree: Tree::new(), memory: PhantomData }
    }

    /// One over `memory`, whose first part becomes the map.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use stratalloc_resource::{AllocError, MemoryResource};
    /// use stratalloc_strategies::buddy::Buddy;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 1 << 16];
    /// let buddy: Buddy<'_> = Buddy::over(&mut memory)?;
    /// assert!(buddy.info().capacity > Some(64_000));
    ///
    /// let mut too_small = [MaybeUninit::uninit(); 50];
    /// assert_eq!(Buddy::<'_, 26, 64>::over(&mut too_small).err(), Some(AllocError::CapacityExhausted));
    /// # Ok::<(), AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] if the memory cannot hold a single block.
    pub fn over(memory: &'m mut [MaybeUninit<u8>]) -> Result<Self, AllocError> {
        let mut buddy = Self::new();
        buddy.supply(memory)?;
        Ok(buddy)
    }

    /// One over `memory` with its map elsewhere, so that an aligned megabyte is one block of a megabyte.
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use core::mem::MaybeUninit;
    /// use stratalloc_resource::MemoryResource;
    /// use stratalloc_strategies::buddy::Buddy;
    ///
    /// #[repr(align(4096))]
    /// struct Page([MaybeUninit<u8>; 4096]);
    /// let mut page = Page([MaybeUninit::uninit(); 4096]);
    /// let mut map = [MaybeUninit::uninit(); Buddy::<'_, 7, 64>::map_words(4096)];
    ///
    /// let buddy: Buddy<'_, 7, 64> = Buddy::with_map(&mut page.0, &mut map)?;
    /// assert!(buddy.allocate(Layout::new::<[u8; 4096]>()).is_ok());
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] if the memory cannot hold a single block, or the map is shorter than
    /// [`map_words`](Self::map_words) says.
    pub fn with_map(
        memory: &'m mut [MaybeUninit<u8>],
        map: &'m mut [MaybeUninit<usize>],
    ) -> Result<Self, AllocError> {
        if map.len() < Self::map_words(memory.len()) {
            return Err(AllocError::CapacityExhausted);
        }
        let blocks = cut::<MIN>(slice_block(memory)).ok_or(AllocError::CapacityExhausted)?;
        let mut buddy = Self::new();
        // SAFETY: cut to MIN; both slices are borrowed mutably for as long as this value can exist, and the map is long enough.
        unsafe { buddy.tree.take_over(blocks, NonNull::from(map).cast()) };
        Ok(buddy)
    }

    /// How many words a map for `len` bytes needs, wherever they lie. An example is at [`with_map`](Self::with_map).
    #[must_use]
    pub const fn map_words(len: usize) -> usize {
        map::words_for(len, Tree::<ORDERS, MIN>::MIN_LOG2, ORDERS)
    }

    /// Gives its memory to one made by [`new`](Self::new); returns the bytes in blocks.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use stratalloc_resource::AllocError;
    /// use stratalloc_strategies::buddy::Buddy;
    ///
    /// let (mut memory, mut more) = ([MaybeUninit::uninit(); 4096], [MaybeUninit::uninit(); 4096]);
    /// let mut buddy: Buddy<'_> = Buddy::new();
    /// assert!(buddy.supply(&mut memory)? > 3900);
    /// assert_eq!(buddy.supply(&mut more), Err(AllocError::Unsupported));
    /// # Ok::<(), AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] if the memory cannot hold a single block, [`AllocError::Unsupported`] if this one has
    /// memory: it manages a single range.
    pub fn supply(&mut self, memory: &'m mut [MaybeUninit<u8>]) -> Result<usize, AllocError> {
        // SAFETY: the slice is borrowed mutably for as long as this value can exist, so nobody else uses it.
        unsafe { self.supply_raw(slice_block(memory)) }
    }

    /// As [`supply`](Self::supply), for memory that is no slice: a linker section, a mapping.
    ///
    /// ```
    /// use core::ptr::NonNull;
    /// use stratalloc_resource::MemoryBlock;
    /// use stratalloc_strategies::buddy::Buddy;
    ///
    /// let mut memory = vec![0_u64; 512];
    /// let mut buddy: Buddy<'_> = Buddy::new();
    /// let block = MemoryBlock::new(NonNull::from(memory.as_mut_slice()).cast(), 4096);
    /// // SAFETY: the vector outlives the resource and is not used otherwise.
    /// assert!(unsafe { buddy.supply_raw(block) }.is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// As for `supply`.
    ///
    /// # Safety
    ///
    /// `memory` is valid for reads and writes and used by nobody else as long as this value, or a block of it, is.
    pub unsafe fn supply_raw(&mut self, memory: MemoryBlock) -> Result<usize, AllocError> {
        if !self.tree.is_empty() {
            return Err(AllocError::Unsupported);
        }
        let (words, blocks) =
            self::divide::<MIN>(memory, Self::map_words).ok_or(AllocError::CapacityExhausted)?;
        // SAFETY: cut to MIN, words in front of it, all of it ours: this function's contract.
        unsafe { self.tree.take_over(blocks, words) };
        Ok(self.tree.capacity())
    }

    /// Counts blocks and bytes, after merging what is kept; O(blocks · orders). An example is at [`BuddyUsage`].
    #[must_use]
    pub fn usage(&self) -> BuddyUsage {
        self.tree.merge_kept();
        self.tree.usage()
    }

    /// The size of the largest free block once all is merged, 0 if there is none; a step per merge, else O(ORDERS).
    ///
    /// ```
    /// use stratalloc_strategies::buddy::Buddy;
    ///
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 4096];
    /// let buddy: Buddy<'_> = Buddy::over(&mut memory)?;
    /// assert_eq!(buddy.largest_free(), buddy.usage().largest_free);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn largest_free(&self) -> usize {
        self.tree.merge_kept();
        self.tree.lists.largest().map_or(0, Tree::<ORDERS, MIN>::size)
    }

    /// As [`deallocate`](stratalloc_resource::MemoryResource::deallocate), but looks first: at the map, and at the kept blocks of the order.
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use core::mem::MaybeUninit;
    /// use stratalloc_resource::{Alignment, AllocError, MemoryResource};
    /// use stratalloc_strategies::buddy::Buddy;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 4096];
    /// let buddy: Buddy<'_> = Buddy::over(&mut memory)?;
    /// let block = buddy.allocate(Layout::new::<u64>())?;
    /// // SAFETY: the block is not used any more.
    /// unsafe { buddy.try_deallocate(block, Alignment::of::<u64>())? };
    /// // SAFETY: refused, which is what this shows.
    /// let again = unsafe { buddy.try_deallocate(block, Alignment::of::<u64>()) };
    /// assert_eq!(again, Err(AllocError::NotOwned));
    /// # Ok::<(), AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::NotOwned`] if no live block of this size starts there. Nothing is changed then.
    ///
    /// # Safety
    ///
    /// If a live block of this resource starts there, nobody uses it any more.
    pub unsafe fn try_deallocate(&self, block: MemoryBlock, align: Alignment) -> Result<(), AllocError> {
        let order = self.tree.check_live(block, align)?;
        // SAFETY: a live block of this order: checked, and this function's contract.
        unsafe { self.tree.give(block.address(), order) };
        Ok(())
    }
}

fn slice_block(memory: &mut [MaybeUninit<u8>]) -> MemoryBlock {
    MemoryBlock::new(NonNull::from(&mut *memory).cast(), memory.len())
}

/// The part of `memory` between multiples of MIN, if there is one.
fn cut<const MIN: usize>(memory: MemoryBlock) -> Option<MemoryBlock> {
    let min = Alignment::new(MIN)?;
    let pad = min.align_up(memory.address())? - memory.address();
    let (_, rest) = memory.split_at(pad)?;
    rest.truncated(min.align_down(rest.len())).filter(|blocks| !blocks.is_empty())
}

/// The map, in front, and the blocks behind it.
fn divide<const MIN: usize>(
    memory: MemoryBlock,
    map_words: fn(usize) -> usize,
) -> Option<(NonNull<usize>, MemoryBlock)> {
    let pad = WORD.align_up(memory.address())? - memory.address();
    let (_, aligned) = memory.split_at(pad)?;
    let (words, rest) = aligned.split_at(map_words(aligned.len()) * size_of::<usize>())?;
    Some((words.as_non_null().cast(), cut::<MIN>(rest)?))
}

impl<const ORDERS: usize, const MIN: usize> Default for Buddy<'_, ORDERS, MIN> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const ORDERS: usize, const MIN: usize> fmt::Debug for Buddy<'_, ORDERS, MIN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buddy").field("usage", &self.usage()).finish_non_exhaustive()
    }
}
