//! Freed blocks wait with the thread that freed them, and between threads, before they go back.
//!
//! ```text
//!   thread ─ CacheHandle   64 B ─► block ─► block ─► ∅            a list for each size class, up to two batches
//!                         160 B ─► block ─► ∅
//!                           │ two batches full ▲ empty
//!                           ▼                  │
//!   ThreadCached           depot: chains of one batch each        a few for each class; no lock
//!                           │ full             ▲ (nothing goes up: a miss asks below for one block)
//!                           ▼
//!                          the resource below
//! ```
//!
//! The caches are layers of one resource: a batch that one thread has too much of serves another one, which balances producers and
//! consumers. A request of up to 4096 bytes, aligned to at most 16, is rounded up to a size class; larger ones go to the resource below at once.
//!
//! | operation, on a handle | cost |
//! | --- | --- |
//! | `allocate`, a hit | the class, a list's head, two words read: no atomic operation |
//! | `deallocate`, with room | the class, two words written, one load that is shared and rarely changes |
//! | a miss, no room | at most eight looks at the depot; a walk over a batch; the resource below |
//! | `reallocate` | nothing within the class; else as the resource below, or a move |
//! | memory | rounding to classes (15 bytes, or a quarter above 128); half a KiB a handle; what waits is bounded: see [`CacheLimits`] |
//!
//! **Running out.** Where the resource below refuses, the handle gives all that waits with it and in the depot back, and asks once more. The
//! other handles do the same at their next release, and each once more when it has released as many blocks as it allocated: the resource below
//! is then as it was. What waits with a thread that does nothing stays there, within its bounds.
//!
//! **Threads.** A handle is one thread's; it may be sent. Dropping it, say at the end of a thread, leaves whole batches in the depot and gives the
//! rest back. Dropping the [`ThreadCached`] gives the depot back. Blocks may be released through any handle of any equal resource. Used
//! directly, without a handle, it caches nothing.
//!
//! **When to use it.** Over a resource that is shared at a price, such as [`Locked`](crate::Locked) over TLSF, with threads that allocate and free the same few
//! sizes.
//!
//! **When not.** Over what reuses nothing (frames), or in order only (stacks): a block comes back later than it was released. Where memory is tight, since what
//! waits is out of reach for others. The general-purpose heap has thread caches of its own.
//!
//! **Misuse.** A write to a waiting block is noticed when it is its turn, in every build; a second release while the block waits in the same
//! list in debug builds and with the feature `checked`. See [`set_damage_hook`](crate::set_damage_hook).
//!
//! After J. Bonwick and J. Adams, *Magazines and Vmem: Extending the Slab Allocator to Many CPUs and Arbitrary Resources*, USENIX 2001.

mod class;
mod exchange;
mod free;
mod handle;
mod limits;
mod resource;
mod validate;

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

use class::{CLASSES, LARGEST, class_of, length};
pub(crate) use exchange::Exchange;
use free::{Free, Link, next_of};

use crate::line::Line;

pub use handle::CacheHandle;
pub use limits::CacheLimits;

/// Places of each class in the depot.
const PLACES: usize = 8;
/// What the blocks of all classes are aligned to, where the resource below can.
const ALIGN: Alignment = Alignment::constant::<16>();

