//! The region: one range of addresses that holds every slab, run and medium block, and the records that describe them.
//!
//! ```text
//!   metadata                                             heap (base, 2 MiB aligned)
//!   ├ thread heaps ┤ areas ┤ chunk records ┤ slab records ┤ area 0 │ area 1 │ …            │
//!     4 KiB each     1 KiB    64 B / 1 MiB    64 B / 16 KiB   └ touched ┘└ never touched yet …
//! ```
//!
//! The record of a pointer is found by arithmetic alone: `records + (p - base) / 16 KiB * 64`. The three words of that sum are
//! statics, of which each thread heap keeps a copy for the fast paths; `size` stays 0 until the region exists, so every pointer
//! fails the range test before that.
//!
//! How memory stands behind the addresses is decided once, at the first allocation:
//! - **whole**: one `NORESERVE` mapping, pages appear on first touch; the normal case.
//! - **commit**: the range is reserved without access and made writable piece by piece, because the kernel counts writable
//!   memory (overcommit mode 2).
//! - **piecewise**: nothing is reserved (an address-space limit would count it); pieces are mapped at their addresses when
//!   they are needed.

pub(crate) mod area;
mod birth;
pub(crate) mod chunk;
mod chunks;
mod growth;
mod reserve;

use core::ptr::NonNull;

use stratalloc_platform::{page, thread, vm};
use stratalloc_primitives::primitive::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};

use self::area::Area;
use self::birth::Birth;
use self::chunk::Chunk;
use crate::layout::{AREA, AREA_SHIFT, CHUNK, CHUNK_SHIFT, CHUNKS_PER_AREA, SLICE, SLICE_SHIFT, narrow};
use crate::small::slab::Slab;
use crate::small::thread_heap::{ThreadHeap, View};

pub(crate) use chunks::{
    SplitClaim, give_chunks, merge_all, split_new, take_chunks, take_exact, take_split_chunk, touched_limit,
};
pub(crate) use growth::{LARGE_BLOCK, granule_bytes};

/// Most thread heaps that can exist at once.
#[cfg(target_pointer_width = "64")]
pub(crate) const MAX_HEAPS: usize = 1 << 16;
#[cfg(not(target_pointer_width = "64"))]
pub(crate) const MAX_HEAPS: usize = 1 << 12;

/// Thread heaps that are backed together, where memory is backed piece by piece.
const HEAP_GROUP: usize = 16;

/// How memory stands behind the region's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Backing {
    Whole = 0,
    Commit = 1,
    Piecewise = 2,
}

/// The words that `free` reads, alone on their cache line.
#[repr(C, align(64))]
struct Geometry {
    base: AtomicUsize,
    size: AtomicUsize,
    records: AtomicUsize,
    chunks: AtomicUsize,
    areas: AtomicUsize,
    heaps: AtomicUsize,
    touched: AtomicU32,
    backing: AtomicU8,
    birth: Birth,
}

static GEOMETRY: Geometry = Geometry {
    base: AtomicUsize::new(0),
    size: AtomicUsize::new(0),
    records: AtomicUsize::new(0),
    chunks: AtomicUsize::new(0),
    areas: AtomicUsize::new(0),
    heaps: AtomicUsize::new(0),
    touched: AtomicU32::new(0),
    backing: AtomicU8::new(0),
    birth: Birth::new(),
};

/// Groups of thread heaps that are backed, where memory is backed piece by piece.
static HEAP_GROUPS: AtomicU32 = AtomicU32::new(0);

/// Offset of `ptr` in the region, if it lies inside.
#[inline(always)]
pub(crate) fn offset_of(ptr: *const u8) -> Option<usize> {
    // The size first: once it is set, so is the base.
    let size = GEOMETRY.size.load(Ordering::Acquire);
    let offset = ptr.addr().wrapping_sub(GEOMETRY.base.load(Ordering::Relaxed));
    if offset < size { Some(offset) } else { None }
}

/// Fills a thread heap's copy of the geometry.
pub(crate) fn view(view: &View) {
    view.base.set(GEOMETRY.base.load(Ordering::Relaxed));
    view.size.set(GEOMETRY.size.load(Ordering::Relaxed));
    view.records.set(GEOMETRY.records.load(Ordering::Relaxed));
}

