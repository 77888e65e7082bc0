//! What the heap holds, as counters that slow paths keep: bytes in use and free per domain, purges, peaks.
//!
//! Nothing here is written by an allocation that finds its bin filled. Thread heaps collect their change of live bytes and add it
//! when it exceeds [`FLUSH`], so the peak of the small domain is exact up to 64 KiB per thread and the blocks that slabs have not
//! yet noticed to be free.

use core::sync::atomic::{AtomicIsize, AtomicU64, AtomicUsize, Ordering};

use crate::region::granule_bytes;
use crate::small::thread_heap::ThreadHeap;

/// A thread heap adds its change of live bytes to the global figure when it exceeds this.
const FLUSH: usize = 64 << 10;

/// Counters of one domain.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) allocations: AtomicU64,
    pub(crate) releases: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) live: AtomicIsize,
    pub(crate) peak: AtomicIsize,
}

impl Domain {
    const fn new() -> Self {
        Self {
            allocations: AtomicU64::new(0),
            releases: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            live: AtomicIsize::new(0),
            peak: AtomicIsize::new(0),
        }
    }

    /// Live bytes changed by `delta`.
    pub(crate) fn change(&self, delta: isize) {
        let now = self.live.fetch_add(delta, Ordering::Relaxed) + delta;
        if delta > 0 && now > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// A block of `bytes` was handed out.
    pub(crate) fn allocated(&self, bytes: usize) {
        self.allocations.fetch_add(1, Ordering::Relaxed);
        self.change(bytes.cast_signed());
    }

    /// A block of `bytes` came back.
    pub(crate) fn released(&self, bytes: usize) {
        self.releases.fetch_add(1, Ordering::Relaxed);
        self.change(-bytes.cast_signed());
    }

    /// A request could not be served.
    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

/// Blocks in slabs; live and peak only, the rest is derived on reading.
pub(crate) static SLABS: Domain = Domain::new();
/// Runs: the upper part of the small domain.
pub(crate) static RUNS: Domain = Domain::new();
/// The medium domain.
pub(crate) static MEDIUM: Domain = Domain::new();
/// The large domain.
pub(crate) static LARGE: Domain = Domain::new();
/// The huge domain, and whatever its alignment sent to the system.
pub(crate) static HUGE: Domain = Domain::new();

/// Granules of the region in use.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
/// Granules of the region that are free and may be resident.
static DIRTY_FREE: AtomicUsize = AtomicUsize::new(0);
/// Largest sum of both.
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// Chunks for which huge pages were asked.
pub(crate) static HUGE_CHUNKS: AtomicUsize = AtomicUsize::new(0);
/// Purge calls, and the bytes that they gave back.
pub(crate) static PURGES: AtomicU64 = AtomicU64::new(0);
pub(crate) static PURGED: AtomicU64 = AtomicU64::new(0);

/// `granules` were claimed, `dirty` of them had been dirty and free.
pub(crate) fn claimed(granules: u32, dirty: u32) {
    let in_use = IN_USE.fetch_add(granules as usize, Ordering::Relaxed) + granules as usize;
    let dirty_free = if dirty == 0 {
        DIRTY_FREE.load(Ordering::Relaxed)
    } else {
        DIRTY_FREE.fetch_sub(dirty as usize, Ordering::Relaxed).wrapping_sub(dirty as usize)
    };
    let held = in_use.wrapping_add(dirty_free);
    if held > PEAK.load(Ordering::Relaxed) && held < usize::MAX / 2 {
        PEAK.fetch_max(held, Ordering::Relaxed);
    }
}

/// `granules` came back, `dirty` of them are dirty.
pub(crate) fn released(granules: u32, dirty: u32) {
    DIRTY_FREE.fetch_add(dirty as usize, Ordering::Relaxed);
    IN_USE.fetch_sub(granules as usize, Ordering::Relaxed);
}

/// `granules` that were dirty and free are clean now.
pub(crate) fn purged(granules: u32) {
    DIRTY_FREE.fetch_sub(granules as usize, Ordering::Relaxed);
    PURGED.fetch_add(granule_bytes(granules) as u64, Ordering::Relaxed);
}

/// `granules` that are dirty and free are out of reach from now on.
pub(crate) fn withheld(granules: u32) {
    if granules > 0 {
        DIRTY_FREE.fetch_sub(granules as usize, Ordering::Relaxed);
    }
}

/// `granules` that were withheld are free again.
pub(crate) fn restored(granules: u32) {
    if granules > 0 {
        DIRTY_FREE.fetch_add(granules as usize, Ordering::Relaxed);
    }
}

/// Bytes of the region in use.
pub(crate) fn in_use_bytes() -> usize {
    IN_USE.load(Ordering::Relaxed) * granule_bytes(1)
}

/// Bytes of the region that are free and may be resident.
pub(crate) fn dirty_free_bytes() -> usize {
    // A reader may catch a release between its two counters: never report a wrapped number.
    let granules = DIRTY_FREE.load(Ordering::Relaxed);
    if granules > usize::MAX / 2 { 0 } else { granules * granule_bytes(1) }
}

/// Largest number of bytes that were in use or dirty at once.
pub(crate) fn peak_bytes() -> usize {
    PEAK.load(Ordering::Relaxed) * granule_bytes(1)
}

/// A slab of `heap` now counts `delta` more blocks of `size` bytes as in use.
pub(crate) fn slab_changed(heap: &ThreadHeap, delta: i32, size: u32) {
    let bytes = heap.live_delta.get() + delta as isize * size as isize;
    heap.live_delta.set(bytes);
    if bytes.unsigned_abs() >= FLUSH {
        flush(heap);
    }
}

/// Adds the heap's change to the global figure.
pub(crate) fn flush(heap: &ThreadHeap) {
    SLABS.change(heap.live_delta.replace(0));
}
