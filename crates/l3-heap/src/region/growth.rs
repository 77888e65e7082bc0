//! The edge between touched and never touched memory, and what happens when it moves.

use core::ptr::NonNull;

use stratalloc_platform::vm;
use stratalloc_primitives::primitive::atomic::{AtomicU32, Ordering};

use super::{Backing, GEOMETRY, at, back, backing, chunk};
use crate::layout::{CHUNK, GRANULE, HUGE_PAGE, narrow};
use crate::{purge, tuning, usage};

/// Requests of at least so many chunks are treated as buffers that get filled, and lie on huge-page boundaries.
pub(crate) const LARGE_BLOCK: u32 = 4;

/// Outcome of making chunks usable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Usable now.
    Ready,
    /// The system refused memory.
    NoMemory,
    /// Somebody else's mapping lies in the chunk of this number (piecewise backing only): it must stay taken for ever.
    Foreign(u32),
}

/// Makes chunks that the caller owns usable, and moves the touched edge over them.
pub(crate) fn touch(first: u32, count: u32) -> Touched {
    if backing() != Backing::Whole {
        for index in first..first + count {
            let record = chunk(index);
            if record.backed.load(Ordering::Relaxed) != 0 {
                continue;
            }
            let start = at(index as usize * CHUNK).addr();
            let mut backed = back(start, CHUNK);
            if backed.is_err_and(vm::OsError::is_out_of_memory) && purge::give_up_backing() {
                backed = back(start, CHUNK);
            }
            match backed {
                Ok(()) => record.backed.store(1, Ordering::Relaxed),
                Err(error) if error == vm::OsError::OCCUPIED => return Touched::Foreign(index),
                Err(_) => return Touched::NoMemory,
            }
        }
    }
    // The edge moves in steps of two chunks, so that it always lies on a huge-page boundary.
    let end = (first + count + 1) & !1;
    if GEOMETRY.touched.load(Ordering::Relaxed) >= end {
        return Touched::Ready;
    }
    let before = GEOMETRY.touched.fetch_max(end, Ordering::Relaxed);
    if before < end {
        advise(before.max(first & !1), end, count);
    }
    Touched::Ready
}

/// Asks for huge pages on `[from, to)` (chunk numbers, even), which serve a request of `count` chunks, if they are likely to pay.
///
/// A huge page costs a tenth of the faults that it replaces, and up to 2 MiB of memory if little of it is used. Blocks of 4 MiB and
/// more are mostly buffers that get filled: they have them from a quarter of the threshold on. Slabs and runs have them from
/// the threshold on, if what they got before is dense, and not while more than a quarter of what was touched stands empty.
fn advise(from: u32, to: u32, count: u32) {
    let threshold = tuning::huge_page_threshold();
    let touched = to as usize * CHUNK;
    if count >= LARGE_BLOCK {
        if touched < threshold / 4 {
            return;
        }
    } else {
        let in_use = usage::in_use_bytes();
        let before = from as usize * CHUNK;
        if touched < threshold || (before > in_use && before - in_use > before / 4) || !is_dense(from) {
            return;
        }
    }
    let start = at(from as usize * CHUNK);
    let len = (to - from) as usize * CHUNK;
    debug_assert!(start.addr().is_multiple_of(HUGE_PAGE));
    let Some(start) = NonNull::new(start) else { return };
    // SAFETY: the range lies inside the region and is backed; the advice changes no contents.
    if unsafe { vm::advise_huge(start, len, true) }.is_ok() {
        for index in from..to {
            chunk(index).huge.store(1, Ordering::Relaxed);
        }
        usage::HUGE_CHUNKS.fetch_add((to - from) as usize, Ordering::Relaxed);
    }
}

/// Every so many huge pages one is left to small pages, as a probe.
const PROBE_DISTANCE: u32 = 8;
/// Number of the last probe that was looked at, times two, plus one if it was dense.
static PROBE: AtomicU32 = AtomicU32::new(0);

/// Is the memory that the program gets written to, or only here and there? In front of every eighth huge page lies one of small pages
/// whose resident part tells. (60 000 blocks of 140 KB with one byte written in each: 8.4 GB resident without the probe.)
fn is_dense(from: u32) -> bool {
    let pair = from / 2;
    if pair.is_multiple_of(PROBE_DISTANCE) {
        return false;
    }
    let probe = pair / PROBE_DISTANCE;
    let last = PROBE.load(Ordering::Relaxed);
    if last / 2 == probe && last != 0 {
        return last % 2 == 1;
    }
    let Some(start) = NonNull::new(at((probe * PROBE_DISTANCE * 2) as usize * CHUNK)) else { return false };
    // SAFETY: the range was touched before the chunks from `from` on, so it is mapped; only asking.
    let resident = unsafe { vm::resident(start, HUGE_PAGE) }.unwrap_or(0);
    let dense = resident >= HUGE_PAGE / 4 * 3;
    PROBE.store(probe * 2 + u32::from(dense), Ordering::Relaxed);
    dense
}

/// Bytes of `granules` granules.
pub(crate) const fn granule_bytes(granules: u32) -> usize {
    granules as usize * GRANULE
}

const _: () = assert!(narrow(HUGE_PAGE / CHUNK) == 2);
