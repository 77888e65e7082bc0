//! The contract, on top of the tree.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, SizeClasses,
    ThreadSafety, Validate, Violation, reallocate_by_moving,
};

use super::Buddy;
use super::tree::Tree;
use crate::misuse::{Inspect, MisuseKind};

/// The kind of the identity; the instance is the address of the range.
struct BuddyKind;

// SAFETY:
// * Fit: a block of `order(size, align)` is at least that long and aligned to its size; the order follows from any length between request
//   and block, so a release may carry each;
// * Disjoint, Stable: TILE; only free blocks are written to; the range does not move with the value;
// * Threads: not `Sync`;
// * Errors: every path returns a value; no request is refused before all is merged, and BUDDIES makes whatever was free before free again;
// * Identity: the address of the range; without one there is no block.
unsafe impl<const ORDERS: usize, const MIN: usize> MemoryResource for Buddy<'_, ORDERS, MIN> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let order = Tree::<ORDERS, MIN>::order(layout.size(), layout.align());
        match self.tree.allocate(order) {
            Some(start) => Ok(MemoryBlock::new(start, Tree::<ORDERS, MIN>::size(order))),
            None => Err(self.refusal(layout)),
        }
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        if let Some(order) = self.tree.admit(block, align) {
            // SAFETY: a live block of this order: this function's contract.
            unsafe { self.tree.give(block.address(), order) };
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let from = self.tree.admit(block, align).ok_or(AllocError::NotOwned)?;
        let to = Tree::<ORDERS, MIN>::order(new_size, align.bytes());
        // SAFETY: a live block of this order: this function's contract.
        if to == from || unsafe { self.tree.resize(block.address(), from, to) } {
            return Ok(MemoryBlock::new(block.as_non_null(), Tree::<ORDERS, MIN>::size(to)));
        }
        // SAFETY: this function's contract.
        unsafe { reallocate_by_moving(self, block, new_size, align) }
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<BuddyKind>(if self.tree.is_empty() { 0 } else { self.tree.start.addr().get() })
    }

    fn info(&self) -> ResourceInfo<'_> {
        let largest = Tree::<ORDERS, MIN>::size(self.tree.top);
        let info = ResourceInfo::new("buddy", ThreadSafety::Confined).with_capacity(self.tree.capacity());
        if self.tree.is_empty() {
            return info.with_max_size(0);
        }
        let classes = SizeClasses::computed(self.tree.top + 1, Tree::<ORDERS, MIN>::size);
        let info = info.with_size_classes(classes).with_max_size(largest);
        Alignment::new(largest).map_or(info, |align| info.with_max_align(align))
    }
}

impl<const ORDERS: usize, const MIN: usize> Buddy<'_, ORDERS, MIN> {
    /// Why there is no block for `layout`.
    #[cold]
    fn refusal(&self, layout: Layout) -> AllocError {
        if self.tree.can_ever(layout.size(), layout.align()) {
            AllocError::CapacityExhausted
        } else if self.tree.can_ever(0, layout.align()) {
            AllocError::Unsupported
        } else {
            AllocError::BadAlignment
        }
    }
}

// SAFETY: live blocks lie in the range, and nobody else's do; only addresses are compared.
unsafe impl<const ORDERS: usize, const MIN: usize> Owns for Buddy<'_, ORDERS, MIN> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.tree.contains(ptr.addr())
    }
}

impl<const ORDERS: usize, const MIN: usize> Validate for Buddy<'_, ORDERS, MIN> {
    fn validate(&self) -> Result<(), Violation> {
        self.tree.validate()
    }
}

impl<const ORDERS: usize, const MIN: usize> Inspect for Buddy<'_, ORDERS, MIN> {
    fn inspect(&self, block: MemoryBlock, align: Alignment) -> Result<(), MisuseKind> {
        self.tree.inspect(block, align)
    }
}
