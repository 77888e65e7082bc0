//! A buffer of a size known at run time whose contents say which buffer it is.
//!
//! ```text
//!   | mark | mark ^ 1 | mark ^ 2 | …  up to 128 bytes  |   untouched   | last byte |
//! ```
//!
//! Small objects are written whole, as constructors do; of larger ones the head and the last byte, as buffers are that
//! are made with room to spare. Two live blocks that overlap, or memory that loses its contents, fail the check.

use std::hint::black_box;
use std::mem::MaybeUninit;

/// How much of the head is written, in words.
const HEAD_WORDS: usize = 16;

/// The smallest block: the mark and the last byte must not share a byte.
const SMALLEST: usize = 16;

/// A marked buffer on the heap.
#[derive(Debug)]
pub(crate) struct Block(Box<[MaybeUninit<u8>]>);

impl Block {
    /// Allocates `size` bytes (at least 16) and marks them.
    #[inline]
    pub(crate) fn new(size: usize, mark: u64) -> Self {
        let mut bytes = Box::new_uninit_slice(size.max(SMALLEST));
        for (index, word) in bytes.chunks_exact_mut(8).take(HEAD_WORDS).enumerate() {
            word.write_copy_of_slice(&(mark ^ index as u64).to_ne_bytes());
        }
        // Last, for the head may cover the last byte.
        if let Some(last) = bytes.last_mut() {
            last.write((mark >> 8) as u8);
        }
        // The contents escape: neither the allocation nor the writes can be optimised away.
        black_box(bytes.as_mut_ptr());
        Self(bytes)
    }

    /// The number of bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Reads the mark back and checks the last byte against it.
    #[inline]
    pub(crate) fn mark(&self) -> u64 {
        let mark = self.word(0);
        // SAFETY: `new` wrote the last byte.
        let last = unsafe { self.0[self.0.len() - 1].assume_init() };
        assert_eq!(last, (mark >> 8) as u8, "a live block was overwritten");
        mark
    }

    /// As `mark`, and checks every word that was written whole.
    #[inline]
    pub(crate) fn mark_checked(&self) -> u64 {
        let mark = self.mark();
        let whole_words = ((self.0.len() - 1) / 8).min(HEAD_WORDS);
        for index in 0..whole_words {
            assert_eq!(self.word(index), mark ^ index as u64, "a live block was overwritten");
        }
        mark
    }

    /// The word number `index` of the head.
    #[inline]
    fn word(&self, index: usize) -> u64 {
        let mut word = [0; 8];
        for (byte, source) in word.iter_mut().zip(&self.0[index * 8..index * 8 + 8]) {
            // SAFETY: `new` wrote every whole word of the head, and callers stay below `HEAD_WORDS` and the length.
            *byte = unsafe { source.assume_init() };
        }
        u64::from_ne_bytes(word)
    }
}
