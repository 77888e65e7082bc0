//! Giving memory back to the system.
//!
//! Releases of slabs and runs make no system call, and those of medium blocks only now and then. Freed memory stays *dirty* and is what the next request gets, from any thread and class.
//! It is purged at three occasions:
//! - **Growth**: when chunks are handed out that are not resident (never touched, or purged) while more than the budget is dirty and
//!   free (an eighth of what is in use, at least 2 MiB), dirty memory is purged down to half the budget. So the peak stays
//!   within 9/8 of the need, and a program in a steady state never purges.
//! - **Now and then**: when the purge delay has passed, half of what was dirty at two looks in a row goes.
//! - **On demand**: [`all`].
//!
//! One thread purges at a time; the others never wait. A range is claimed before it is purged, like any other allocation, so
//! nobody can be using it.

use core::ptr::NonNull;

use stratalloc_platform::{clock, fork, vm};
use stratalloc_primitives::ProcessLock;
use stratalloc_primitives::bits;
use stratalloc_primitives::primitive::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::layout::{CHUNK, CHUNKS_PER_AREA, GRANULE};
use crate::region::Backing;
use crate::region::chunk::{Chunk, ChunkKind};
use crate::{region, tuning, usage};

static WORKER: ProcessLock = ProcessLock::new();
/// Time and amount of the last look.
static LAST_LOOK: AtomicU64 = AtomicU64::new(0);
static LAST_DIRTY: AtomicUsize = AtomicUsize::new(0);
/// Inside a chunk with huge pages nothing is purged while more than this many granules are in use: it would break the page.
const HUGE_CHUNK_FREE: u32 = 48;

/// Keeps every purge out until the guard goes.
pub(crate) fn pause() -> impl Drop {
    loop {
        if let Some(guard) = WORKER.try_acquire(fork::identity()) {
            return guard;
        }
        stratalloc_platform::thread::yield_now();
    }
}

/// Dirty and free bytes that growth may leave.
fn budget() -> usize {
    (usage::in_use_bytes() / tuning::purge_divisor()).max(tuning::purge_floor())
}

/// Called before chunks become resident; they are claimed already.
pub(crate) fn before_growth() {
    let (dirty, budget) = (usage::dirty_free_bytes(), budget());
    if dirty > budget {
        purge(dirty - budget / 2);
    }
}

/// Looks at the clock; purges half of what has been dirty for a whole purge delay.
pub(crate) fn now_and_then() {
    let delay = tuning::purge_delay_ms();
    let (now, last) = (clock::coarse_millis(), LAST_LOOK.load(Ordering::Relaxed));
    if now.wrapping_sub(last) < delay
        || LAST_LOOK.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
    {
        return;
    }
    let dirty = usage::dirty_free_bytes();
    let stale = LAST_DIRTY.swap(dirty, Ordering::Relaxed).min(dirty);
    // The first look only sets the clock; and a little dirty memory is worth more than the calls to give it back.
    if last != 0 && stale > tuning::purge_floor() {
        purge(stale / 2);
    }
}

/// Purges everything that is dirty and free; returns the bytes given back.
pub(crate) fn all() -> usize {
    purge(usize::MAX)
}

/// Purges at least `wanted` bytes if there are as many; returns the bytes given back. 0 if another thread is at it.
fn purge(wanted: usize) -> usize {
    let Some(_guard) = WORKER.try_acquire(fork::identity()) else { return 0 };
    let mut done = 0;
    // From the top down: low addresses are what is handed out next.
    for index in (0..region::area_count()).rev() {
        let limit = region::touched_limit(index);
        if limit == 0 {
            continue;
        }
        let first = index * CHUNKS_PER_AREA;
        done += purge_blocks(index, if wanted == usize::MAX { wanted } else { wanted - done.min(wanted) });
        let mut at = limit;
        while at > 0 && done < wanted {
            at -= 1;
            done += purge_split(region::chunk(first + at), first + at, wanted == usize::MAX);
        }
        if done >= wanted {
            break;
        }
    }
    done
}

/// Where memory is backed piece by piece: takes the backing of all free chunks away, so that the system can give it to whoever needs
/// it now. True if there was any.
pub(crate) fn give_up_backing() -> bool {
    if region::backing() == Backing::Whole {
        return false;
    }
    let Some(_guard) = WORKER.try_acquire(fork::identity()) else { return false };
    let mut any = false;
    for index in 0..region::area_count() {
        if region::touched_limit(index) == 0 {
            break;
        }
        let area = region::area(index);
        for (first, order) in area.tree.free_blocks() {
            let number = index * CHUNKS_PER_AREA + first;
            let backed = |at: u32| region::chunk(at).backed.load(Ordering::Relaxed) != 0;
            if (number..number + (1 << order)).any(backed) && area.tree.claim_range(first, 1 << order) {
                for at in (number..number + (1 << order)).filter(|at| backed(*at)) {
                    any |= unback(at);
                }
                area.tree.release_range(first, 1 << order);
            }
        }
    }
    any
}

