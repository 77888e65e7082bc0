//! Configuration and operations, decoded from the bytes of an input.
//!
//! ```text
//!   bytes of the input:  │ offset │ length │ shape … │ op size align │ op index slack │ op index size │ …
//!                          the target's numbers, first   then operations, until no bytes are left
//! ```
//!
//! Each number takes as many whole bytes as its range needs, at a place of its own. So a change to one byte changes one decision and leaves the
//! others, bytes put in or taken out of the middle are operations more or fewer, and coverage can lead libFuzzer from an input to the next.

use core::ops::Range;

use arbitrary::{Result, Unstructured};

use crate::support::Op;

/// More operations than this find nothing that fewer do not, and take longer.
const MOST_OPERATIONS: usize = 256;

/// What is left of an input. Without bytes each number is the least of its range.
pub(crate) struct Input<'a> {
    bytes: Unstructured<'a>,
}

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { bytes: Unstructured::new(data) }
    }

    /// A number within a range that is not empty.
    pub(crate) fn number(&mut self, range: Range<usize>) -> usize {
        self.bytes.int_in_range(range.start..=range.end - 1).unwrap_or(range.start)
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.bytes.arbitrary().unwrap_or(false)
    }

    /// All that is left as whatever `decode` makes of it.
    pub(crate) fn steps<T>(mut self, mut decode: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut steps = Vec::new();
        while steps.len() < MOST_OPERATIONS && !self.bytes.is_empty() {
            steps.push(decode(&mut self));
        }
        steps
    }

    /// Which of what there is: one byte, as there are no more live things than operations.
    pub(crate) fn index(&mut self) -> usize {
        self.number(0..256)
    }

    /// All that is left as operations, sizes below `max_size`.
    pub(crate) fn ops(mut self, max_size: usize) -> Vec<Op> {
        let mut ops = Vec::new();
        while ops.len() < MOST_OPERATIONS && !self.bytes.is_empty() {
            match op(&mut self.bytes, max_size) {
                Ok(op) => ops.push(op),
                Err(_) => break,
            }
        }
        ops
    }
}

/// Weighted as the property tests weigh them: more blocks are made than released, so that memory fills.
fn op(bytes: &mut Unstructured<'_>, max_size: usize) -> Result<Op> {
    Ok(match bytes.int_in_range(0_u8..=12)? {
        0..=5 => {
            let size = size(bytes, max_size)?;
            let rest: u8 = bytes.arbitrary()?;
            Op::Allocate { size, align: u32::from(rest % 8), zeroed: rest >= 128 }
        }
        6..=9 => Op::Deallocate { index: index(bytes)?, slack: index(bytes)? },
        10..=11 => Op::Reallocate { index: index(bytes)?, size: size(bytes, max_size)? },
        _ => Op::Special { choice: index(bytes)? },
    })
}

/// One byte: there are no more live blocks than operations.
fn index(bytes: &mut Unstructured<'_>) -> Result<usize> {
    bytes.arbitrary::<u8>().map(usize::from)
}

/// Mostly small: the property tests' three ranges.
fn size(bytes: &mut Unstructured<'_>, max_size: usize) -> Result<usize> {
    let below = match bytes.int_in_range(0_u8..=6)? {
        0..=3 => 200,
        4..=5 => 3000,
        _ => max_size,
    };
    bytes.int_in_range(0..=below.min(max_size) - 1)
}