/// Record of the slice at `offset` bytes into the region.
#[inline(always)]
pub(crate) fn slab_at(offset: usize) -> &'static Slab {
    let records: *const Slab = core::ptr::with_exposed_provenance(GEOMETRY.records.load(Ordering::Relaxed));
    // SAFETY: the caller got `offset` from `offset_of` or from a slice index, so it is inside the region, and the record
    // array has one entry per slice.
    let record = unsafe { records.add(offset >> SLICE_SHIFT) };
    // SAFETY: records are zero-initialised mapped memory, valid as all-zero, and never unmapped.
    unsafe { &*record }
}

/// Record of slice number `index`.
#[inline(always)]
pub(crate) fn slab(index: u32) -> &'static Slab {
    slab_at((index as usize) << SLICE_SHIFT)
}

/// Number of the slice that `slab` describes.
#[inline(always)]
pub(crate) fn slab_index(slab: &Slab) -> u32 {
    let distance = core::ptr::from_ref(slab).addr() - GEOMETRY.records.load(Ordering::Relaxed);
    narrow(distance / size_of::<Slab>())
}

/// Address of the byte at `offset`.
#[inline(always)]
pub(crate) fn at(offset: usize) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut(GEOMETRY.base.load(Ordering::Relaxed) + offset)
}

/// First byte of slice number `index`.
#[inline(always)]
pub(crate) fn slice_start(index: u32) -> *mut u8 {
    at((index as usize) << SLICE_SHIFT)
}

/// Record of chunk number `index`.
pub(crate) fn chunk(index: u32) -> &'static Chunk {
    let chunks: *const Chunk = core::ptr::with_exposed_provenance(GEOMETRY.chunks.load(Ordering::Relaxed));
    // SAFETY: chunk numbers come from offsets inside the region or from the buddy tree of an active area, so the record lies
    // inside the array.
    let record = unsafe { chunks.add(index as usize) };
    // SAFETY: as for slab records: zero-initialised, backed since the area became active, never unmapped.
    unsafe { &*record }
}

/// Record of the chunk that holds the byte at `offset`.
pub(crate) fn chunk_at(offset: usize) -> &'static Chunk {
    chunk(narrow(offset >> CHUNK_SHIFT))
}

/// Record of area number `index`.
pub(crate) fn area(index: u32) -> &'static Area {
    let areas: *const Area = core::ptr::with_exposed_provenance(GEOMETRY.areas.load(Ordering::Relaxed));
    // SAFETY: callers pass numbers below `area_count`, and the array has that many entries.
    let record = unsafe { areas.add(index as usize) };
    // SAFETY: zero-initialised, backed since the region exists, never unmapped.
    unsafe { &*record }
}

/// The area of a chunk, and the chunk's number inside it.
pub(crate) fn area_of_chunk(index: u32) -> (&'static Area, u32) {
    (area(index / CHUNKS_PER_AREA), index % CHUNKS_PER_AREA)
}

/// Areas that the range has room for; 0 before the region exists.
pub(crate) fn area_count() -> u32 {
    narrow(GEOMETRY.size.load(Ordering::Acquire) >> AREA_SHIFT)
}

/// Chunks below this number may have been touched; all above never were.
pub(crate) fn touched_chunks() -> u32 {
    GEOMETRY.touched.load(Ordering::Relaxed)
}

/// How memory stands behind the addresses.
pub(crate) fn backing() -> Backing {
    match GEOMETRY.backing.load(Ordering::Relaxed) {
        1 => Backing::Commit,
        2 => Backing::Piecewise,
        _ => Backing::Whole,
    }
}

/// Address range of the heap, for reports: base and size in bytes.
pub(crate) fn range() -> (usize, usize) {
    (GEOMETRY.base.load(Ordering::Relaxed), GEOMETRY.size.load(Ordering::Relaxed))
}

/// Memory for thread heap number `index`, zeroed; `None` when it cannot be backed or the number is too large.
pub(crate) fn heap_slot(index: u32) -> Option<&'static ThreadHeap> {
    const STRIDE: usize = ThreadHeap::STRIDE;
    const GROUP: usize = HEAP_GROUP;
    if index as usize >= MAX_HEAPS {
        return None;
    }
    let heaps = GEOMETRY.heaps.load(Ordering::Relaxed);
    while backing() != Backing::Whole && index / narrow(GROUP) >= HEAP_GROUPS.load(Ordering::Acquire) {
        back_next_heaps(heaps)?;
    }
    let slot: *const ThreadHeap = core::ptr::with_exposed_provenance(heaps + index as usize * STRIDE);
    // SAFETY: the slot lies inside the heap array, is backed, zero-initialised (valid for `ThreadHeap`) and never unmapped.
    Some(unsafe { &*slot })
}