/// A resource whose blocks wait for reuse in the caches of its [handles](Self::handle); see the [module](self).
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use stratalloc_modifiers::{Locked, ThreadCached};
/// use stratalloc_resource::{MemoryResource, OwnedBlock};
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let mut memory = vec![MaybeUninit::uninit(); 64 << 10];
/// let shared = ThreadCached::new(Locked::new(Tlsf::<'_, 24, 32>::over(&mut memory)?));
/// std::thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| {
///             let mine = shared.handle();
///             for _ in 0..1000 {
///                 // The lock is taken once, the other 999 blocks are the first one again.
///                 drop(OwnedBlock::new(&mine, Layout::new::<[u8; 100]>()).unwrap());
///             }
///             assert_eq!(mine.waiting(), (1, 112));
///         });
///     }
/// });
/// shared.flush();
/// assert_eq!(shared.inner().with(|tlsf| tlsf.usage().live_blocks), 0);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Debug)]
pub struct ThreadCached<R: MemoryResource> {
    /// Often written by whoever calls it; what each operation of a handle reads lies on other lines, as it does beside the depot.
    inner: Line<R>,
    limits: CacheLimits,
    /// The blocks in a batch of each class, as the limits say: each release asks, and has no division to spare.
    batches: [usize; CLASSES],
    /// Requests above go past the caches: the largest class that the resource below serves.
    largest: usize,
    align: Alignment,
    depot: Exchange<Free, CLASSES, PLACES>,
    /// How often the resource below refused: whoever sees it change gives back what waits.
    pressure: AtomicUsize,
}

/// The kind of the identity, which is composed of the classes in use and the inner one's.
struct ThreadCachedKind;

impl<R: MemoryResource> ThreadCached<R> {
    /// Caches in front of `inner`, with the usual limits. See [`ThreadCached`] for an example.
    #[must_use]
    pub fn new(inner: R) -> Self {
        Self::with_limits(inner, CacheLimits::DEFAULT)
    }

    /// The same with other limits.
    ///
    /// ```
    /// use stratalloc_modifiers::{CacheLimits, ThreadCached};
    /// use stratalloc_resource::FromGlobal;
    ///
    /// let limits = CacheLimits::DEFAULT.with_depot_bytes(0);
    /// let cached = ThreadCached::with_limits(FromGlobal::new(&std::alloc::System), limits);
    /// assert_eq!(cached.limits().depot_bytes, 0);
    /// ```
    #[must_use]
    pub fn with_limits(inner: R, limits: CacheLimits) -> Self {
        let info = inner.info();
        let align = info.max_align.map_or(ALIGN, |most| most.min(ALIGN));
        // A waiting block holds two words.
        let most = if align < Alignment::of::<Free>() { 0 } else { LARGEST };
        let reach = info.max_size.or(info.capacity).unwrap_or(LARGEST);
        let fits = |&len: &usize| len <= reach && len <= most;
        let largest = (0..CLASSES).map(length).take_while(fits).last().unwrap_or(0);
        let depot = Exchange::new(limits.depot_bytes);
        let batches = core::array::from_fn(|class| limits.batch_of(length(class)));
        let inner = Line(inner);
        Self { inner, limits, batches, largest, align, depot, pressure: AtomicUsize::new(0) }
    }

    /// The limits. An example is at [`with_limits`](Self::with_limits).
    #[must_use]
    pub const fn limits(&self) -> CacheLimits {
        self.limits
    }

