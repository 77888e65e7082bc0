//! Memory that a pool cuts into blocks.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

/// The head of each piece of memory of a pool, in that memory.
///
/// ```text
///  │ pad │ Region │ pad │ block │ block │ block │ … │ rest │
///  ▲                    ▲                           ▲
///  origin               first, aligned              first + count · len
/// ```
///
/// Invariant REGION: a `NonNull<Region>` that a pool holds points to an initialised head in memory that is the pool's until it
/// is dropped, with `count` blocks from `first` on in the same memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    pub(super) next: Option<NonNull<Region>>,
    /// The whole of it, as it was given.
    pub(super) origin: MemoryBlock,
    pub(super) first: NonNull<u8>,
    pub(super) count: usize,
}

/// What a region loses to its head and to alignment, at most.
const fn overhead(align: Alignment) -> usize {
    size_of::<Region>() + align_of::<Region>() + align.bytes()
}

/// What chunks are aligned to.
pub(super) const fn chunk_align(align: Alignment) -> Alignment {
    if align.bytes() > Alignment::MALLOC.bytes() { align } else { Alignment::MALLOC }
}

/// Memory for `count` blocks of `len` bytes from upstream.
pub(super) fn request<U: MemoryResource>(
    upstream: &U,
    count: usize,
    len: usize,
    align: Alignment,
) -> Result<MemoryBlock, AllocError> {
    let size = count.checked_mul(len).and_then(|size| size.checked_add(overhead(align)));
    let layout = size.and_then(|size| Layout::from_size_align(size, chunk_align(align).bytes()).ok());
    upstream.allocate(layout.ok_or(AllocError::SizeOverflow)?)
}

/// Makes a region of `memory`, with at most `most` blocks; `None` if there is no room for one.
///
/// # Safety
///
/// `memory` is valid for writes, and the caller's alone for as long as the region is used.
pub(super) unsafe fn make(
    memory: MemoryBlock,
    most: usize,
    len: usize,
    align: Alignment,
    next: Option<NonNull<Region>>,
) -> Option<NonNull<Region>> {
    let pad = |address: usize, to: usize| address.wrapping_neg() & (to - 1);
    let (_, from_head) = memory.split_at(pad(memory.address(), align_of::<Region>()))?;
    let (head, rest) = from_head.split_at(size_of::<Region>())?;
    // Blocks hold a link, whatever their own alignment is.
    let align = align.bytes().max(align_of::<usize>());
    let (_, blocks) = rest.split_at(pad(rest.address(), align))?;
    let count = blocks.len().checked_div(len)?.min(most);
    if count == 0 {
        return None;
    }
    let region = Region { next, origin: memory, first: blocks.as_non_null(), count };
    let place = head.as_non_null().cast::<Region>();
    // SAFETY: inside `memory`, aligned: this function's contract.
    unsafe { place.write(region) };
    Some(place)
}
