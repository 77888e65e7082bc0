//! A resource that holds every call against the contract's preconditions, for tests of those who call.

use alloc::collections::BTreeMap;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, RefCell};
use core::ptr::NonNull;
use std::alloc::System;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety,
    reallocate_by_moving,
};

/// Each block is longer than asked for by this much.
pub(crate) const SLACK: usize = 24;
/// What fresh memory holds, unless zeros were asked for.
pub(crate) const STALE: u8 = 0xA5;

/// What is known of a live block.
#[derive(Clone, Copy, Debug)]
struct Live {
    requested: usize,
    returned: usize,
    align: Alignment,
}

/// The system's memory with slack behind each block; panics when a caller breaks the contract.
#[derive(Default)]
pub(crate) struct Audit {
    live: RefCell<BTreeMap<usize, Live>>,
    /// Refuse everything from now on.
    pub(crate) refuse: Cell<bool>,
    /// Requests of any kind.
    pub(crate) requests: Cell<usize>,
    /// Among them those to `reallocate`.
    pub(crate) reallocations: Cell<usize>,
}

impl Audit {
    pub(crate) fn live(&self) -> usize {
        self.live.borrow().len()
    }

    /// Holds a block that comes back against what was handed out.
    fn check(&self, block: MemoryBlock, align: Alignment) {
        let live = self.live.borrow().get(&block.address()).copied();
        let live = live.unwrap_or_else(|| panic!("{block:?} is not live"));
        let fits = (live.requested..=live.returned).contains(&block.len()) && align == live.align;
        assert!(fits, "{block:?} with {align:?} does not fit {live:?}");
    }

    fn real(size: usize, align: Alignment) -> Result<Layout, AllocError> {
        Layout::from_size_align(size.saturating_add(SLACK), align.bytes())
            .map_err(|_| AllocError::SizeOverflow)
    }
}

// SAFETY: blocks are the system's, with the requested alignment and more than the requested size; the test would panic before a
// broken promise is used.
unsafe impl MemoryResource for Audit {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.requests.set(self.requests.get() + 1);
        assert_ne!(layout.size(), 0, "nothing was asked for");
        if self.refuse.get() {
            return Err(AllocError::OutOfMemory);
        }
        let align = Alignment::from_layout(layout);
        let real = Self::real(layout.size(), align)?;
        // SAFETY: the slack is not zero.
        let start = unsafe { System.alloc(real) };
        let block = MemoryBlock::new(NonNull::new(start).ok_or(AllocError::OutOfMemory)?, real.size());
        // SAFETY: just allocated, this long.
        unsafe { block.as_ptr().write_bytes(STALE, block.len()) };
        let live = Live { requested: layout.size(), returned: real.size(), align };
        assert!(self.live.borrow_mut().insert(block.address(), live).is_none());
        Ok(block)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        self.check(block, align);
        let live = self.live.borrow_mut().remove(&block.address()).unwrap();
        let real = Self::real(live.requested, align).unwrap();
        // SAFETY: it was live, and this is the layout that it was allocated with.
        unsafe { System.dealloc(block.as_ptr(), real) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        self.reallocations.set(self.reallocations.get() + 1);
        self.check(block, align);
        // SAFETY: this function's contract.
        unsafe { reallocate_by_moving(self, block, new_size, align) }
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Self>(core::ptr::from_ref(self).addr())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("audit", ThreadSafety::Confined)
    }
}
