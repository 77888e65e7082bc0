//! The contract, kept by handles, and by the shared resource without a cache.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo,
    ThreadSafety, reallocate_by_moving,
};

use super::{CacheHandle, ThreadCached, ThreadCachedKind};

impl<R: MemoryResource> CacheHandle<'_, R> {
    /// A request that no waiting block serves; once more after a refusal.
    #[inline]
    fn allocate_below(
        &self,
        layout: Layout,
        below: impl Fn(Layout) -> Result<MemoryBlock, AllocError>,
    ) -> Result<MemoryBlock, AllocError> {
        let ask = || self.shared.allocate_as_class(layout, &below);
        ask().or_else(|error| self.shared.retry(error, || self.flush_under_pressure(), ask))
    }
}

impl<R: MemoryResource> ThreadCached<R> {
    /// A request by one of the ways of the resource below, rounded up to its class if it has one.
    #[inline]
    fn allocate_as_class(
        &self,
        layout: Layout,
        below: impl Fn(Layout) -> Result<MemoryBlock, AllocError>,
    ) -> Result<MemoryBlock, AllocError> {
        match self.class_of(layout.size(), Alignment::from_layout(layout)) {
            Some(class) => self.fresh(class, below),
            None => below(layout),
        }
    }

    /// What `reallocate` can do without a cache: in place within the class, by the resource below between two requests without one. `None` if the
    /// block has to move from one to the other.
    ///
    /// # Safety
    ///
    /// As for [`MemoryResource::reallocate`].
    unsafe fn reallocate_below(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Option<Result<MemoryBlock, AllocError>> {
        match (self.class_of(block.len(), align), self.class_of(new_size, align)) {
            (Some(old), Some(new)) if old == new => {
                Some(Ok(MemoryBlock::new(block.as_non_null(), super::length(old))))
            }
            // SAFETY: not of a class, so its layout is that of the request: this function's contract.
            (None, None) => Some(unsafe { self.inner.reallocate(block, new_size, align) }),
            _ => None,
        }
    }
}

// SAFETY:
// * Fit: a block of a class has its class's length and alignment, and every length between request and class is of the same class;
// * Disjoint: a block waits in one place only, and leaves it when it is handed out: CACHE-LINK, EXCHANGE-OWN;
// * Stable: a live block is in no list;
// * Threads: one at a time;
// * Errors: the inner resource's, after what waits was given back;
// * Identity: composed of the inner one's and of what decides which blocks are of a class, so equal ones can take each other's blocks.
unsafe impl<R: MemoryResource> MemoryResource for CacheHandle<'_, R> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let class = self.shared.class_of(layout.size(), Alignment::from_layout(layout));
        let block = match class.and_then(|class| self.take(class)) {
            Some(block) => block,
            None => self.allocate_below(layout, |layout| self.shared.inner.allocate(layout))?,
        };
        self.count_allocation();
        Ok(block)
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        match self.shared.class_of(block.len(), align) {
            // SAFETY: of this class: Fit; nobody uses it: this function's contract.
            Some(class) => unsafe { self.put(class, block.as_non_null()) },
            // SAFETY: this function's contract.
            None => unsafe { self.shared.inner.deallocate(block, align) },
        }
        self.count_release();
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        let below = || unsafe { self.shared.reallocate_below(block, new_size, align) };
        match below() {
            None => {
                // SAFETY: this function's contract.
                unsafe { reallocate_by_moving(self, block, new_size, align) }
            }
            Some(answer) => answer.or_else(|error| {
                let again = || below().unwrap_or(Err(error));
                self.shared.retry(error, || self.flush_under_pressure(), again)
            }),
        }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let class = self.shared.class_of(layout.size(), Alignment::from_layout(layout));
        if let Some(block) = class.and_then(|class| self.take(class)) {
            // SAFETY: ours until it is returned.
            unsafe { block.as_ptr().write_bytes(0, block.len()) };
            self.count_allocation();
            return Ok(block);
        }
        let block = self.allocate_below(layout, |layout| self.shared.inner.allocate_zeroed(layout))?;
        self.count_allocation();
        Ok(block)
    }

    fn identity(&self) -> ResourceId {
        self.shared.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        let mut info = self.shared.info();
        info.threads = ThreadSafety::Confined;
        info
    }
}

// SAFETY: as for handles, without a cache.
unsafe impl<R: MemoryResource> MemoryResource for ThreadCached<R> {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let ask = || self.allocate_as_class(layout, |layout| self.inner.allocate(layout));
        ask().or_else(|error| self.retry(error, || 0, ask))
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        match self.class_of(block.len(), align) {
            // SAFETY: of this class: Fit; nobody uses it: this function's contract.
            Some(class) => unsafe { self.release(class, block.as_non_null()) },
            // SAFETY: this function's contract.
            None => unsafe { self.inner.deallocate(block, align) },
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        let below = || unsafe { self.reallocate_below(block, new_size, align) };
        match below() {
            None => {
                // SAFETY: this function's contract.
                unsafe { reallocate_by_moving(self, block, new_size, align) }
            }
            Some(answer) => answer.or_else(|error| self.retry(error, || 0, || below().unwrap_or(Err(error)))),
        }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let ask = || self.allocate_as_class(layout, |layout| self.inner.allocate_zeroed(layout));
        ask().or_else(|error| self.retry(error, || 0, ask))
    }

    fn identity(&self) -> ResourceId {
        let part = ResourceId::new::<ThreadCachedKind>;
        let parts = [self.inner.identity(), part(self.largest), part(self.align.bytes())];
        ResourceId::composed::<ThreadCachedKind>(&parts)
    }

    fn info(&self) -> ResourceInfo<'_> {
        let below = self.inner.info();
        let mut info = ResourceInfo::new("thread cached", below.threads).with_reuse(below.reuse);
        (info.capacity, info.max_size, info.max_align) = (below.capacity, below.max_size, below.max_align);
        info
    }
}

// SAFETY: each block begins where one of the inner resource begins.
unsafe impl<R: MemoryResource + Owns> Owns for ThreadCached<R> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.inner.owns(ptr)
    }
}

// SAFETY: as above.
unsafe impl<R: MemoryResource + Owns> Owns for CacheHandle<'_, R> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.shared.owns(ptr)
    }
}

impl<R: MemoryResource + Collect> Collect for ThreadCached<R> {
    /// What waits in the depot goes first.
    fn collect(&self) -> usize {
        self.flush();
        self.inner.collect()
    }
}

impl<R: MemoryResource + Collect> Collect for CacheHandle<'_, R> {
    /// What waits here and in the depot goes first.
    fn collect(&self) -> usize {
        self.flush();
        self.shared.collect()
    }
}
