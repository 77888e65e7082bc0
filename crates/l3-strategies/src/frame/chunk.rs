//! What a frame got from its upstream.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

/// The first bytes of a chunk. The rest is room for blocks.
///
/// ```text
///  │ next │ len │ room …                                           │
///  ▲            ▲                                                  ▲
///  chunk        room_start                                         end
/// ```
///
/// Invariant CHUNK: a `NonNull<Chunk>` that a frame holds points to a header at the start of a live block of its upstream,
/// `len` bytes long, allocated with [`ALIGN`]; the pointer may reach the whole block.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The chunk that the frame continues with; kept through resets.
    pub(super) next: Cell<Option<NonNull<Chunk>>>,
    /// The length of the block.
    pub(super) len: usize,
}

/// What chunks are aligned to: `malloc`'s promise, so an upstream over it adds nothing.
const ALIGN: Alignment = Alignment::MALLOC;
/// The bytes of a chunk that blocks cannot have.
pub(super) const HEADER: usize = size_of::<Chunk>();

const _: () = assert!(ALIGN.bytes() >= align_of::<Chunk>());

/// A new chunk with at least `room` bytes behind its header; `wish` bytes in all, if the upstream can.
pub(super) fn allocate<U: MemoryResource>(
    upstream: &U,
    room: usize,
    wish: usize,
) -> Result<NonNull<Chunk>, AllocError> {
    let need = room.checked_add(HEADER).ok_or(AllocError::SizeOverflow)?;
    let block = match request(upstream, need.max(wish)) {
        // The wish was for speed only; the need is what counts.
        Err(_) if wish > need => request(upstream, need),
        answer => answer,
    }?;
    let chunk = block.as_non_null().cast::<Chunk>();
    // SAFETY:
    // * valid for writes: `need` covers the header;
    // * aligned: ALIGN is at least the header's.
    unsafe { chunk.write(Chunk { next: Cell::new(None), len: block.len() }) };
    Ok(chunk)
}

fn request<U: MemoryResource>(upstream: &U, size: usize) -> Result<MemoryBlock, AllocError> {
    let layout = Layout::from_size_align(size, ALIGN.bytes()).map_err(|_| AllocError::SizeOverflow)?;
    upstream.allocate(layout)
}

/// The bytes of a chunk that blocks may have.
///
/// # Safety
///
/// CHUNK holds for it.
pub(super) unsafe fn room(chunk: NonNull<Chunk>) -> MemoryBlock {
    // SAFETY: CHUNK.
    let len = unsafe { chunk.as_ref() }.len;
    // SAFETY: a chunk is longer than its header: `allocate`.
    let start = unsafe { chunk.cast::<u8>().add(HEADER) };
    MemoryBlock::new(start, len.wrapping_sub(HEADER))
}

/// Gives a chunk back and tells its length.
///
/// # Safety
///
/// CHUNK held for it with this upstream; nobody uses it any more.
pub(super) unsafe fn release<U: MemoryResource>(upstream: &U, chunk: NonNull<Chunk>) -> usize {
    // SAFETY: CHUNK.
    let len = unsafe { chunk.as_ref() }.len;
    // SAFETY: a live block with the length that was returned and the alignment of its request: CHUNK.
    unsafe { upstream.deallocate(MemoryBlock::new(chunk.cast(), len), ALIGN) };
    len
}
