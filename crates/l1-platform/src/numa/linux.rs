//! `mbind`, `move_pages`, `getcpu`, `/sys/devices/system/node`.

use core::ptr::NonNull;

use super::{AT_ONCE, NODE_LIMIT, Policy};
use crate::error::OsError;
use crate::sys::{self, nr};
use crate::text;

/// The highest node that is online.
pub(super) fn highest_node() -> Option<u32> {
    let mut buffer = [0; 256];
    let text = text::read_file(c"/sys/devices/system/node/online", &mut buffer);
    text.and_then(text::list).map(|(_, highest)| highest)
}

pub(super) fn current_node() -> u32 {
    let mut node = 0_u32;
    let args = [0, (&raw mut node).expose_provenance(), 0, 0, 0, 0];
    // SAFETY: getcpu writes one `unsigned` to each pointer that is not null; only `node` is given.
    match unsafe { sys::call(nr::GETCPU, args) } {
        Ok(_) => node,
        Err(_) => 0,
    }
}

/// Asks where pages lie, as many as there are answers, at most [`AT_ONCE`].
pub(super) fn ask(pages: &[usize], answers: &mut [Result<u32, OsError>]) -> Result<(), OsError> {
    let mut said = [0_i32; AT_ONCE];
    let asked = pages.len().min(answers.len()).min(AT_ONCE);
    let (from, to) = (pages.as_ptr().expose_provenance(), said.as_mut_ptr().expose_provenance());
    // SAFETY: move_pages without target nodes reads `asked` pointers and writes as many ints; 0 means this process.
    unsafe { sys::call(nr::MOVE_PAGES, [0, asked, from, 0, to, 0]) }?;
    for (answer, said) in answers.iter_mut().zip(said).take(asked) {
        *answer = node_or_error(said);
    }
    Ok(())
}

/// What `move_pages` says of a page: its node, or a negated error number.
fn node_or_error(answer: i32) -> Result<u32, OsError> {
    u32::try_from(answer).map_err(|_| OsError::from_kernel(answer.unsigned_abs() as usize))
}

/// The system call of [`bind`](super::bind).
///
/// # Safety
///
/// As there.
pub(super) unsafe fn set_policy(ptr: NonNull<u8>, size: usize, policy: Policy) -> Result<(), OsError> {
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
