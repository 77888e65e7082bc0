//! Contents that can be recognised: each block is filled from a number of its own.

use core::mem::MaybeUninit;
use core::slice;

use crate::MemoryBlock;

/// Blocks up to this length are marked whole, longer ones at both ends and at every [`STRIDE`]th byte between.
const WHOLE: usize = 2 * 1024;
/// How much at either end of a longer block.
const EDGE: usize = 512;
/// What zeroed memory is compared with.
static ZEROS: [u8; 4096] = [0; 4096];
/// A prime, so that the marks between do not fall on the same place of every page or line.
const STRIDE: usize = 61;

/// The byte at `index` of a block with this mark. Depends on both, so shifted contents are not mistaken for right ones.
fn byte(mark: u64, index: usize) -> u8 {
    let mixed = (mark ^ index as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed >> 56) as u8
}

/// The marked places of a block of `len` bytes.
fn places(len: usize) -> impl Iterator<Item = usize> {
    let edge = if len <= WHOLE { len } else { EDGE };
    let tail = if len <= WHOLE { len } else { len - EDGE };
    (0..edge).chain((edge..tail).step_by(STRIDE)).chain(tail..len)
}

/// Writes the mark into a live block.
///
/// # Safety
///
/// The block is live and the caller's.
pub(super) unsafe fn fill(block: MemoryBlock, mark: u64) {
    // SAFETY:
    // * `len` bytes are valid and exclusive for the moment: this function's contract (a resource that broke
    //   Disjoint was caught before its blocks came here);
    // * `MaybeUninit` needs no initialised contents.
    let bytes: &mut [MaybeUninit<u8>] =
        unsafe { slice::from_raw_parts_mut(block.as_ptr().cast(), block.len()) };
    for index in places(block.len()) {
        bytes[index].write(byte(mark, index));
    }
}

/// The first marked place below `kept` that is not as [`fill`] left it in a block of `filled` bytes.
///
/// # Safety
///
/// `kept <= filled`, `kept <= block.len()`; the block is live and the caller's; its first `kept` bytes were marked, as the
/// start of `filled` bytes, here or at the place they were moved from.
pub(super) unsafe fn damage(block: MemoryBlock, filled: usize, kept: usize, mark: u64) -> Option<usize> {
    // SAFETY: as in `fill`; `kept <= len`.
    let bytes: &[MaybeUninit<u8>] = unsafe { slice::from_raw_parts(block.as_ptr().cast(), kept) };
    places(filled).take_while(|&index| index < kept).find(|&index| {
        // SAFETY: the byte was written by `fill`, and the contract under test promises that it is still there.
        let found = unsafe { bytes[index].assume_init() };
        found != byte(mark, index)
    })
}

/// The first byte that is not zero.
///
/// # Safety
///
/// The block is live, the caller's, and came from `allocate_zeroed`.
pub(super) unsafe fn not_zero(block: MemoryBlock) -> Option<usize> {
    // SAFETY:
    // * `len` bytes are valid and exclusive: this function's contract;
    // * initialised: the contract under test promises zeros.
    let bytes = unsafe { slice::from_raw_parts(block.as_ptr(), block.len()) };
    // Compared in runs, which is a `memcmp` also where nothing is optimised; then the byte is looked for.
    let run = bytes.chunks(ZEROS.len()).position(|run| run != &ZEROS[..run.len()])?;
    let within = bytes.iter().skip(run * ZEROS.len()).position(|&byte| byte != 0)?;
    Some(run * ZEROS.len() + within)
}

#[cfg(test)]
mod tests {
    use core::ptr::NonNull;

    use alloc::vec;

    use super::*;

    #[test]
    fn a_changed_marked_byte_is_found_in_short_and_long_blocks() {
        for len in [1, 100, WHOLE, WHOLE + 1, 5 * WHOLE] {
            let mut memory = vec![0_u8; len];
            for index in [0, len / 3, len - 1] {
                let block = MemoryBlock::from_slice_ptr(NonNull::from(&mut memory[..]));
                // SAFETY: the block is `memory`.
                unsafe { fill(block, 7) };
                // SAFETY: the block is `memory`, marked just now.
                assert_eq!(unsafe { damage(block, len, len, 7) }, None);
                let marked = places(len).find(|&place| place >= index).unwrap();
                memory[marked] ^= 1;
                let block = MemoryBlock::from_slice_ptr(NonNull::from(&mut memory[..]));
                // SAFETY: as above.
                assert_eq!(unsafe { damage(block, len, len, 7) }, Some(marked));
            }
        }
    }

    #[test]
    fn marks_and_places_differ() {
        let differing = (0..1000).filter(|&index| byte(1, index) != byte(2, index)).count();
        assert!(differing > 900);
        let shifted = (0..1000).filter(|&index| byte(1, index) != byte(1, index + 1)).count();
        assert!(shifted > 900);
    }
}
