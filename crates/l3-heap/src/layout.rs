//! Sizes of the units that the heap is cut into, and the arithmetic between them.
//!
//! ```text
//! region  ├────────────── area 512 MiB ──────────────┤ …          address range of the whole heap
//! area    ├─ chunk 1 MiB ─┤ …                                     512 chunks: what the buddy tree hands out
//! chunk   ├ granule 16 KiB ┤ …                                    64 granules: one bit each in a 64-bit word
//! slice   the same 16 KiB, with the 64-byte record that a granule has when it is (part of) a slab: one or four of them
//! ```

/// log2 of [`GRANULE`].
pub(crate) const GRANULE_SHIFT: u32 = 14;
/// Smallest piece of a chunk, in bytes: the unit of runs (32 KiB < size ≤ 1 MiB).
pub(crate) const GRANULE: usize = 1 << GRANULE_SHIFT;
/// log2 of [`SLICE`].
pub(crate) const SLICE_SHIFT: u32 = GRANULE_SHIFT;
/// Bytes of a narrow slab, aligned to its size; each slice has one [`Slab`](crate::small::slab::Slab) record.
pub(crate) const SLICE: usize = 1 << SLICE_SHIFT;
/// log2 of [`CHUNK`].
pub(crate) const CHUNK_SHIFT: u32 = 20;
/// Bytes of one chunk: 64 granules, so that one 64-bit word tells which are free.
pub(crate) const CHUNK: usize = 1 << CHUNK_SHIFT;
/// log2 of [`AREA`].
pub(crate) const AREA_SHIFT: u32 = 29;
/// Bytes of one area: 512 chunks, the reach of one buddy tree.
pub(crate) const AREA: usize = 1 << AREA_SHIFT;

/// Slices in a wide slab, which is aligned to its size.
pub(crate) const WIDE: u32 = 4;
/// Chunks in an area.
pub(crate) const CHUNKS_PER_AREA: u32 = 1 << (AREA_SHIFT - CHUNK_SHIFT);
/// Slices in a chunk.
pub(crate) const SLICES_PER_CHUNK: u32 = 1 << (CHUNK_SHIFT - SLICE_SHIFT);

/// Bytes of a transparent huge page, the step in which the heap grows.
pub(crate) const HUGE_PAGE: usize = 2 << 20;

/// Largest request served from slabs, in bytes: above it a slab would hold a single block.
pub(crate) const SLAB_MAX: usize = 32 << 10;
/// Upper edge of the small domain, in bytes: the largest run, one whole chunk.
///
/// ```
/// use stratalloc_heap::layout::{DOMAIN_ALIGN_MAX, LARGE_MAX, MEDIUM_MAX, SMALL_MAX};
///
/// let domain = |size: usize, align: usize| match size {
///     _ if align > DOMAIN_ALIGN_MAX => "the system",
///     ..=SMALL_MAX => "small",
///     ..=MEDIUM_MAX => "medium",
///     ..=LARGE_MAX => "large",
///     _ => "huge",
/// };
/// assert_eq!((domain(100, 16), domain(5 << 20, 16), domain(2 << 30, 16)), ("small", "medium", "huge"));
/// ```
pub const SMALL_MAX: usize = CHUNK;
/// Upper edge of the medium domain, in bytes: the largest buddy block, one whole area. See [`SMALL_MAX`] for an example.
pub const MEDIUM_MAX: usize = AREA;
/// Upper edge of the large domain, in bytes; above it a block is huge. See [`SMALL_MAX`] for an example.
pub const LARGE_MAX: usize = 1 << 30;
/// Alignments above this (in bytes) are served by the operating system's layer. See [`SMALL_MAX`] for an example.
pub const DOMAIN_ALIGN_MAX: usize = WIDE as usize * SLICE;

const _: () = assert!(CHUNK / GRANULE == 64, "one word of granules describes a chunk");
const _: () = assert!(CHUNKS_PER_AREA == 512, "the buddy tree has ten orders");

/// Narrows a count that the caller knows to be below 2^32 (slice, chunk and block counts inside one region).
#[inline(always)]
#[allow(
    clippy::cast_possible_truncation,
    reason = "callers pass counts bounded by the region's size in units"
)]
pub(crate) const fn narrow(n: usize) -> u32 {
    n as u32
}
