//! Independent heaps: [`Heap`] as a value, destroyed as one.
//!
//! An independent heap is a *family*: it has chunks of its own, which no other heap places anything in, and up to eight thread
//! heaps (*shards*) that threads lock for one operation. The lock is try-only: a thread that finds one shard taken uses
//! the next, so a signal handler that interrupted its own thread inside a shard goes on. A child forked while another thread was
//! inside a shard gives the shard a new thread heap and leaves the old one, whose lists may be half changed, alone until the
//! value is dropped; what is freed into its slabs waits there.
//!
//! Freed blocks come home as in the process heap; whatever is left when the value is dropped goes back to the region at once,
//! chunk by chunk.

use core::fmt;
use core::ptr;

use stratalloc_platform::{fork, thread};
use stratalloc_primitives::lockfree::link;
use stratalloc_primitives::primitive::atomic::{AtomicU8, AtomicU32, Ordering};
use stratalloc_primitives::process_lock::Guard;
use stratalloc_primitives::{ProcessLock, bits};

use crate::layout::{CHUNK, SLICES_PER_CHUNK, narrow};
use crate::region::SplitClaim;
use crate::region::chunk::ChunkKind;
use crate::small::slab::{Slab, State};
use crate::small::thread_heap::{ThreadHeap, current};
use crate::small::{self, home, pool};
use crate::{medium, os, region, stats, usage};

const FAMILIES: usize = 1024;
const SHARDS: usize = 8;

struct Shard {
    lock: ProcessLock,
    /// Number of the thread heap + 1; 0 until it is needed.
    heap: AtomicU32,
}

struct Family {
    used: AtomicU8,
    /// Chunk where the last search succeeded (number + 1).
    recent: AtomicU32,
    shards: [Shard; SHARDS],
}

/// By family number; 0 is the process heap and unused here.
static TABLE: [Family; FAMILIES] = [const {
    Family {
        used: AtomicU8::new(0),
        recent: AtomicU32::new(0),
        shards: [const { Shard { lock: ProcessLock::new(), heap: AtomicU32::new(0) } }; SHARDS],
    }
}; FAMILIES];

fn family(number: u32) -> &'static Family {
    &TABLE[number as usize % FAMILIES]
}

/// Claims `count` granules in a chunk of the family; a new chunk is taken when none has room.
pub(crate) fn take_granules(number: u32, count: u32, align: u32) -> Option<SplitClaim> {
    let claim_in = |index: u32| {
        let chunk = region::chunk(index);
        if chunk.kind() != ChunkKind::Split || chunk.family.load(Ordering::Relaxed) != number {
            return None;
        }
        chunk.claim(count, align, true).map(|claim| SplitClaim { chunk, index, claim })
    };
    let recent = &family(number).recent;
    if let Some(found) = link::index(recent.load(Ordering::Relaxed)).and_then(claim_in) {
        return Some(found);
    }
    let found = match stats::touched_chunks().find_map(claim_in) {
        Some(found) => found,
        None => region::split_new(region::take_chunks(1)?, count, number),
    };
    recent.store(link::to(found.index), Ordering::Relaxed);
    Some(found)
}

/// Thread heaps of shards that were left alone, in this process and those it was forked from.
static ABANDONED: AtomicU32 = AtomicU32::new(0);

