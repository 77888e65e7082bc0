//! [`Event`], what happened, and [`Record`], the same in 24 bytes.
//!
//! ```text
//!   word 0   63   61 60      55 54                          0
//!            │ kind │ log2 align │ size, 2⁵⁵ − 1 at most      │      kinds: 1 allocated, 2 released, 3 resize begun, 4 resized, 5 refused
//!   word 1   address; of a refusal: bits 0–7 the cause, bits 8–23 the tag that is over its budget
//!   word 2   of a resize that ended: the address before; else 0
//! ```
//!
//! As bytes, words and the bytes in them go from the lowest to the highest. A word 0 of zero is no record.

use stratalloc_resource::{Alignment, AllocError, MemoryTag};

/// What happened to a block, or to a request. An example is at [`Record`].
///
/// Addresses and sizes are those of requests. In the order of records no address is live twice: a release comes before the block goes back, an
/// allocation after the block came. A resize is two events for this reason: between them neither block may be counted on. One that the
/// resource refused ends at the old address with the old size, and a refusal follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A block was handed out.
    Allocated {
        /// Where it starts.
        address: usize,
        /// The size of the request.
        size: usize,
        /// The alignment of the request.
        align: Alignment,
    },
    /// A block was handed back.
    Released {
        /// Where it starts.
        address: usize,
        /// The length that it was handed back with.
        size: usize,
        /// Its alignment.
        align: Alignment,
    },
    /// A block is being resized: it may move from here at any time.
    ResizeBegun {
        /// Where it starts.
        address: usize,
        /// The length that it was handed in with.
        size: usize,
        /// Its alignment.
        align: Alignment,
    },
    /// A resize ended.
    Resized {
        /// Where the block was.
        from: usize,
        /// Where it is.
        address: usize,
        /// The size that it has.
        size: usize,
        /// Its alignment.
        align: Alignment,
    },
    /// A request or a resize was refused.
    Refused {
        /// The size that was asked for.
        size: usize,
        /// The alignment that was asked for.
        align: Alignment,
        /// Why.
        error: AllocError,
    },
}

/// An [`Event`] in 24 bytes; the layout is in the source and does not change within a major version.
///
/// ```
/// use stratalloc_modifiers::{Event, Record};
/// use stratalloc_resource::Alignment;
///
/// let event = Event::Allocated { address: 0x1000, size: 100, align: Alignment::constant::<16>() };
/// let bytes = Record::new(event).to_bytes();
/// assert_eq!(bytes[..9], [100, 0, 0, 0, 0, 0, 0, 0x22, 0]);
/// assert_eq!(Record::from_bytes(bytes).event(), Some(event));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record([u64; 3]);

/// The largest size that a record holds.
const MOST: u64 = (1 << ALIGN) - 1;
const ALIGN: u32 = 55;
const KIND: u32 = 61;

fn first_word(kind: u64, size: usize, align: Alignment) -> u64 {
    kind << KIND | u64::from(align.log2()) << ALIGN | (size as u64).min(MOST)
}

impl Record {
    /// No record.
    pub(super) const EMPTY: Self = Self([0; 3]);

    /// The record of an event. Sizes above 2⁵⁵ − 1, which are refused, are recorded as that. See [`Record`] for an example.
    #[must_use]
    pub fn new(event: Event) -> Self {
        Self(match event {
            Event::Allocated { address, size, align } => [first_word(1, size, align), address as u64, 0],
            Event::Released { address, size, align } => [first_word(2, size, align), address as u64, 0],
            Event::ResizeBegun { address, size, align } => [first_word(3, size, align), address as u64, 0],
            Event::Resized { from, address, size, align } => {
                [first_word(4, size, align), address as u64, from as u64]
            }
            Event::Refused { size, align, error } => [first_word(5, size, align), cause_of(error), 0],
        })
    }

    /// The event, if this is the record of one. See [`Record`] for an example.
    #[must_use]
    pub fn event(self) -> Option<Event> {
        let [first, address, from] = self.0;
        let size = usize::try_from(first & MOST).ok()?;
        let align = Alignment::new(1_usize.checked_shl(u32::try_from(first >> ALIGN & 63).ok()?)?)?;
        let place = usize::try_from(address);
        Some(match first >> KIND {
            1 => Event::Allocated { address: place.ok()?, size, align },
            2 => Event::Released { address: place.ok()?, size, align },
            3 => Event::ResizeBegun { address: place.ok()?, size, align },
            4 => Event::Resized { from: usize::try_from(from).ok()?, address: place.ok()?, size, align },
            5 => Event::Refused { size, align, error: error_of(address)? },
            _ => return None,
        })
    }

    /// For files and pipes. See [`Record`] for an example.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        for (place, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) wrote. See [`Record`] for an example.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 24]) -> Self {
        let mut words = [0; 3];
        for (word, place) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = place.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        }
        Self(words)
    }
}

fn cause_of(error: AllocError) -> u64 {
    match error {
        AllocError::OutOfMemory => 0,
        AllocError::SizeOverflow => 1,
        AllocError::BadAlignment => 2,
        AllocError::OverBudget(tag) => 3 | u64::from(tag.number()) << 8,
        AllocError::CapacityExhausted => 4,
        AllocError::NotOwned => 5,
        AllocError::Unsupported => 6,
    }
}

fn error_of(cause: u64) -> Option<AllocError> {
    Some(match cause & 0xFF {
        0 => AllocError::OutOfMemory,
        1 => AllocError::SizeOverflow,
        2 => AllocError::BadAlignment,
        3 => AllocError::OverBudget(MemoryTag::new(u16::try_from(cause >> 8).ok()?)),
        4 => AllocError::CapacityExhausted,
        5 => AllocError::NotOwned,
        6 => AllocError::Unsupported,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERRORS: [AllocError; 7] = [
        AllocError::OutOfMemory,
        AllocError::SizeOverflow,
        AllocError::BadAlignment,
        AllocError::OverBudget(MemoryTag::new(0xBEEF)),
        AllocError::CapacityExhausted,
        AllocError::NotOwned,
        AllocError::Unsupported,
    ];

    #[test]
    fn every_event_comes_back_from_its_bytes() {
        for log2 in (0..usize::BITS).step_by(if cfg!(miri) { 21 } else { 1 }) {
            let align = Alignment::new(1 << log2).unwrap();
            for (address, size) in [(usize::MAX, 0), (1, usize::MAX >> 9), (1 << log2, 1 << (log2 % 20))] {
                let mut events = [
                    Event::Allocated { address, size, align },
                    Event::Released { address, size, align },
                    Event::ResizeBegun { address, size, align },
                    Event::Resized { from: !address, address, size, align },
                    Event::Refused { size, align, error: AllocError::OutOfMemory },
                ];
                for error in ERRORS {
                    events[4] = Event::Refused { size, align, error };
                    for event in events {
                        let bytes = Record::new(event).to_bytes();
                        assert_eq!(Record::from_bytes(bytes).event(), Some(event));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_record_is_none() {
        assert_eq!(Record::default().event(), None);
        for kind in [0, 6, 7_u64] {
            assert_eq!(Record([kind << KIND, 0, 0]).event(), None);
        }
        assert_eq!(Record([5 << KIND, 7, 0]).event(), None, "an unknown cause");
        assert_eq!(Record([5 << KIND, 3 | 1 << 24, 0]).event(), None, "a tag that is none");
    }
}
