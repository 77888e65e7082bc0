//! The word behind each block: whose it is.
//!
//! ```text
//!   inner block  │ the caller's bytes │ label │ unused │
//!                                     └─ 0               47 48     63
//!                                        │ check           │  tag   │     the check's complement once released
//! ```
//!
//! Behind, not before: the block then begins where the inner one does, so the resource below recognises it, and alignments cost nothing.
//! The check is made of the block's address and length, and comes first in memory, whatever the order of bytes: a write of one byte too many
//! hits it. (On 32-bit machines it has 16 bits.)

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{AllocError, MemoryBlock, MemoryTag};

use crate::damage::{Damage, DamageKind};

/// Bytes behind each block.
pub(super) const LABEL: usize = size_of::<usize>();

/// Where the tag begins, and the bits of the check below it.
const TAG: u32 = usize::BITS - 16;
const CHECK: usize = (1 << TAG) - 1;
// Odd and without pattern: the upper bits of products, which are kept, depend on all bits.
#[expect(clippy::cast_possible_truncation, reason = "the lower half will do on 32-bit machines")]
const MIX: usize = 0xA3D9_5E71_C04B_82C5_u64 as usize;

fn check_of(block: MemoryBlock) -> usize {
    let address = block.address().wrapping_mul(MIX);
    (address ^ block.len()).wrapping_add(MIX).wrapping_mul(MIX) >> 16
}

/// The layout of the inner block.
pub(super) fn with_label(layout: Layout) -> Result<Layout, AllocError> {
    let total = layout.size().checked_add(LABEL).ok_or(AllocError::SizeOverflow)?;
    Layout::from_size_align(total, layout.align()).map_err(|_| AllocError::SizeOverflow)
}

/// # Safety
///
/// The block lies in one that is [`LABEL`] bytes longer.
unsafe fn label_of(block: MemoryBlock) -> NonNull<usize> {
    // SAFETY: this function's contract.
    unsafe { block.as_non_null().add(block.len()) }.cast()
}

/// Writes whose block this is.
///
/// # Safety
///
/// The block lies in one that is [`LABEL`] bytes longer, and those are ours.
pub(super) unsafe fn write(block: MemoryBlock, tag: MemoryTag) {
    // SAFETY: this function's contract.
    let label = unsafe { label_of(block) };
    // SAFETY: ours; it may begin at any byte.
    unsafe { label.write_unaligned((check_of(block) | usize::from(tag.number()) << TAG).to_le()) };
}

/// Whose live block this is.
///
/// # Safety
///
/// `block` is a live block with a label, or the place of one whose memory is still the resource's below.
pub(super) unsafe fn read(block: MemoryBlock) -> Result<MemoryTag, Damage> {
    // SAFETY: this function's contract.
    let label = unsafe { label_of(block) };
    // SAFETY: this function's contract: written when the block was made.
    let word = usize::from_le(unsafe { label.read_unaligned() });
    let check = check_of(block);
    let damage = |kind| Err(Damage::new("tagged", kind, block.address(), block.len()));
    match word & CHECK {
        #[expect(clippy::cast_possible_truncation, reason = "the bits of the tag")]
        found if found == check => Ok(MemoryTag::new((word >> TAG) as u16)),
        found if found == !check & CHECK => damage(DamageKind::DoubleRelease),
        _ => damage(DamageKind::NotAsMade),
    }
}

/// The block is not live any more.
///
/// # Safety
///
/// As for [`write()`].
pub(super) unsafe fn release(block: MemoryBlock) {
    // SAFETY: this function's contract.
    let label = unsafe { label_of(block) };
    // SAFETY: ours, as in `write`.
    unsafe { label.write_unaligned((!check_of(block)).to_le()) };
}