/// The thread heap of a shard whose lock the caller holds. `None`: out of memory.
fn shard_heap(shard: &Shard, lock: &Guard<'_>, number: u32) -> Option<&'static ThreadHeap> {
    let before = link::index(shard.heap.load(Ordering::Relaxed));
    if let Some(index) = before {
        if !lock.was_stolen() {
            return Some(region::heap(index));
        }
        ABANDONED.fetch_add(1, Ordering::Relaxed);
        shard.heap.store(link::END, Ordering::Relaxed);
    }
    let heap = pool::acquire_shard()?;
    heap.set_family(number);
    shard.heap.store(link::to(heap.index.get()), Ordering::Relaxed);
    Some(heap)
}

/// Runs `f` with a shard of the family. `None`: out of memory.
fn with_shard<R>(number: u32, f: impl FnOnce(&'static ThreadHeap) -> R) -> Option<R> {
    let shards = &family(number).shards;
    // Threads spread by the address of their own heap.
    let mut at = ptr::from_ref(current()).addr() >> 12;
    let process = fork::identity();
    loop {
        for _ in 0..SHARDS {
            let shard = &shards[at % SHARDS];
            at += 1;
            if let Some(lock) = shard.lock.try_acquire(process) {
                return Some(small::busy(shard_heap(shard, &lock, number)?, f));
            }
        }
        thread::yield_now();
    }
}

/// Takes a block of `class` for the family.
pub(crate) fn take(number: u32, class: usize, align: usize) -> Option<(*mut u8, bool)> {
    with_shard(number, |heap| small::take_from(heap, class, align))?
}

/// Frees a block of a family's slab: at once if its shard is free, else as a remote free.
pub(crate) fn free(slab: &'static Slab, block: *mut u8) {
    if let Some(heap) = slab.owning_heap() {
        let shards = &family(heap.family()).shards;
        let number = link::to(heap.index.get());
        if let Some(shard) = shards.iter().find(|shard| shard.heap.load(Ordering::Relaxed) == number)
            && let Some(lock) = shard.lock.try_acquire(fork::identity())
            // The slab may belong to a heap that is left alone from now on.
            && shard_heap(shard, &lock, heap.family()).is_some_and(|now| ptr::eq(now, heap))
        {
            small::busy(heap, |heap| {
                if slab.push_local(block.cast()) {
                    home::event(heap, slab);
                }
            });
            return;
        }
    }
    small::free::free_alone(slab, block.cast());
}

/// A heap that shares nothing with others: its blocks lie in chunks of its own, and dropping it frees all of them.
///
/// Any thread may allocate and free. At most 1023 such heaps exist at once. Blocks are freed through this value or, if code does
/// not know where they came from, through the process heap.
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_heap::Heap;
/// use stratalloc_resource::{AllocError, MemoryResource};
///
/// let heap = Heap::new().ok_or(AllocError::OutOfMemory)?;
/// let block = heap.allocate(Layout::new::<[u64; 100]>())?;
/// assert!(block.len() >= 800 && heap.footprint() >= block.len());
/// drop(heap); // frees the block, and all others, at once
/// # Ok::<(), AllocError>(())
/// ```
pub struct Heap {
    number: u32,
}

impl Heap {
    /// A new, empty heap. `None` when 1023 exist already, or without memory for the region. Takes memory only when used.
    /// See [`Heap`] for an example.
    #[must_use]
    pub fn new() -> Option<Self> {
        if !region::ready() {
            return None;
        }
        for number in 1..narrow(FAMILIES) {
            let used = &family(number).used;
            if used.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Some(Self { number });
            }
        }
        None
    }

    /// Number of the family.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Bytes of address space in chunks that belong to this heap alone. See [`Heap`] for an example.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let mut bytes = 0;
        for index in stats::touched_chunks() {
            let chunk = region::chunk(index);
            if chunk.family.load(Ordering::Relaxed) == self.number {
                bytes += match chunk.kind() {
                    ChunkKind::Split => CHUNK,
                    ChunkKind::MediumHead => chunk.extent.load(Ordering::Relaxed),
                    ChunkKind::MediumBody | ChunkKind::Free => 0,
                };
            }
        }
        os::for_each(|entry| {
            if entry.family == self.number {
                bytes += entry.len;
            }
        });
        bytes
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("number", &self.number).finish()
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // Shards first: afterwards nothing refers to the slabs. `&mut self` says that nobody is inside.
        for shard in &family(self.number).shards {
            if let Some(index) = link::index(shard.heap.swap(0, Ordering::Relaxed)) {
                pool::retire_shard(region::heap(index));
            }
        }
        if ABANDONED.load(Ordering::Relaxed) != 0 {
            for heap in pool::all().filter(|heap| heap.family() == self.number) {
                pool::abandon(heap);
            }
        }
        // A purge may hold granules of our chunks: it must be done with them before the chunks serve others.
        let _quiet = crate::purge::pause();
        for index in stats::touched_chunks() {
            let chunk = region::chunk(index);
            if chunk.family.load(Ordering::Relaxed) != self.number {
                continue;
            }
            match chunk.kind() {
                ChunkKind::Split => tear_down(index),
                ChunkKind::MediumHead => {
                    medium::free(index as usize * CHUNK);
                }
                ChunkKind::MediumBody | ChunkKind::Free => {}
            }
        }
        os::free_family(self.number);
        let family = family(self.number);
        family.recent.store(0, Ordering::Relaxed);
        family.used.store(0, Ordering::Release);
    }
}

