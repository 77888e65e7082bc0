//! Pages of one memory node, or of several by turns: what binds a frame, a pool or an arena to a node.
//!
//! ```text
//!   on(1)            ├─ page ─┼─ page ─┼─ page ─┤      all from node 1 (from another if it is full)
//!   only_on(1)       ├─ page ─┼─ page ─┼─ page ─┤      all from node 1, or the process ends at the touch that finds it full
//!   interleaved()    ├─ node 0 ┼ node 1 ┼ node 0 ┤     by turns: the same distance for everybody
//!
//!   Frame::growing(NodePages::on(1)?) ── chunks ──► every object of the frame lies on node 1
//! ```
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate` | one `mmap` (up to four for alignments above a page) and one `mbind`, and a page fault for each page at its first touch |
//! | `deallocate` | one `munmap` |
//! | `reallocate` | nothing within the last page; else one `mremap`, which keeps the binding; alignments above a page copy |
//! | on a machine with one node, or [as they come](NodePages::AS_THEY_COME) | no `mbind`: as [`System`] |
//! | memory | rounding to whole pages; the kernel keeps one record per binding |
//!
//! **Threads.** Any thread may do anything at any time.
//!
//! **When to use it.** As upstream of what serves one thread or one node: a thread's frames and pools, the copies of
//! [`Replicated`](crate::replicated::Replicated). Interleaved for large tables that all nodes read alike.
//!
//! **When not.** Memory that the thread itself touches first comes from its node anyhow, which is the kernel's default; binding helps where
//! another thread touches it first, or where threads move. Nothing small or frequent: as for [`System`], a block is at least a page.
//!
//! **Misuse** is reported as by [`System`]: releases of what is not mapped, or does not begin at a page.
//!
//! **Source:** `mbind(2)`, `move_pages(2)`; Lameter, *NUMA: an overview*, ACM Queue 11(7), 2013.

use core::alloc::Layout;

use stratalloc_platform::numa::{self, NumaError, Policy};
use stratalloc_platform::{page, vm};
use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety,
};

use crate::system::{System, resize, take_back, unmap};

/// Pages of chosen memory nodes as a resource; see the [module](self).
///
/// Values with the same policy are the same one.
///
/// ```
/// use stratalloc_platform::numa::{self, Policy};
/// use stratalloc_resource::AllocError;
/// use stratalloc_strategies::frame::Frame;
/// use stratalloc_strategies::node_pages::NodePages;
///
/// // A frame whose memory is that of this thread's node, whoever touches it first.
/// let here = NodePages::on(numa::current_node())?;
/// let frame: Frame<'_, _, _> = Frame::<stratalloc_strategies::frame::Speed, _>::growing(here);
/// let number = frame.try_alloc(7_u64)?;
/// assert!(here.placement_of(number).is_none_or(|node| node == numa::current_node()));
///
/// let strict = NodePages::only_on(0)?; // what does not fit there ends the process
/// assert_eq!((strict.policy(), NodePages::new(Policy::Require(0))?), (Policy::Require(0), strict));
/// assert_eq!(NodePages::AS_THEY_COME.policy(), Policy::Default);
///
/// let refused = NodePages::on(numa::nodes()).unwrap_err();
/// assert!(refused.to_string().contains("there is no node"));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePages {
    policy: Policy,
}

/// Where the pages of a range are, as the kernel says; see [`NodePages::placement`]. An example is at [`NodePages::interleaved`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Pages on a node that the policy names.
    pub bound: usize,
    /// Pages on another one: the node was full, or the pages were there before.
    pub elsewhere: usize,
    /// Pages that nobody has touched yet, or about which the system says nothing: so for a while of pages
    /// [as they come](NodePages::AS_THEY_COME), see [`numa::page_node`].
    pub unknown: usize,
}

impl NodePages {
    /// Pages from where the kernel takes them: as a rule the node of the thread that touches them first. Works where nothing can be bound, too.
    /// See [`NodePages`] for an example.
    pub const AS_THEY_COME: Self = Self { policy: Policy::Default };

    /// Pages of `node`, and of another where it has none left. On a machine with one node those are all pages.
    /// See [`NodePages`] for an example.
    ///
    /// # Errors
    ///
    /// [`NumaError`], whose message says which nodes there are.
    pub fn on(node: u32) -> Result<Self, NumaError> {
        Self::new(Policy::Prefer(node))
    }

    /// Pages of `node` alone: a touch that finds it full ends the process, so leave room. See [`NodePages`] for an example.
    ///
    /// # Errors
    ///
    /// As for [`on`](Self::on).
    pub fn only_on(node: u32) -> Result<Self, NumaError> {
        Self::new(Policy::Require(node))
    }

