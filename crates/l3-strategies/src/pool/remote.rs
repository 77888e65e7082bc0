//! The way home from other threads.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety,
};

use super::resource::PoolKind;
use super::{Free, Pool, ReturnList};

/// How many returned blocks one `take` puts to the free ones: enough that most find one there, and few enough for a bounded time.
pub(super) const RETURNED_AT_ONCE: usize = 32;

/// What other threads touch: on cache lines of its own, so that a return never slows down the owner's lists.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Shared {
    pub(super) returned: ReturnList<Free>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self { returned: ReturnList::new() }
    }
}

/// Takes blocks of a [`Pool`] back, on any thread; made by [`Pool::remote`].
///
/// It is the pool's equal as a [`MemoryResource`], but makes no blocks: whoever should release one elsewhere (an
/// [`OwnedBlock`](stratalloc_resource::OwnedBlock) for example) gets a remote instead of the pool. See the [module](super).
#[derive(Clone, Copy)]
pub struct PoolRemote<'p> {
    shared: &'p Shared,
    name: usize,
}

impl<U: MemoryResource> Pool<'_, U> {
    /// A handle for other threads to return blocks by; see [`PoolRemote`]. See the [module](super) for an example.
    #[must_use]
    pub const fn remote(&self) -> PoolRemote<'_> {
        PoolRemote { shared: &self.shared, name: self.name }
    }

    /// Puts at most `most` of the blocks that other threads returned to the free ones.
    pub(super) fn take_returned(&self, most: usize) {
        let mut left = most;
        let mut next = self.arrived.take().or_else(|| self.shared.returned.take_all());
        while let Some(block) = next {
            if left == 0 {
                break;
            }
            left -= 1;
            // SAFETY: returned, so the pool's: POOL.
            next = unsafe { block.read() }.next;
            if !self.may_return(block.cast()) {
                // What hangs on a block that was returned twice is here already, or lost.
                return;
            }
            self.put(block);
            if next.is_none() && left > 0 {
                next = self.shared.returned.take_all();
            }
        }
        self.arrived.set(next);
    }
}

impl PoolRemote<'_> {
    /// Gives a block back, as [`Pool::give`] does, from any thread.
    ///
    /// ```
    /// use stratalloc_strategies::pool::{Pool, PoolConfig};
    ///
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 1000];
    /// let pool = Pool::over(PoolConfig::of::<u32>(), &mut memory)?;
    /// let (block, remote) = (pool.take()?, pool.remote());
    /// std::thread::scope(|scope| {
    ///     // SAFETY: live, not used any more.
    ///     scope.spawn(move || unsafe { remote.give(block.as_non_null()) });
    /// });
    /// assert_eq!(pool.usage().live, 0);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Safety
    ///
    /// `start` is the start of a live block of the pool, and nobody uses it any more.
    #[inline]
    pub unsafe fn give(&self, start: NonNull<u8>) {
        let block = start.cast::<Free>();
        // SAFETY: the block is ours until it is pushed, long and aligned enough for a link.
        self.shared.returned.push(block, |next| unsafe { block.write(Free { next }) });
    }
}

// SAFETY: it makes no blocks, so Fit, Disjoint and Stable hold for none; what it takes goes to the pool, whose equal it is: the
// address of the pool's first region. Threads: `give` is a push to a lock-free list.
unsafe impl MemoryResource for PoolRemote<'_> {
    fn allocate(&self, _: Layout) -> Result<MemoryBlock, AllocError> {
        Err(AllocError::Unsupported)
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, _: Alignment) {
        // SAFETY: a live block of the pool: this function's contract.
        unsafe { self.give(block.as_non_null()) };
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<PoolKind>(self.name)
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("pool remote", ThreadSafety::Shared).with_capacity(0)
    }
}

impl fmt::Debug for PoolRemote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolRemote").field("identity", &self.identity()).finish()
    }
}
