//! A resource whose blocks are the only ones there are: for those that do not tell what they own.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Validate, Violation,
};

/// `resource`, which owns every address that a target asks about; its equations are what `check` says.
pub(crate) struct Alone<'a, R> {
    resource: &'a R,
    check: &'a dyn Fn() -> Result<(), Violation>,
}

impl<'a, R> Alone<'a, R> {
    pub(crate) fn new(resource: &'a R, check: &'a dyn Fn() -> Result<(), Violation>) -> Self {
        Self { resource, check }
    }
}

// SAFETY: every operation is the other's.
unsafe impl<R: MemoryResource> MemoryResource for Alone<'_, R> {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.resource.allocate(layout)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { self.resource.deallocate(block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        unsafe { self.resource.reallocate(block, new_size, align) }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.resource.allocate_zeroed(layout)
    }

    fn identity(&self) -> ResourceId {
        self.resource.identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.resource.info()
    }
}

// SAFETY: there are no other resource's blocks in a target's run.
unsafe impl<R: MemoryResource> Owns for Alone<'_, R> {
    fn owns(&self, _: *const u8) -> bool {
        true
    }
}

impl<R> Validate for Alone<'_, R> {
    fn validate(&self) -> Result<(), Violation> {
        (self.check)()
    }
}