/// Gives a split chunk of a dying heap back, whatever is in it.
fn tear_down(index: u32) {
    let chunk = region::chunk(index);
    let used = !chunk.free_mask(true);
    let mut in_slabs = 0;
    for slice in 0..SLICES_PER_CHUNK {
        let slab = region::slab(index * SLICES_PER_CHUNK + slice);
        if slab.state() == State::None {
            continue;
        }
        in_slabs += 1;
        if slab.state() == State::Body {
            slab.set_state(State::None);
            continue;
        }
        usage::SLABS.change(-((slab.counted.get() as usize * slab.facts().size as usize).cast_signed()));
        // Blocks that were on their way home end here; a token stays (R2) and whoever holds it finds an empty word.
        slab.remote.fold();
        slab.set_state(State::None);
        slab.set_owner(ptr::null());
    }
    let runs = used.count_ones() - in_slabs;
    usage::RUNS.releases.fetch_add(u64::from(chunk.ends_mask().count_ones()), Ordering::Relaxed);
    usage::RUNS.change(-region::granule_bytes(runs).cast_signed());
    chunk.mark_dirty(used);
    usage::released(used.count_ones(), used.count_ones());
    chunk.clear_occupancy();
    region::give_chunks(index, 1);
}

const _: () = assert!(bits::mask(0, 64) == !0);

// Not covered here: a real fork (`tests/heaps.rs`).
#[cfg(all(test, not(loom)))]
mod tests {
    use core::alloc::Layout;

    use stratalloc_resource::{Alignment, MemoryResource};

    use super::*;

    #[test]
    fn a_shard_that_a_fork_left_locked_gets_another_thread_heap() {
        let heap = Heap::new().expect("a heap");
        let layout = Layout::new::<[u64; 8]>();
        let before = heap.allocate(layout).expect("memory");
        let shards = &family(heap.number()).shards;
        let used = shards.iter().find(|shard| shard.heap.load(Ordering::Relaxed) != 0).expect("a shard");
        let (old, abandoned) = (used.heap.load(Ordering::Relaxed), ABANDONED.load(Ordering::Relaxed));
        // As a thread of the parent left it.
        core::mem::forget(used.lock.try_acquire(fork::identity() + 1));
        let after = heap.allocate(layout).expect("memory");
        assert_ne!(used.heap.load(Ordering::Relaxed), old);
        assert_eq!(ABANDONED.load(Ordering::Relaxed), abandoned + 1);
        for block in [before, after] {
            // SAFETY: the heap's own blocks, each once.
            unsafe { heap.deallocate(block, Alignment::constant::<8>()) };
        }
        let old = region::heap(link::index(old).expect("a thread heap"));
        assert_eq!(
            region::slab_at(before.as_ptr().addr() - region::range().0).owner(),
            ptr::from_ref(old).cast_mut()
        );
        drop(heap);
        assert_eq!(old.family(), 0, "left to nobody");
        assert!((0..crate::small::class::BINS).all(|class| old.bin(class).get().is_null()));
    }
}
