//! The edge between touched and never touched memory, and what happens when it moves.

use core::ptr::NonNull;

use stratalloc_platform::vm;
use stratalloc_primitives::primitive::atomic::Ordering;

use super::{Backing, GEOMETRY, at, back, backing, chunk};
use crate::layout::{CHUNK, GRANULE, HUGE_PAGE, narrow};
use crate::{tuning, usage};

/// Requests of at least so many chunks are treated as buffers that get filled.
const LARGE_BLOCK: u32 = 4;

/// Outcome of making chunks usable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Usable now.
    Ready,
    /// The system refused memory.
    NoMemory,
    /// Somebody else's mapping lies there (piecewise backing only): the chunks stay taken for ever.
    Foreign,
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
            match back(start, CHUNK, false) {
                Ok(()) => record.backed.store(1, Ordering::Relaxed),
                Err(error) if error == vm::OsError::OCCUPIED => return Touched::Foreign,
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
/// the threshold on, and not while more than a quarter of what was touched stands empty.
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
        if touched < threshold || (before > in_use && before - in_use > before / 4) {
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

/// Bytes of `granules` granules.
pub(crate) const fn granule_bytes(granules: u32) -> usize {
    granules as usize * GRANULE
}

const _: () = assert!(narrow(HUGE_PAGE / CHUNK) == 2);
