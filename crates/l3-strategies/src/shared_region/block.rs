//! Blocks: what their headers say.
//!
//! ```text
//!   word 0   63        48 47   40 39      32 31                    0
//!            │ –         │ state │ owner + 1 │ size in words        │      owner: a participant; 0 where nobody holds it
//!   word 1   63                  32 31                             0
//!            │ check               │ size of the block before       │      0 for the first
//!   word 2   next in its bin (free) or queue (queued)
//!   word 3   previous in its bin (free), or the length of the message in bytes
//!   word 4…  payload, never touched while the block is live
//! ```
//!
//! Invariant **BLOCK**: from `AT_BLOCKS` on block lies behind block without a gap, up to one of state `End` and size `HEADER`; the check
//! fits the place; each says the size of the one before; no two free ones are neighbours.

use super::journal::Change;
use super::layout::{AT_BLOCKS, HEADER};
use super::words::Words;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// In a bin.
    Free,
    /// A process has it.
    Held,
    /// In a message queue.
    Queued,
    /// Behind the last block.
    End,
}

const SIZE: u64 = 0xFFFF_FFFF;
const OWNER_SHIFT: u32 = 32;
const STATE_SHIFT: u32 = 40;
const CHECK_SHIFT: u32 = 32;

/// Values of the state's bits; 0 is none, so that zeros are no block.
const STATES: [(State, u64); 4] = [(State::Free, 1), (State::Held, 2), (State::Queued, 3), (State::End, 4)];

/// The first word of a header, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) state: State,
    /// The participant that holds it, plus 1.
    pub(super) owner: u64,
}

impl Head {
    pub(super) const fn free(size: u64) -> Self {
        Self { size, state: State::Free, owner: 0 }
    }

    fn pack(self) -> u64 {
        let state = STATES.iter().find(|(state, _)| *state == self.state).map_or(0, |(_, bits)| *bits);
        self.size & SIZE | (self.owner & 0xFF) << OWNER_SHIFT | state << STATE_SHIFT
    }

    fn unpack(word: u64) -> Option<Self> {
        let (state, _) = STATES.iter().find(|(_, bits)| *bits == word >> STATE_SHIFT)?;
        Some(Self { size: word & SIZE, state: *state, owner: word >> OWNER_SHIFT & 0xFF })
    }
}

/// A number that a header at `at` has and payload hardly ever: 31 bits of a multiplicative hash, and a 1.
const fn check(at: u64) -> u64 {
    at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33 | 1 << 31
}

/// Reads the header at `at`, if one stands there and its block ends in the region.
pub(super) fn read(words: &Words<'_>, at: u64) -> Option<Head> {
    let head = Head::unpack(words.get(at))?;
    let behind = at.checked_add(head.size)?;
    let fits = at >= AT_BLOCKS && at.is_multiple_of(HEADER) && head.size >= HEADER && behind <= words.count();
    (fits && words.get(at + 1) >> CHECK_SHIFT == check(at)).then_some(head)
}

/// The size of the block before, as the header at `at` says.
pub(super) fn previous_size(words: &Words<'_>, at: u64) -> u64 {
    words.get(at + 1) & SIZE
}

/// Words 2 and 3 of a header.
pub(super) const LINK: u64 = 2;
pub(super) const BACK: u64 = 3;
/// The message's length, where the block is not free.
pub(super) const LENGTH: u64 = 3;

/// The word `field` of the header at a place that was read from memory, which others write: no word, if there is none.
pub(super) const fn beside(at: u64, field: u64) -> u64 {
    at.saturating_add(field)
}

impl Change<'_, '_> {
    /// Writes a new header's first two words.
    pub(super) fn write_header(&mut self, at: u64, head: Head, previous: u64) {
        self.set(at, head.pack());
        self.set(at + 1, check(at) << CHECK_SHIFT | previous & SIZE);
    }

    /// Changes the first word.
    pub(super) fn write_head(&mut self, at: u64, head: Head) {
        self.set(at, head.pack());
    }

    /// Tells the block at `at` how large the one before it is.
    pub(super) fn write_previous(&mut self, at: u64, previous: u64) {
        self.set(at + 1, check(at) << CHECK_SHIFT | previous & SIZE);
    }

    /// No block begins at `at` any more: nobody shall take what is left of a header for one.
    pub(super) fn erase(&mut self, at: u64) {
        self.set(at, 0);
    }
}

/// All blocks but the end, from the first on, until the end or something that is no block.
pub(super) fn walk<'w>(words: &'w Words<'_>) -> impl Iterator<Item = (u64, Head)> + 'w {
    let mut at = AT_BLOCKS;
    core::iter::from_fn(move || {
        let head = read(words, at).filter(|head| head.state != State::End)?;
        let here = at;
        at += head.size;
        Some((here, head))
    })
}
