//! Memory nodes: where a thread runs, where a page lies, where pages shall come from.
//!
//! On a machine with one node (or a kernel without NUMA) there is one node, 0, and [`bind`] is refused or harmless:
//! callers look at [`nodes`] once and skip the rest.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::error::OsError;
use crate::sys::{self, nr};
use crate::text;

/// Nodes above this number are not bound to. Linux is built for at most 1024.
pub const NODE_LIMIT: u32 = 1024;

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
    let mut buffer = [0; 256];
    let text = text::read_file(c"/sys/devices/system/node/online", &mut buffer);
    let nodes = text.and_then(text::list).map_or(1, |(_, highest)| highest.saturating_add(1));
    NODES.store(nodes, Ordering::Relaxed);
    nodes
}

/// The node whose processor runs the calling thread right now; 0 if the kernel does not say. One system call.
#[must_use]
pub fn current_node() -> u32 {
    let mut node = 0_u32;
    let args = [0, (&raw mut node).expose_provenance(), 0, 0, 0, 0];
    // SAFETY: getcpu writes one `unsigned` to each pointer that is not null; only `node` is given.
    match unsafe { sys::call(nr::GETCPU, args) } {
        Ok(_) => node,
        Err(_) => 0,
    }
}

/// The node on which a page lies (`move_pages` as a question: the page is neither moved nor touched).
///
/// # Errors
///
/// `ENOENT` if the page is not resident, `EFAULT` if nothing is mapped there or it is the shared page of zeros;
/// [unsupported](OsError::is_unsupported) where the kernel has no NUMA.
pub fn page_node(ptr: NonNull<u8>) -> Result<u32, OsError> {
    let page = ptr.as_ptr();
    let mut status = 0_i32;
    let pages = (&raw const page).expose_provenance();
    let args = [0, 1, pages, 0, (&raw mut status).expose_provenance(), 0];
    // SAFETY: move_pages without target nodes reads one pointer and writes one int; 0 means this process.
    unsafe { sys::call(nr::MOVE_PAGES, args) }?;
    u32::try_from(status).map_err(|_| OsError::from_kernel(status.unsigned_abs() as usize))
}

/// Where the pages of a range shall come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Sets the policy for pages of a range that are not there yet (`mbind`); pages that are there stay. Splits mappings.
///
/// # Errors
///
/// Invalid if the node does not exist, or without NUMA; out of memory when no more mappings are allowed.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of [`vm`](crate::vm), whole pages. (Contents and addresses do not change.)
pub unsafe fn bind(ptr: NonNull<u8>, size: usize, policy: Policy) -> Result<(), OsError> {
    const MPOL_DEFAULT: usize = 0;
    const MPOL_PREFERRED: usize = 1;
    const MPOL_BIND: usize = 2;
    const MPOL_INTERLEAVE: usize = 3;
    let mut mask = [0_usize; (NODE_LIMIT / usize::BITS) as usize];
    let mode = match policy {
        Policy::Default => MPOL_DEFAULT,
        Policy::Prefer(node) => {
            set(&mut mask, node)?;
            MPOL_PREFERRED
        }
        Policy::Require(node) => {
            set(&mut mask, node)?;
            MPOL_BIND
        }
        Policy::Interleave(nodes) => {
            for node in (0..u64::BITS).filter(|node| nodes >> node & 1 != 0) {
                set(&mut mask, node)?;
            }
            MPOL_INTERLEAVE
        }
    };
    // The kernel takes the length of the mask plus one; the default policy wants no mask.
    let (mask, bits) = if mode == MPOL_DEFAULT {
        (0, 0)
    } else {
        (mask.as_ptr().expose_provenance(), NODE_LIMIT as usize + 1)
    };
    let args = [ptr.as_ptr().expose_provenance(), size, mode, mask, bits, 0];
    // SAFETY: mbind reads `NODE_LIMIT` bits from the mask and changes no contents.
    unsafe { sys::call(nr::MBIND, args) }.map(drop)
}

/// Sets bit `node`.
fn set(mask: &mut [usize], node: u32) -> Result<(), OsError> {
    let word = mask.get_mut((node / usize::BITS) as usize).ok_or(OsError::INVALID)?;
    *word |= 1 << (node % usize::BITS);
    Ok(())
}

/// Run with one node here and with two in the emulated machine.
#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::page;
    use crate::vm::{self, Access};

    #[test]
    fn a_thread_runs_on_a_node_that_exists() {
        assert!((1..=NODE_LIMIT).contains(&nodes()));
        assert!(current_node() < nodes());
        assert_eq!(nodes(), nodes_slow());
    }

    #[test]
    fn pages_lie_where_they_are_bound_to() {
        let size = page::size();
        for node in 0..nodes() {
            for policy in [Policy::Prefer(node), Policy::Require(node), Policy::Interleave(1 << node)] {
                let ptr = vm::reserve(size, size, Access::ReadWrite).unwrap();
                // SAFETY: the page just reserved.
                let bound = unsafe { bind(ptr, size, policy) };
                assert!(page_node(ptr).is_err(), "not touched yet");
                // SAFETY: as above.
                unsafe { ptr.write(1) };
                match (bound, page_node(ptr)) {
                    (Ok(()), Ok(found)) => assert_eq!(found, node, "{policy:?}"),
                    // A kernel or an emulator without NUMA; several nodes are proof of the contrary.
                    _ if nodes() > 1 => panic!("{policy:?}: {bound:?}"),
                    (Err(error), _) | (_, Err(error)) => assert!(error.is_unsupported(), "{error}"),
                }
                // SAFETY: as above; no longer used.
                unsafe { vm::release(ptr, size) }.unwrap();
            }
        }
    }

    #[test]
    fn nodes_that_do_not_exist_are_refused() {
        let size = page::size();
        let ptr = vm::reserve(size, size, Access::ReadWrite).unwrap();
        for policy in [Policy::Require(nodes()), Policy::Prefer(NODE_LIMIT), Policy::Require(u32::MAX)] {
            // SAFETY: the page just reserved.
            let error = unsafe { bind(ptr, size, policy) }.unwrap_err();
            assert!(error.is_unsupported(), "{policy:?}: {error}");
        }
        // SAFETY: as above.
        let back = unsafe { bind(ptr, size, Policy::Default) };
        assert!(back.is_ok() || back.is_err_and(OsError::is_unsupported));
        // SAFETY: as above; no longer used.
        unsafe { vm::release(ptr, size) }.unwrap();
    }
}
