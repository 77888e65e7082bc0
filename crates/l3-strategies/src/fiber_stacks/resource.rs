//! The contract, kept by fiber stacks: a block is a whole stack.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_platform::page;
use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, SizeClasses,
    ThreadSafety, reallocate_by_moving,
};

use super::{FiberStack, FiberStacks, FiberStacksError, ReturnError};
use crate::misuse::{self, MisuseKind};

/// The kind of all fiber stacks.
struct FiberStacksKind;

impl FiberStacks {
    /// The length of the live block that starts at `start`, or what is wrong with it.
    fn len_at(&self, start: NonNull<u8>) -> Result<usize, MisuseKind> {
        let address = start.addr().get();
        let class = self.classes().find(|class| class.shape.contains(address));
        class.map(|class| class.shape.size).ok_or(MisuseKind::ForeignBlock)
    }

    fn give(&self, block: MemoryBlock) -> Result<(), MisuseKind> {
        let start = block.as_non_null();
        let len = self.len_at(start)?;
        if block.len() > len {
            return Err(MisuseKind::WrongSize);
        }
        let top = NonNull::new(start.as_ptr().wrapping_add(len)).ok_or(MisuseKind::InteriorPointer)?;
        // SAFETY: nobody uses a block that is released; whether it is one is looked at there.
        unsafe { self.put_at(top) }.map_err(|error| match error {
            ReturnError::Foreign => MisuseKind::ForeignBlock,
            ReturnError::NotAStack => MisuseKind::InteriorPointer,
            ReturnError::NotLive => MisuseKind::DoubleRelease,
        })
    }
}

// SAFETY:
// * Fit: stacks start at a page and are as long as their class, the smallest that fits; larger requests and alignments are refused;
// * Disjoint: a stack is with one holder, by its state; Stable: ranges stay until the drop, and are no part of the value;
// * Threads: the shared list's release and acquire carry a block's contents. Re-entrancy: nothing is called but the kernel;
// * Errors: values. Identity: the address of the first class's range.
unsafe impl MemoryResource for FiberStacks {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        if layout.align() > page::size() {
            return Err(AllocError::BadAlignment);
        }
        let stack = self.get(layout.size()).map_err(FiberStacksError::as_alloc_error)?;
        let block = MemoryBlock::new(stack.limit(), stack.size());
        // The caller's from now on, by its address.
        let _top = FiberStack::into_top(stack);
        Ok(block)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _: Alignment) {
        // Looked at in the fast build, too: it costs nothing that a return does not need anyway.
        if let Err(kind) = self.give(block) {
            misuse::report(super::NAME, kind, block.address());
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        match self.len_at(block.as_non_null()) {
            Ok(len) if new_size <= len => Ok(MemoryBlock::new(block.as_non_null(), len)),
            // SAFETY: this function's contract.
            Ok(_) => unsafe { reallocate_by_moving(self, block, new_size, align) },
            Err(kind) => {
                misuse::report(super::NAME, kind, block.address());
                Err(AllocError::NotOwned)
            }
        }
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<FiberStacksKind>(self.class(0).shape.base)
    }

    fn info(&self) -> ResourceInfo<'_> {
        let sizes = self.sizes();
        let info = ResourceInfo::new(super::NAME, ThreadSafety::Shared)
            .with_size_classes(SizeClasses::slice(sizes))
            .with_capacity(self.classes().map(|class| class.shape.size * class.shape.count).sum())
            .with_max_size(sizes.last().copied().unwrap_or(0));
        Alignment::new(page::size()).map_or(info, |align| info.with_max_align(align))
    }
}

// SAFETY: live blocks lie in the ranges of the classes, and nobody else's do; only addresses are compared.
unsafe impl Owns for FiberStacks {
    fn owns(&self, ptr: *const u8) -> bool {
        self.classes().any(|class| class.shape.contains(ptr.addr()))
    }
}
