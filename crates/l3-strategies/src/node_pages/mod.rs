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
//! | `reallocate` | nothing within the last page; else one `mremap`, which keeps the binding, and one `mbind`; alignments above a page copy |
//! | on a machine with one node | no `mbind`: as [`System`] |
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
    reallocate_by_moving,
};

use crate::system::{System, admits, unmap, whole_pages};

/// Pages of chosen memory nodes as a resource; see the [module](self).
///
/// Values with the same policy are the same one.
///
/// ```
/// use stratalloc_platform::numa;
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
/// let refused = NodePages::on(numa::nodes()).unwrap_err();
/// assert!(refused.to_string().contains("there is no node"));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePages {
    policy: Policy,
}

/// Where the pages of a range are, as the kernel says; see [`NodePages::placement`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Pages on a node that the policy names.
    pub bound: usize,
    /// Pages on another one: the node was full, or the pages were there before.
    pub elsewhere: usize,
    /// Pages that nobody has touched yet, or about which the system says nothing.
    pub unknown: usize,
}
