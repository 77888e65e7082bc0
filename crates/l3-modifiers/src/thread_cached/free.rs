//! [`Free`]: what stands in a block that waits in a cache.
//!
//! ```text
//!   │ next │ seal │ unused │      seal = next ^ place ^ a constant: whoever writes to a block after its release breaks it
//! ```
//!
//! Invariant CACHE-LINK: a block in a list or chain is nobody else's; its two words were written by [`link`], so its seal vouches for its link.

use core::ptr::NonNull;

use crate::damage::{Damage, DamageKind, report};

/// The first words of a block that waits.
#[derive(Debug)]
pub(super) struct Free {
    next: Option<NonNull<Free>>,
    seal: usize,
}

pub(super) type Link = Option<NonNull<Free>>;

#[expect(clippy::cast_possible_truncation, reason = "the lower half will do on 32-bit machines")]
const SEAL: usize = 0x7B4C_E39A_15D8_F26B_u64 as usize;

fn seal_of(place: NonNull<Free>, next: Link) -> usize {
    SEAL ^ place.addr().get() ^ next.map_or(0, |next| next.addr().get())
}

/// Makes the block at `place` one that waits, in front of `next`.
///
/// # Safety
///
/// The block is ours, aligned to words and two words long at least.
#[inline]
pub(super) unsafe fn link(place: NonNull<Free>, next: Link) {
    // SAFETY: this function's contract.
    unsafe { place.write(Free { next, seal: seal_of(place, next) }) };
}

/// What is behind a waiting block; `Err` if its words are not as they were written.
///
/// # Safety
///
/// CACHE-LINK: the block at `place` waits in a list of the caller's.
#[inline]
pub(super) unsafe fn next_of(place: NonNull<Free>) -> Result<Link, Broken> {
    // SAFETY: this function's contract.
    let free = unsafe { place.as_ref() };
    if free.seal == seal_of(place, free.next) { Ok(free.next) } else { Err(Broken { place }) }
}

/// A waiting block that somebody wrote to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken {
    place: NonNull<Free>,
}

impl Broken {
    #[cold]
    #[inline(never)]
    pub(super) fn report(self, len: usize) {
        report(&Damage::new("thread cached", DamageKind::LateWrite, self.place.addr().get(), len));
    }
}

/// How many blocks a chain has, at most `most + 1`; `Err` if one is broken.
///
/// # Safety
///
/// CACHE-LINK for the chain, which is the caller's.
pub(super) unsafe fn count(first: Link, most: usize) -> Result<usize, Broken> {
    let (mut next, mut blocks) = (first, 0);
    while let Some(place) = next
        && blocks <= most
    {
        // SAFETY: this function's contract, as far as sound seals lead.
        next = unsafe { next_of(place) }?;
        blocks += 1;
    }
    Ok(blocks)
}