/// Backs the next group of thread heaps, unless another thread does. `None`: no memory.
fn back_next_heaps(heaps: usize) -> Option<()> {
    const BYTES: usize = HEAP_GROUP * ThreadHeap::STRIDE;
    let group = HEAP_GROUPS.load(Ordering::Acquire);
    let start = heaps + group as usize * BYTES;
    let mut backed = back(start, BYTES);
    if backed.is_err_and(vm::OsError::is_out_of_memory) && crate::purge::give_up_backing() {
        // Memory that blocks no longer need serves as well.
        backed = back(start, BYTES);
    }
    match backed {
        Ok(()) => {
            // A failure means that another thread committed the same group, which twice is no more than once.
            let _ = HEAP_GROUPS.compare_exchange(group, group + 1, Ordering::Release, Ordering::Relaxed);
            Some(())
        }
        // Another thread was faster, and is about to say so; or the mapping there is none of ours.
        Err(error) if error == vm::OsError::OCCUPIED => (0..birth::PATIENCE)
            .any(|look| {
                thread::wait(look);
                HEAP_GROUPS.load(Ordering::Relaxed) != group
            })
            .then_some(()),
        Err(_) => None,
    }
}

/// An address that identifies this copy of the heap: two shared objects may each contain one.
pub(crate) fn identity() -> usize {
    core::ptr::from_ref(&GEOMETRY).addr()
}

/// Thread heap number `index`, which must have been handed out by [`heap_slot`] before.
pub(crate) fn heap(index: u32) -> &'static ThreadHeap {
    let slot: *const ThreadHeap = core::ptr::with_exposed_provenance(
        GEOMETRY.heaps.load(Ordering::Relaxed) + index as usize * ThreadHeap::STRIDE,
    );
    // SAFETY: the slot was backed when it was handed out and is never unmapped.
    unsafe { &*slot }
}

/// Makes `[start, start + len)`, which is not yet in use, usable in the modes that need it. `OCCUPIED`: something is mapped there.
fn back(start: usize, len: usize) -> Result<(), vm::OsError> {
    let page = page::size();
    let first = start & !(page - 1);
    let len = (start + len - first + page - 1) & !(page - 1);
    let Some(ptr) = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(first)) else {
        return Err(vm::OsError::OUT_OF_MEMORY);
    };
    match backing() {
        Backing::Whole => Ok(()),
        // SAFETY: the range lies inside our own reservation; committing twice changes nothing.
        Backing::Commit => unsafe { vm::commit(ptr, len) },
        Backing::Piecewise => {
            // SAFETY: the addresses belong to no mapping of ours yet, and an occupied range is refused by the kernel.
            unsafe { vm::map_at(first, len) }.map(drop)
        }
    }
}

/// True once the region exists; creates it on the first call. False means that no address space could be had.
pub(crate) fn ready() -> bool {
    GEOMETRY.birth.is_done() || GEOMETRY.birth.ensure(reserve::reserve)
}

/// Makes an area usable: backs its records and fills its tree. False when the records cannot be backed.
fn activate(index: u32) -> bool {
    let area = area(index);
    area.birth.is_done()
        || area.birth.ensure(|| {
            if !back_records(area, index) || (index == 0 && growth::touch(0, 1) != growth::Touched::Ready) {
                return false;
            }
            if index == 0 {
                // The first chunk never enters the tree: it is split at once, without its first slice.
                area.tree.release_range(1, CHUNKS_PER_AREA - 1);
                chunks::split_without_null_slice();
            } else {
                area.tree.release(0, 9);
            }
            true
        })
}

/// Backs the records of an area's slabs and chunks where that is needed. The caller is the only one at it; an attempt that failed
/// half-way goes on where it stopped.
fn back_records(area: &Area, index: u32) -> bool {
    if backing() == Backing::Whole {
        return true;
    }
    let slabs = size_of::<Slab>() * (AREA / SLICE);
    let chunks = size_of::<Chunk>() * (AREA / CHUNK);
    let parts = [
        (GEOMETRY.records.load(Ordering::Relaxed) + index as usize * slabs, slabs),
        (GEOMETRY.chunks.load(Ordering::Relaxed) + index as usize * chunks, chunks),
    ];
    let done = area.backed.load(Ordering::Relaxed);
    for (number, (start, len)) in (1..).zip(parts) {
        if done < number {
            if back(start, len).is_err() {
                return false;
            }
            area.backed.store(number, Ordering::Relaxed);
        }
    }
    true
}
