//! Where a resource that outgrows its memory asks.

use core::alloc::Layout;

use stratalloc_resource::abi::ForeignResource;
use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo};
use stratalloc_strategies::Fixed;

/// A resource behind a table, or none at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upstream(pub(crate) Option<ForeignResource>);

impl Upstream {
    /// What answers.
    fn resource(&self) -> &dyn MemoryResource {
        match &self.0 {
            Some(foreign) => foreign,
            None => &Fixed,
        }
    }
}

// SAFETY: it is the one or the other, for its whole life, and both keep the contract.
unsafe impl MemoryResource for Upstream {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.resource().allocate(layout)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { self.resource().deallocate(block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract.
        unsafe { self.resource().reallocate(block, new_size, align) }
    }

    fn identity(&self) -> ResourceId {
        self.resource().identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.resource().info()
    }
}
