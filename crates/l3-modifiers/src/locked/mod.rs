//! A resource for one thread, shared by many.
//!
//! ```text
//!   thread ──┐
//!   thread ──┼──► lock ──► resource          one at a time; the others wait
//!   thread ──┘
//! ```
//!
//! | operation | cost |
//! | --- | --- |
//! | each | taking and giving back the lock (two atomic operations when nobody waits), and the resource's |
//! | memory | the lock |
//!
//! **Threads.** Any. A signal handler that calls the resource while its own thread holds the lock waits forever, and so does the child of a
//! `fork` that happened while another thread held it: this is for programs that do neither with this resource.
//! The lock is held while the resource asks its upstream.
//!
//! **When to use it.** A TLSF, buddy system or pool that several threads use now and then.
//!
//! **When not.** Under contention: every thread waits for the slowest. A heap with thread caches, or one resource per thread, scales.

mod spin;

use core::alloc::Layout;
use core::fmt;

use stratalloc_primitives::const_unless_loom;
use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo,
    ThreadSafety, Validate, Violation,
};

pub use spin::SpinLock;

/// A lock that lets one thread in at a time. [`SpinLock`] is one; bring your own where interrupts have to be masked, or where threads
/// should sleep.
///
/// ```
/// use stratalloc_modifiers::{RawLock, SpinLock};
///
/// let lock = SpinLock::new();
/// lock.acquire();
/// // SAFETY: acquired above.
/// unsafe { lock.release() };
/// ```
///
/// # Safety
///
/// Between a return of `acquire` and the `release` after it no other `acquire` of the same lock returns, on any thread; what was
/// written before the `release` is seen after the next `acquire`. Neither allocates nor unwinds.
pub unsafe trait RawLock {
    /// Waits until the lock is free, and takes it. See [`RawLock`] for an example.
    fn acquire(&self);

    /// Gives it back. See [`RawLock`] for an example.
    ///
    /// # Safety
    ///
    /// The caller acquired it and has not released it since.
    unsafe fn release(&self);
}

// SAFETY: the same lock.
unsafe impl<L: RawLock> RawLock for &L {
    fn acquire(&self) {
        (**self).acquire();
    }

    unsafe fn release(&self) {
        // SAFETY: this function's contract.
        unsafe { (**self).release() };
    }
}

/// A resource behind a lock, a [`SpinLock`] unless said otherwise; see the [module](self).
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use std::thread;
/// use stratalloc_modifiers::Locked;
/// use stratalloc_resource::{Alignment, MemoryResource};
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let mut memory = [MaybeUninit::uninit(); 16 * 1024];
/// let shared = Locked::new(Tlsf::<'_, 24, 32>::over(&mut memory)?);
/// thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             let block = shared.allocate(Layout::new::<[u8; 1000]>()).unwrap();
///             // SAFETY: live, with this alignment; not used any more.
///             unsafe { shared.deallocate(block, Alignment::ONE) };
///         });
///     }
/// });
/// assert_eq!(shared.with(|tlsf| tlsf.usage().live_blocks), 0);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
///
/// What may not even be sent to another thread may not be shared through a lock:
///
/// ```compile_fail,E0277
/// use stratalloc_modifiers::Locked;
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let tlsf: Tlsf<'_> = Tlsf::new();
/// let shared = Locked::new(&tlsf); // others may use the same one without the lock
/// std::thread::scope(|scope| {
///     scope.spawn(|| shared.with(|_| ()));
/// });
/// ```
pub struct Locked<R, L = SpinLock> {
    lock: L,
    // Invariant LOCKED: touched through a shared reference only while `lock` is held.
    inner: R,
}

// SAFETY: LOCKED: one thread at a time uses the inner resource, so it is as if it were sent around.
unsafe impl<R: Send, L: RawLock + Sync> Sync for Locked<R, L> {}

impl<R> Locked<R> {
    const_unless_loom! {
        /// Behind a [`SpinLock`]. See [`Locked`] for an example.
        #[must_use]
        pub fn new(inner: R) -> Self {
            Self { lock: SpinLock::new(), inner }
        }
    }
}

/// Gives the lock back also when a caller's closure unwinds.
struct Held<'a, L: RawLock>(&'a L);

impl<L: RawLock> Drop for Held<'_, L> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: acquired where this value was made.
        unsafe { self.0.release() };
    }
}

impl<R, L: RawLock> Locked<R, L> {
    /// Behind a lock of the caller's choice, which nobody holds.
    ///
    /// ```
    /// use stratalloc_modifiers::{Locked, SpinLock};
    ///
    /// static LOCK: SpinLock = SpinLock::new();
    /// let one = Locked::with_lock("inside", &LOCK);
    /// assert_eq!(one.with(|inner| inner.len()), 6);
    /// ```
    #[must_use]
    pub const fn with_lock(inner: R, lock: L) -> Self {
        Self { lock, inner }
    }

    /// Calls `work` with the resource, while nobody else uses it. `work` must not come back here: it would wait for itself.
    /// See [`Locked`] for an example.
    #[inline]
    pub fn with<T>(&self, work: impl FnOnce(&R) -> T) -> T {
        self.lock.acquire();
        let _held = Held(&self.lock);
        work(&self.inner)
    }

    /// The resource, which nobody shares any more.
    ///
    /// ```
    /// use stratalloc_modifiers::Locked;
    ///
    /// assert_eq!(Locked::new("inside").into_inner(), "inside");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> R {
        self.inner
    }
}

// SAFETY: every operation is the inner resource's, by one thread at a time: LOCKED. Blocks belong to no thread, since the
// resource may be sent to another one while they are live.
unsafe impl<R: MemoryResource, L: RawLock> MemoryResource for Locked<R, L> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.with(|inner| inner.allocate(layout))
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        self.with(|inner| {
            // SAFETY: this function's contract.
            unsafe { inner.deallocate(block, align) };
        });
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        self.with(|inner| {
            // SAFETY: this function's contract.
            unsafe { inner.reallocate(block, new_size, align) }
        })
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.with(|inner| inner.allocate_zeroed(layout))
    }

    fn identity(&self) -> ResourceId {
        self.with(MemoryResource::identity)
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.lock.acquire();
        let _held = Held(&self.lock);
        let mut info = self.inner.info();
        info.threads = ThreadSafety::Shared;
        info
    }
}

// SAFETY: the blocks are the inner resource's.
unsafe impl<R: Owns, L: RawLock> Owns for Locked<R, L> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.with(|inner| inner.owns(ptr))
    }
}

impl<R: Collect, L: RawLock> Collect for Locked<R, L> {
    fn collect(&self) -> usize {
        self.with(Collect::collect)
    }
}

impl<R: Validate, L: RawLock> Validate for Locked<R, L> {
    fn validate(&self) -> Result<(), Violation> {
        self.with(Validate::validate)
    }
}

impl<R, L> fmt::Debug for Locked<R, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the inner one: formatting calls back into programs, which must not happen under the lock.
        f.debug_struct("Locked").finish_non_exhaustive()
    }
}