    /// Pages of all nodes (the first 64) by turns.
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use stratalloc_resource::{Alignment, MemoryResource};
    /// use stratalloc_strategies::node_pages::NodePages;
    ///
    /// let pages = NodePages::interleaved()?;
    /// let table = pages.allocate_zeroed(Layout::new::<[u64; 10_000]>())?;
    /// // Zero pages that nobody wrote to lie nowhere yet.
    /// assert_eq!(pages.placement(table).bound, 0);
    /// // SAFETY: live, with this alignment; not used any more.
    /// unsafe { pages.deallocate(table, Alignment::of::<u64>()) };
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`on`](Self::on).
    pub fn interleaved() -> Result<Self, NumaError> {
        Self::new(Policy::Interleave(u64::MAX.unbounded_shr(u64::BITS.saturating_sub(numa::nodes()))))
    }

    /// Pages as `policy` says. The kernel is asked once whether it will have it, but for the default policy, which fresh pages have anyway.
    /// See [`NodePages`] for an example.
    ///
    /// # Errors
    ///
    /// As for [`on`](Self::on).
    pub fn new(policy: Policy) -> Result<Self, NumaError> {
        if policy == Policy::Default {
            return Ok(Self::AS_THEY_COME);
        }
        let size = page::size();
        let probe = vm::reserve(size, size, vm::Access::None).map_err(NumaError::Os)?;
        // SAFETY: the page just reserved, nobody else's.
        let answer = unsafe { numa::bind(probe, size, policy) };
        // SAFETY: as above; not used any more.
        unsafe { unmap(probe, size) };
        answer.map(|()| Self { policy })
    }

    /// Where pages come from. See [`NodePages`] for an example.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// The node on which a value's first page lies; `None` if it was never touched or the system does not say. A system call. See [`NodePages`] for an example.
    #[must_use]
    pub fn placement_of<T: ?Sized>(&self, value: &T) -> Option<u32> {
        numa::page_node(core::ptr::NonNull::from(value).cast()).ok()
    }

    /// Asks the kernel for each page of a block: is it where it should be? One system call for 64 pages. An example is at
    /// [`interleaved`](Self::interleaved).
    #[must_use]
    pub fn placement(&self, block: MemoryBlock) -> Placement {
        let mut found = Placement::default();
        let mut pages = 0;
        let asked = numa::range_nodes(block.as_non_null(), block.len(), |node| {
            pages += 1;
            match node {
                Ok(node) if self.names(node) => found.bound += 1,
                Ok(_) => found.elsewhere += 1,
                Err(_) => found.unknown += 1,
            }
        });
        if asked.is_err() {
            found.unknown += block.len().div_ceil(page::size()) - pages;
        }
        found
    }

    fn names(&self, node: u32) -> bool {
        match self.policy {
            Policy::Default => true,
            Policy::Prefer(named) | Policy::Require(named) => node == named,
            Policy::Interleave(mask) => mask.unbounded_shr(node) & 1 != 0,
        }
    }

    /// Binds a block whose new pages nobody has touched; one that the kernel will not bind goes back.
    fn bound(&self, block: MemoryBlock) -> Result<MemoryBlock, AllocError> {
        if self.policy == Policy::Default {
            return Ok(block);
        }
        // SAFETY: whole pages of a mapping of `System`, ours.
        match unsafe { numa::bind(block.as_non_null(), block.len(), self.policy) } {
            Ok(()) => Ok(block),
            Err(_) => {
                // SAFETY: as above; it was shown to nobody.
                unsafe { unmap(block.as_non_null(), block.len()) };
                Err(AllocError::OutOfMemory)
            }
        }
    }

    /// A number for the policy.
    fn code(&self) -> [u64; 2] {
        match self.policy {
            Policy::Default => [0, 0],
            Policy::Prefer(node) => [1, u64::from(node)],
            Policy::Require(node) => [2, u64::from(node)],
            Policy::Interleave(mask) => [3, mask],
        }
    }
}

/// The kind of the identity for the halves of a number that names the policy.
struct Half;

// SAFETY: blocks are mappings of whole pages, as those of `System`, and released as such; a binding changes neither contents nor
// addresses. Errors: the kernel's, as values; a block that cannot be bound is unmapped before anybody sees it, and one that cannot grow
// stays. Identity: the system's and the policy, so equal ones bind alike.
unsafe impl MemoryResource for NodePages {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.bound(System.allocate(layout)?)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { take_back("node-pages", block) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // Mappings keep their binding when they move, and it holds for the pages that they grow by, too.
        // SAFETY: this function's contract.
        unsafe { resize(self, "node-pages", block, new_size, align) }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        // Fresh anonymous pages read as zero.
        self.allocate(layout)
    }

    fn identity(&self) -> ResourceId {
        let [kind, named] = self.code();
        let [low, high] = [named & u64::from(u32::MAX), named >> 32];
        let half = |number: u64| ResourceId::new::<Half>(usize::try_from(number).unwrap_or(usize::MAX));
        ResourceId::composed::<Self>(&[System.identity(), half(kind), half(low), half(high)])
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("node-pages", ThreadSafety::Shared)
    }
}

impl Collect for NodePages {
    /// Tries to unmap what the kernel would not take back before, as [`System`] does.
    fn collect(&self) -> usize {
        System.collect()
    }
}
