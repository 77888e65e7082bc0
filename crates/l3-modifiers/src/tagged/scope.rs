//! [`TagScope`], for how long a tag is current, and [`TagHandle`], a thread's own current tag.

use core::alloc::Layout;
use core::cell::Cell;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU16, Ordering::Relaxed};

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, MemoryTag, Owns, ResourceId, ResourceInfo,
    ThreadSafety, Validate, Violation,
};

use super::Tagged;

/// Until this is dropped, the tag that [`Tagged::enter`] or [`TagHandle::enter`] was given is current; then the one before is again.
///
/// Scopes nest, and end in the reverse of the order in which they began, as values of nested blocks do by themselves. An example is at
/// [`Tagged::enter`].
#[must_use = "the scope ends when this is dropped"]
#[derive(Debug)]
pub struct TagScope<'a> {
    current: &'a AtomicU16,
    before: u16,
}

impl<'a> TagScope<'a> {
    pub(super) fn new(current: &'a AtomicU16, tag: MemoryTag) -> Self {
        Self { current, before: current.swap(tag.number(), Relaxed) }
    }
}

impl Drop for TagScope<'_> {
    fn drop(&mut self) {
        self.current.store(self.before, Relaxed);
    }
}

/// A [`Tagged`] with a current tag of one's own, for one thread of several that share it.
///
/// The same resource and the same accounts; a release may go through any.
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_modifiers::Tagged;
/// use stratalloc_resource::{FromGlobal, MemoryTag, OwnedBlock};
///
/// let shared: Tagged<_> = Tagged::new(FromGlobal::new(&std::alloc::System));
/// std::thread::scope(|threads| {
///     for tag in [MemoryTag::new(1), MemoryTag::new(2)] {
///         let shared = &shared;
///         threads.spawn(move || {
///             let mine = shared.handle(tag);
///             drop(OwnedBlock::new(&mine, Layout::new::<u64>()).unwrap());
///         });
///     }
/// });
/// assert_eq!(shared.usage(MemoryTag::new(1)).allocations, 1);
/// assert_eq!(shared.usage(MemoryTag::new(2)).allocations, 1);
/// ```
#[derive(Debug)]
pub struct TagHandle<'a, R, const TAGS: usize = 16> {
    tagged: &'a Tagged<R, TAGS>,
    current: AtomicU16,
    // Scopes are one thread's, so the handle is.
    confined: PhantomData<Cell<()>>,
}

impl<'a, R, const TAGS: usize> TagHandle<'a, R, TAGS> {
    pub(super) const fn new(tagged: &'a Tagged<R, TAGS>, tag: MemoryTag) -> Self {
        Self { tagged, current: AtomicU16::new(tag.number()), confined: PhantomData }
    }

    /// Makes `tag` current for this handle. An example is at [`Tagged::enter`], which does the same.
    pub fn enter(&self, tag: MemoryTag) -> TagScope<'_> {
        TagScope::new(&self.current, tag)
    }

    /// The current tag of this handle.
    ///
    /// ```
    /// use stratalloc_modifiers::Tagged;
    /// use stratalloc_resource::MemoryTag;
    ///
    /// let tagged: Tagged<_> = Tagged::new("below");
    /// assert_eq!(tagged.handle(MemoryTag::new(3)).current(), MemoryTag::new(3));
    /// ```
    #[must_use]
    pub fn current(&self) -> MemoryTag {
        MemoryTag::new(self.current.load(Relaxed))
    }

    /// Whose accounts these are.
    ///
    /// ```
    /// use stratalloc_modifiers::Tagged;
    /// use stratalloc_resource::MemoryTag;
    ///
    /// let tagged: Tagged<_> = Tagged::new("below");
    /// assert_eq!(tagged.handle(MemoryTag::UNTAGGED).tagged().inner(), &"below");
    /// ```
    #[must_use]
    pub const fn tagged(&self) -> &'a Tagged<R, TAGS> {
        self.tagged
    }
}

// SAFETY: every operation is that of the shared resource, and so is the identity.
unsafe impl<R: MemoryResource, const TAGS: usize> MemoryResource for TagHandle<'_, R, TAGS> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.tagged.allocate_as(self.current(), layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { self.tagged.deallocate(block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        unsafe { self.tagged.reallocate(block, new_size, align) }
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.tagged.allocate_zeroed_as(self.current(), layout)
    }

    fn identity(&self) -> ResourceId {
        self.tagged.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        let mut info = self.tagged.info();
        info.threads = ThreadSafety::Confined;
        info
    }
}

// SAFETY: the blocks are those of the shared resource.
unsafe impl<R: Owns, const TAGS: usize> Owns for TagHandle<'_, R, TAGS> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.tagged.owns(ptr)
    }
}

impl<R: Validate, const TAGS: usize> Validate for TagHandle<'_, R, TAGS> {
    fn validate(&self) -> Result<(), Violation> {
        self.tagged.validate()
    }
}
