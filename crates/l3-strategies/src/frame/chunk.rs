//! What a frame got from its upstream.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

/// The first bytes of a chunk. The rest is room for blocks.
///
/// ```text
///  │ next │ len │ before │ room …                                  │
///  ▲                     ▲                                         ▲
///  NonNull<Chunk>        room_start()                              chunk + len
/// ```
///
/// Invariant CHUNK: a `NonNull<Chunk>` that a frame holds points to a header at the start of a live block of its upstream,
/// `len` bytes long, allocated with [`ALIGN`].
#[derive(Debug)]
pub(super) struct Chunk {
    /// The chunk that the frame continues with; kept through resets.
    pub(super) next: Cell<Option<NonNull<Chunk>>>,
    /// The length of the block.
    pub(super) len: usize,
    /// The bytes used in base and chunks before this one, when the frame last entered it.
    pub(super) before: Cell<usize>,
}

/// What chunks are aligned to: `malloc`'s promise, so an upstream over it adds nothing.
pub(super) const ALIGN: Alignment = Alignment::MALLOC;

/// A new chunk with at least `room` bytes behind its header; `wish` bytes in all, if the upstream can.
pub(super) fn allocate<U: MemoryResource>(
    upstream: &U,
    room: usize,
    wish: usize,
) -> Result<NonNull<Chunk>, AllocError> {
    let need = room.checked_add(size_of::<Chunk>()).ok_or(AllocError::SizeOverflow)?;
    let block = match request(upstream, need.max(wish)) {
        // The wish was for speed only; the need is what counts.
        Err(error) if error.is_transient() && wish > need => request(upstream, need),
        answer => answer,
    }?;
    let chunk = block.as_non_null().cast::<Chunk>();
    // SAFETY:
    // * valid for writes: `need` covers the header;
    // * aligned: ALIGN is at least the header's.
    unsafe { chunk.write(Chunk { next: Cell::new(None), len: block.len(), before: Cell::new(0) }) };
    Ok(chunk)
}

const _: () = assert!(ALIGN.bytes() >= align_of::<Chunk>());

fn request<U: MemoryResource>(upstream: &U, size: usize) -> Result<MemoryBlock, AllocError> {
    let layout = Layout::from_size_align(size, ALIGN.bytes()).map_err(|_| AllocError::SizeOverflow)?;
    upstream.allocate(layout)
}

/// Gives a chunk back.
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
