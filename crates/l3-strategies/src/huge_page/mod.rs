//! Memory in huge pages, as far as the kernel has them, and a plain account of what it gave.
//!
//! A page of 2 MiB has one entry in the processor's address cache where 4 KiB pages have 512, so a program that strides through
//! hundreds of megabytes misses that cache rarely. Whether it gets such pages depends on settings that a program does not make.
//! So this asks for the best kind first, takes what there is, and says why it is not better.
//!
//! ```text
//!   asked for        HugePageConfig::new(100 << 20)
//!      │
//!      ├─ explicit, 1 GiB (if asked for)   the kernel's pool for that size ── declined: only 0 of the 1 needed are free
//!      ├─ explicit, 2 MiB                  the same ───────────────────────── declined: the kernel has set none aside
//!      ├─ transparent                      madvise, in aligned memory ─────── got, as far as the kernel finds 2 MiB in a piece
//!      └─ plain                            always
//!
//!   HugePages    │guard│▓▓▓▓▓▓▓▓ 2 MiB ▓▓▓▓▓▓▓▓│▓▓▓▓▓▓▓▓ 2 MiB ▓▓▓▓▓▓▓▓│░░░░│░░░░│…   │guard│   aligned to huge pages
//!                 └ keeps the kernel from counting neighbours as ours      └ not found: small pages
//!   HugePageArena   a Frame over it            report()  asks the kernel what is huge now
//! ```
//!
//! [`HugePages`] is the memory, and lends it as a slice: any strategy over a slice works in it (`Tlsf`, `Buddy`, `Pool`, `Slab`, …).
//! [`HugePageArena`] is the most frequent case made ready, a [`Frame`] over it.
//!
//! | operation | cost |
//! | --- | --- |
//! | [`HugePages::new`] | two to eight system calls; with [`populated`](HugePageConfig::populated) a page fault per page, else each at its first touch |
//! | [`HugePageArena`]: allocation, release, reset | those of [`Frame`]: a few instructions |
//! | [`report`](HugePages::report) | reads `/proc/self/smaps`: microseconds per mapping of the process |
//! | `owns` | O(1) |
//! | memory | rounded up to whole pages of the kind that was got; guards are addresses only |
//!
//! **Threads.** The arena: one, it can be sent to another. `HugePages` gives its memory to whoever borrows it.
//!
//! **When to use it.** Large tables, columns, images, matrices, arenas of long-running servers: hundreds of megabytes that are touched in
//! no order. `populated` for those who cannot bear a page fault later.
//!
//! **When not.** Below a few megabytes, or where most of a range stays untouched: a huge page is resident as a whole. Explicit pages are
//! taken from the whole machine's pool, and a child of `fork` that writes to them may be killed when the pool is empty.
//!
//! **Misuse.** As for [`Frame`]; beyond both ends of transparent and plain memory lie pages without access.
//!
//! **Sources.** Linux: `Documentation/admin-guide/mm/hugetlbpage.rst` and `transhuge.rst`; for what it brings, A. Hunter et al.,
//! "Beyond malloc efficiency to fleet efficiency" (OSDI 2021).

use core::alloc::Layout;
use core::fmt;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::slice;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Validate, Violation,
};

mod config;
mod memory;
mod report;

pub use config::HugePageConfig;
pub use memory::HugePages;
pub use report::{Declined, HugePageReport, PageKind, WhyNot};

use crate::frame::Frame;

/// A [`Frame`] in huge pages; see the [module](self).
///
/// ```
/// use stratalloc_strategies::huge_page::{HugePageArena, HugePageConfig};
///
/// let mut arena = HugePageArena::new(HugePageConfig::new(8 << 20).populated())?;
/// let table = arena.alloc_slice_fill_copy(1 << 20, 1_u32);
/// assert_eq!(table.iter().sum::<u32>(), 1 << 20);
/// println!("{}", arena.pages().report());
/// arena.reset();
/// assert_eq!(arena.used(), 0);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
///
/// Its blocks end with it:
///
/// ```compile_fail,E0505
/// # use stratalloc_strategies::huge_page::{HugePageArena, HugePageConfig};
/// let arena = HugePageArena::new(HugePageConfig::new(1 << 20)).unwrap();
/// let value = arena.alloc(7);
/// drop(arena);
/// assert_eq!(*value, 7);
/// ```
///
/// and the frame cannot be taken out of it:
///
/// ```compile_fail,E0596
/// # use stratalloc_strategies::{frame::Frame, huge_page::{HugePageArena, HugePageConfig}};
/// let mut arena = HugePageArena::new(HugePageConfig::new(1 << 20)).unwrap();
/// let frame: Frame = core::mem::replace(&mut *arena, Frame::default());
/// ```
// Invariant ARENA: `frame` lies over the memory of `pages`, which nobody else uses, and goes first: it is declared first, and only
// shared references to it are given out.
pub struct HugePageArena {
    frame: Frame<'static>,
    pages: HugePages,
}

impl HugePageArena {
    /// Gets the memory, of the best kind that there is. See [`HugePageArena`] for an example.
    ///
    /// # Errors
    ///
    /// Those of [`HugePages::new`].
    pub fn new(config: HugePageConfig) -> Result<Self, AllocError> {
        let pages = HugePages::new(config)?;
        let memory = pages.memory();
        // SAFETY: ARENA: mapped as long as `pages`, which outlives the frame; `pages` lends it to nobody else, since it is
        // reached through shared references only.
        let memory =
            unsafe { slice::from_raw_parts_mut(memory.as_ptr().cast::<MaybeUninit<u8>>(), memory.len()) };
        Ok(Self { frame: Frame::over(memory), pages })
    }

    /// The memory: its kind, and its report. See [`HugePageArena`] for an example.
    #[must_use]
    pub const fn pages(&self) -> &HugePages {
        &self.pages
    }

    /// Gives up all blocks; the memory stays, and so do its huge pages. As [`Frame::reset`].
    pub fn reset(&mut self) {
        self.frame.reset();
    }
}

impl Deref for HugePageArena {
    type Target = Frame<'static>;

    #[inline]
    fn deref(&self) -> &Frame<'static> {
        &self.frame
    }
}

// SAFETY: every clause is the frame's, to which all is passed on.
unsafe impl MemoryResource for HugePageArena {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.frame.allocate(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { self.frame.deallocate(block, align) };
    }

    #[inline]
    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        unsafe { self.frame.reallocate(block, new_size, align) }
    }

    fn identity(&self) -> ResourceId {
        self.frame.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        let mut info = self.frame.info();
        info.name = "huge-page arena";
        info
    }
}

// SAFETY: blocks lie in the memory, and nobody else's do; only addresses are compared.
unsafe impl Owns for HugePageArena {
    #[inline]
    fn owns(&self, ptr: *const u8) -> bool {
        self.pages.memory().contains(ptr)
    }
}

impl Validate for HugePageArena {
    fn validate(&self) -> Result<(), Violation> {
        self.frame.validate()
    }
}

impl fmt::Debug for HugePageArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HugePageArena").field("frame", &self.frame).field("pages", &self.pages).finish()
    }
}