/// Takes the backing of one claimed chunk away.
fn unback(index: u32) -> bool {
    let chunk = region::chunk(index);
    let Some(start) = NonNull::new(region::at(index as usize * CHUNK)) else { return false };
    let gone = match region::backing() {
        // SAFETY: the chunk is claimed: nobody holds a block in it.
        Backing::Piecewise => unsafe { vm::release(start, CHUNK) },
        // SAFETY: as above.
        _ => unsafe { vm::decommit(start, CHUNK) },
    };
    if gone.is_err() {
        return false;
    }
    let dirty = chunk.dirty_mask();
    chunk.mark_clean(dirty);
    usage::purged(dirty.count_ones());
    chunk.backed.store(0, Ordering::Relaxed);
    true
}

/// Purges free blocks of whole chunks.
fn purge_blocks(index: u32, wanted: usize) -> usize {
    let area = region::area(index);
    let mut done = 0;
    for (first, order) in area.tree.free_blocks() {
        let (number, count) = (index * CHUNKS_PER_AREA + first, 1u32 << order);
        let half_page = order == 0 && region::chunk(number).huge.load(Ordering::Relaxed) != 0;
        if done >= wanted
            || (half_page && wanted != usize::MAX)
            || !(number..number + count).any(|at| region::chunk(at).dirty_mask() != 0)
        {
            continue;
        }
        // Claimed as one; if somebody takes a part meanwhile, it is passed over.
        if area.tree.claim_range(first, count) {
            let mut at = number;
            while at < number + count {
                let len = (at..number + count).take_while(|at| region::chunk(*at).dirty_mask() != 0).count();
                if len == 0 {
                    at += 1;
                    continue;
                }
                done += give(at as usize * CHUNK, len * CHUNK);
                at += crate::layout::narrow(len);
            }
            area.tree.release_range(first, count);
        }
    }
    done
}

/// Purges the free granules of a split chunk.
fn purge_split(chunk: &'static Chunk, index: u32, everything: bool) -> usize {
    if chunk.kind() != ChunkKind::Split {
        return 0;
    }
    let private = chunk.family.load(Ordering::Relaxed) != 0;
    let free = chunk.free_mask(private);
    let huge = chunk.huge.load(Ordering::Relaxed) != 0;
    if huge && !everything && free.count_ones() < HUGE_CHUNK_FREE {
        return 0;
    }
    let mut left = free & chunk.dirty_mask();
    let mut done = 0;
    while left != 0 {
        let start = left.trailing_zeros();
        let count = (left >> start).trailing_ones();
        let mask = bits::mask(start, count);
        left &= !mask;
        // A run may have been claimed since: then it is not ours to purge.
        if chunk.claim_exact(mask, private).is_some() {
            done += give(index as usize * CHUNK + start as usize * GRANULE, count as usize * GRANULE);
            let now = chunk.release(mask, private);
            if !private {
                let (area, inside) = region::area_of_chunk(index);
                if now == !0 && chunk.claim_whole(false) {
                    region::give_chunks(index, 1);
                    return done;
                }
                area.announce(chunk, inside, now);
            }
        }
    }
    done
}

/// Purges `[offset, offset + len)`, which the caller claimed, and marks it clean. Returns the bytes that were dirty.
fn give(offset: usize, len: usize) -> usize {
    let Some(start) = NonNull::new(region::at(offset)) else { return 0 };
    // SAFETY: the range is claimed: nobody holds a block in it, and what it contained was freed.
    if unsafe { vm::purge(start, len) }.is_err() {
        return 0;
    }
    let mut granules = 0;
    let (mut at, end) = (offset / GRANULE, (offset + len) / GRANULE);
    while at < end {
        let chunk = region::chunk(crate::layout::narrow(at / 64));
        let count = (64 - at % 64).min(end - at);
        let mask = bits::mask(crate::layout::narrow(at % 64), crate::layout::narrow(count));
        granules += (chunk.dirty_mask() & mask).count_ones();
        chunk.mark_clean(mask);
        at += count;
    }
    usage::PURGES.fetch_add(1, Ordering::Relaxed);
    usage::purged(granules);
    granules as usize * GRANULE
}
