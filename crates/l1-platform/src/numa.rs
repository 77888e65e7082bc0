//! Memory nodes: where a thread runs, where a page lies, where pages shall come from.
//!
//! ```text
//!   node 0  ├ processors 0 … 3 ┤├ memory ┤     a processor reads its own node's memory faster than another's
//!   node 1  ├ processors 4 … 7 ┤├ memory ┤
//!
//!   bind(range, policy) ──► first touch of a page ──► page_node, range_nodes: where is it?
//! ```
//!
//! On a machine with one node (or a kernel without NUMA) there is one node, 0, and [`bind`] does nothing for it and says of others that
//! there is only this one: callers look at [`nodes`] once and skip the rest.
//!
//! Windows takes a node with a reservation only, not for a range that is there: [`bind`] does nothing on a machine with one node, and
//! says [`NumaError::NoNuma`] on others. The questions are answered.

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::error::OsError;
use crate::page;

#[cfg(not(windows))]
#[path = "numa/linux.rs"]
mod port;
#[cfg(windows)]
#[path = "numa/windows.rs"]
mod port;

/// Nodes above this number are not bound to. Linux is built for at most 1024.
pub const NODE_LIMIT: u32 = 1024;

/// Pages that are asked about by one system call.
const AT_ONCE: usize = 64;

/// Zero until asked. Relaxed: every thread would find the same number.
static NODES: AtomicU32 = AtomicU32::new(0);

/// One more than the highest node that is online: the length of a table by node; 1 without NUMA. Asked once.
#[must_use]
pub fn nodes() -> u32 {
    match NODES.load(Ordering::Relaxed) {
        0 => nodes_slow(),
        nodes => nodes,
    }
}

#[cold]
fn nodes_slow() -> u32 {
    let nodes = port::highest_node().map_or(1, |highest| highest.saturating_add(1));
    NODES.store(nodes, Ordering::Relaxed);
    nodes
}

/// The node whose processor runs the calling thread right now; 0 if the kernel does not say. One system call.
#[must_use]
pub fn current_node() -> u32 {
    port::current_node()
}

/// The node on which a page lies (`move_pages` as a question: the page is neither moved nor touched).
///
/// Of memory without a binding ([`Policy::Default`]) the kernel's automatic balancing (`/proc/sys/kernel/numa_balancing`) marks pages, to
/// learn who touches them next. Until then some kernels (Linux 6.1) say of a marked page what they say of one that is not there.
///
/// # Errors
///
/// `ENOENT` if the page is not resident, `EFAULT` if nothing is mapped there or it is the shared page of zeros; either if it is marked;
/// [unsupported](OsError::is_unsupported) where the kernel has no NUMA. On Windows `ERROR_FILE_NOT_FOUND`, which has the number of `ENOENT`,
/// for both.
pub fn page_node(ptr: NonNull<u8>) -> Result<u32, OsError> {
    let mut answer = [Err(OsError::INVALID)];
    port::ask(&[ptr.as_ptr().expose_provenance()], &mut answer)?;
    answer[0]
}

/// Asks for every page of a range where it lies, 64 pages with a system call; `see` gets the pages in order, with the answers of
/// [`page_node`].
///
/// # Errors
///
/// The first question that is refused as a whole: [unsupported](OsError::is_unsupported) where the kernel has no NUMA.
pub fn range_nodes(
    ptr: NonNull<u8>,
    size: usize,
    mut see: impl FnMut(Result<u32, OsError>),
) -> Result<(), OsError> {
    let page = page::size();
    let (start, count) = (ptr.as_ptr().expose_provenance() & !(page - 1), size.div_ceil(page));
    for first in (0..count).step_by(AT_ONCE) {
        let asked = AT_ONCE.min(count - first);
        let (mut pages, mut answers) = ([0_usize; AT_ONCE], [Err(OsError::INVALID); AT_ONCE]);
        for (offset, address) in pages.iter_mut().enumerate() {
            *address = start + (first + offset) * page;
        }
        let (pages, answers) =
            (pages.get(..asked).unwrap_or(&[]), answers.get_mut(..asked).unwrap_or(&mut []));
        port::ask(pages, answers)?;
        answers.iter().for_each(|&answer| see(answer));
    }
    Ok(())
}

/// Where the pages of a range shall come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// As the thread that touches them is set.
    Default,
    /// From this node, or another if it has none left.
    Prefer(u32),
    /// From this node only: a fault that finds it full kills the process.
    Require(u32),
    /// From the nodes of this mask (bit n = node n, the first 64 nodes) by turns.
    Interleave(u64),
}

impl Policy {
    /// The first node that it names and this machine does not have.
    fn missing_node(self) -> Option<u32> {
        let highest = match self {
            Self::Default => return None,
            Self::Prefer(node) | Self::Require(node) => node,
            Self::Interleave(mask) => mask.checked_ilog2().unwrap_or(0),
        };
        (highest >= nodes()).then_some(highest)
    }
}

/// Why a range was not bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumaError {
    /// The kernel was built without memory nodes, or this process may not ask it for them.
    NoNuma,
    /// The machine has no such node.
    NoSuchNode {
        /// Which was asked for.
        node: u32,
        /// One more than the highest that there is.
        nodes: u32,
    },
    /// The policy names no node at all.
    NoNodes,
    /// The kernel refused for another reason, such as too many mappings.
    Os(OsError),
}

impl fmt::Display for NumaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoNuma => f.write_str("this system does not place memory by node (no NUMA)"),
            Self::NoSuchNode { node, nodes: 1 } => {
                write!(f, "this machine has one memory node, 0; there is no node {node}")
            }
            Self::NoSuchNode { node, nodes } => {
                write!(f, "this machine has the memory nodes 0 to {}; there is no node {node}", nodes - 1)
            }
            Self::NoNodes => f.write_str("the policy names no node"),
            Self::Os(error) => write!(f, "the range was not bound: {error}"),
        }
    }
}

impl core::error::Error for NumaError {}

/// Sets the policy for pages of a range that are not there yet (`mbind`); pages that are there stay. Splits mappings.
///
/// Nothing is asked of the kernel on a machine with one node: every policy that names it holds there already.
///
/// # Errors
///
/// See [`NumaError`]; each has a message.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of [`vm`](crate::vm), whole pages. (Contents and addresses do not change.)
pub unsafe fn bind(ptr: NonNull<u8>, size: usize, policy: Policy) -> Result<(), NumaError> {
    if policy == Policy::Interleave(0) {
        return Err(NumaError::NoNodes);
    }
    if let Some(node) = policy.missing_node() {
        return Err(NumaError::NoSuchNode { node, nodes: nodes() });
    }
    if nodes() == 1 {
        return Ok(());
    }
    // SAFETY: this function's contract.
    unsafe { port::set_policy(ptr, size, policy) }.map_err(refusal)
}

/// What a refusal of `mbind` means.
fn refusal(error: OsError) -> NumaError {
    match error {
        // The kernel itself says the second only of flags that are not used here: it is a filter of system calls, as containers have.
        OsError::UNSUPPORTED | OsError::NOT_PERMITTED => NumaError::NoNuma,
        error => NumaError::Os(error),
    }
}

/// Run with one node here and with two and four in the emulated machines.
#[cfg(all(test, not(miri)))]
mod tests;