    /// A cache for one thread, empty. See [`ThreadCached`] for an example.
    #[must_use]
    pub fn handle(&self) -> CacheHandle<'_, R> {
        CacheHandle::new(self)
    }

    /// The resource below. What waits counts as live there. See [`ThreadCached`] for an example.
    #[must_use]
    pub const fn inner(&self) -> &R {
        &self.inner.0
    }

    /// Bytes that wait in the depot.
    ///
    /// ```
    /// use stratalloc_modifiers::ThreadCached;
    /// use stratalloc_resource::FromGlobal;
    ///
    /// let cached = ThreadCached::new(FromGlobal::new(&std::alloc::System));
    /// assert_eq!(cached.depot_bytes(), 0);
    /// ```
    #[must_use]
    pub fn depot_bytes(&self) -> usize {
        self.depot.bytes()
    }

    /// Gives what waits in the depot to the resource below; how many bytes that was. See [`ThreadCached`] for an example.
    pub fn flush(&self) -> usize {
        (0..CLASSES).map(|class| self.flush_class(class)).sum()
    }

    fn flush_class(&self, class: usize) -> usize {
        let batch = self.batch_bytes(class);
        let mut flushed = 0;
        while let Some(chain) = self.depot.take(class, batch) {
            self.give_back(class, Some(chain));
            flushed += batch;
        }
        flushed
    }

    /// The class that serves a request, if it is for the caches. Any length from the request's to the class's has the same.
    #[inline]
    fn class_of(&self, size: usize, align: Alignment) -> Option<usize> {
        (size <= self.largest && align <= self.align && self.largest > 0).then(|| class_of(size))
    }

    const fn batch(&self, class: usize) -> usize {
        self.batches[class]
    }

    const fn batch_bytes(&self, class: usize) -> usize {
        self.batch(class) * length(class)
    }

    /// A block of the class by one of the resource's own ways to allocate, as long as its class.
    fn fresh(
        &self,
        class: usize,
        allocate: impl FnOnce(Layout) -> Result<MemoryBlock, AllocError>,
    ) -> Result<MemoryBlock, AllocError> {
        let layout = Layout::from_size_align(length(class), self.align.bytes());
        let block = allocate(layout.map_err(|_| AllocError::SizeOverflow)?)?;
        Ok(MemoryBlock::new(block.as_non_null(), length(class)))
    }

    /// Gives a chain of the caller's to the resource below, as far as it is sound.
    fn give_back(&self, class: usize, mut chain: Link) {
        while let Some(place) = chain {
            // SAFETY: CACHE-LINK: the caller's, as far as sound seals lead.
            match unsafe { next_of(place) } {
                Ok(next) => chain = next,
                // What is behind it cannot be found any more.
                Err(broken) => return broken.report(length(class)),
            }
            // SAFETY: of this class, hence requested with its layout, and nobody uses it.
            unsafe { self.release(class, place.cast()) };
        }
    }

    /// Gives one block to the resource below.
    ///
    /// # Safety
    ///
    /// A block of the class that was allocated with its layout, and that nobody uses.
    unsafe fn release(&self, class: usize, place: NonNull<u8>) {
        let block = MemoryBlock::new(place, length(class));
        // SAFETY: this function's contract.
        unsafe { self.inner.deallocate(block, self.align) };
    }

    /// Asks again after a refusal, if it helps that `flush` gives back what waits.
    #[cold]
    fn retry<T>(
        &self,
        error: AllocError,
        flush: impl FnOnce() -> usize,
        again: impl FnOnce() -> Result<T, AllocError>,
    ) -> Result<T, AllocError> {
        if !error.is_transient() {
            return Err(error);
        }
        self.pressure.fetch_add(1, Relaxed);
        if flush() + self.flush() == 0 { Err(error) } else { again() }
    }
}

impl<R: MemoryResource> Drop for ThreadCached<R> {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use core::mem::offset_of;

    use stratalloc_resource::FromGlobal;

    use super::*;
    use crate::Locked;

    type Cached = ThreadCached<Locked<FromGlobal<'static, std::alloc::System>>>;

    #[test]
    fn what_each_release_reads_shares_no_line_with_what_is_often_written() {
        let lines = |start: usize, len: usize| start / 64..(start + len).div_ceil(64);
        let written = [
            lines(offset_of!(Cached, inner), 1),
            lines(offset_of!(Cached, depot), size_of::<Exchange<Free, CLASSES, PLACES>>()),
        ];
        let read = [
            lines(offset_of!(Cached, limits), size_of::<CacheLimits>()),
            lines(offset_of!(Cached, batches), size_of::<[usize; CLASSES]>()),
            lines(offset_of!(Cached, largest), size_of::<usize>()),
            lines(offset_of!(Cached, align), size_of::<Alignment>()),
            lines(offset_of!(Cached, pressure), size_of::<AtomicUsize>()),
        ];
        assert_eq!(align_of::<Cached>() % 64, 0);
        for (read, written) in read.iter().flat_map(|read| written.iter().map(move |written| (read, written)))
        {
            assert!(read.end <= written.start || written.end <= read.start, "{read:?} {written:?}");
        }
    }
}
