//! Reserving the region: where it lies, how memory stands behind it, and what of it is backed from the start.

use stratalloc_platform::{limits, vm};
use stratalloc_primitives::primitive::atomic::Ordering;

use super::area::Area;
use super::chunk::Chunk;
use super::{Backing, GEOMETRY, HEAP_GROUP, HEAP_GROUPS, MAX_HEAPS, back};
use crate::layout::{AREA, AREA_SHIFT, CHUNK_SHIFT, HUGE_PAGE, SLICE_SHIFT};
use crate::small::slab::Slab;
use crate::small::thread_heap::ThreadHeap;

/// Address-range sizes that are tried, largest first. On Linux 1 TiB of addresses costs nothing but numbers.
#[cfg(target_pointer_width = "64")]
const SIZES: [usize; 3] = [1 << 40, 1 << 36, 1 << 32];
#[cfg(not(target_pointer_width = "64"))]
const SIZES: [usize; 2] = [1 << 30, 1 << 29];

/// Sizes in bytes of the parts of a range.
struct Plan {
    size: usize,
    heaps: usize,
    areas: usize,
    chunks: usize,
    records: usize,
    total: usize,
}

/// Sizes of the parts for a heap range of `size` bytes (a multiple of an area); `total` includes the heap itself.
fn plan(size: usize) -> Plan {
    let round = |n: usize| (n + 0xffff) & !0xffff;
    let heaps = MAX_HEAPS * ThreadHeap::STRIDE;
    let areas = round((size >> AREA_SHIFT) * size_of::<Area>());
    let chunks = round((size >> CHUNK_SHIFT) * size_of::<Chunk>());
    let records = (size >> SLICE_SHIFT) * size_of::<Slab>();
    let metadata = (heaps + areas + chunks + records + HUGE_PAGE - 1) & !(HUGE_PAGE - 1);
    Plan { size, heaps, areas, chunks, records, total: metadata + size }
}

/// The size that is tried first: on Linux the largest.
///
/// Windows commits no more than physical memory and page files hold, which grow to three times as much. And addresses cost something
/// where a table has an entry for each page: wine took 160 ms and 256 MiB for 1 TiB.
fn largest() -> usize {
    if !cfg!(windows) {
        return SIZES[0];
    }
    match usize::try_from(limits::total_memory()) {
        Ok(memory @ 1..) if memory < SIZES[0] / 4 => {
            (4 * memory).next_power_of_two().max(SIZES[SIZES.len() - 1])
        }
        _ => SIZES[0],
    }
}

/// Finds a place for the region and makes it known. False: no address space, or no memory for what is needed from the start.
pub(super) fn reserve() -> bool {
    if let Some(limit) = limits::address_space() {
        // Twice the limit: the limit counts what is mapped, and a few chunks may turn out to be somebody else's.
        let wanted =
            usize::try_from(limit).map_or(SIZES[0], |limit| limit.saturating_mul(2)).clamp(AREA, SIZES[0]);
        return reserve_nothing((wanted + AREA - 1) & !(AREA - 1));
    }
    let largest = largest();
    let kinds = [(Backing::Whole, vm::Access::ReadWrite), (Backing::Commit, vm::Access::None)];
    // Windows would charge all of it at once.
    for (backing, access) in kinds.into_iter().skip(usize::from(cfg!(windows))) {
        for size in core::iter::once(largest).chain(SIZES.into_iter().filter(|size| *size < largest)) {
            let plan = plan(size);
            if let Ok(start) = vm::reserve(plan.total, HUGE_PAGE, access) {
                if backing == Backing::Whole {
                    // Huge pages are asked for where they pay; until then none may appear behind our back. Refusal is harmless.
                    // SAFETY: the range was just reserved and is ours.
                    let _ = unsafe { vm::advise_huge(start, plan.total, false) };
                }
                if publish(start.as_ptr().expose_provenance(), &plan, backing) {
                    return true;
                }
                // SAFETY: nothing was stored there; the range is ours and unused.
                let _ = unsafe { vm::release(start, plan.total) };
            }
        }
    }
    reserve_nothing(SIZES[SIZES.len() - 1])
}

/// Chooses a range without reserving it.
fn reserve_nothing(size: usize) -> bool {
    #[cfg(target_pointer_width = "64")]
    const PLACES: [usize; 4] = [0x1000_0000_0000, 0x0c00_0000_0000, 0x20_0000_0000, 0x10_0000_0000];
    #[cfg(not(target_pointer_width = "64"))]
    const PLACES: [usize; 3] = [0x4000_0000, 0x2000_0000, 0x6000_0000];
    // A little of the address is random where the kernel's own choice is: the address of a local tells how far.
    let marker = 0u8;
    let random = (core::ptr::from_ref(&marker).addr() >> 12).wrapping_mul(0x9e37_79b9) & 0x3fff;
    let plan = plan(size);
    PLACES.iter().any(|place| publish(place + random * HUGE_PAGE, &plan, Backing::Piecewise))
}

/// Backs the parts that are needed from the start and makes the geometry visible. False if that memory cannot be had.
fn publish(start: usize, plan: &Plan, backing: Backing) -> bool {
    let areas = start + plan.heaps;
    let chunks = areas + plan.areas;
    let records = chunks + plan.chunks;
    let base = start + (plan.total - plan.size);
    debug_assert!(records + plan.records <= base);
    GEOMETRY.backing.store(backing as u8, Ordering::Relaxed);
    // Thread heaps of the first threads too: a thread that comes when memory is short must find one.
    if backing != Backing::Whole
        && (back(areas, plan.areas).is_err() || back(start, HEAP_GROUP * ThreadHeap::STRIDE).is_err())
    {
        return false;
    }
    HEAP_GROUPS.store(1, Ordering::Relaxed);
    GEOMETRY.heaps.store(start, Ordering::Relaxed);
    GEOMETRY.areas.store(areas, Ordering::Relaxed);
    GEOMETRY.chunks.store(chunks, Ordering::Relaxed);
    GEOMETRY.records.store(records, Ordering::Relaxed);
    GEOMETRY.base.store(base, Ordering::Relaxed);
    GEOMETRY.size.store(plan.size, Ordering::Release);
    true
}
