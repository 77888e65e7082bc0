//! The contract, kept by a stack.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Reuse, ThreadSafety,
};

use super::header::Header;
use super::{Order, Stack};
use crate::misuse::{self, CHECKED, Inspect, MisuseKind};

/// The kind of all stacks.
struct StackKind;

impl<O: Order, U: MemoryResource> Stack<'_, O, U> {
    /// Whether this is the start of the youngest block, which is the next to be released. O(1).
    ///
    /// ```
    /// # use core::alloc::Layout;
    /// # use stratalloc_resource::MemoryResource;
    /// # use stratalloc_strategies::stack::Stack;
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 1024];
    /// let stack: Stack = Stack::over(&mut memory);
    /// let (below, top) = (stack.allocate(Layout::new::<u64>())?, stack.allocate(Layout::new::<u64>())?);
    /// assert!(stack.is_top(top.as_non_null()) && !stack.is_top(below.as_non_null()));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn is_top(&self, start: NonNull<u8>) -> bool {
        self.top.get().is_some_and(|top| {
            // SAFETY: a block follows its header.
            let block = unsafe { top.cast::<u8>().add(Header::SIZE) };
            block == start
        })
    }

    /// What is wrong with a block that is handed back. O(depth), unless it is the top one.
    #[cold]
    fn wrong_with(&self, block: MemoryBlock, align: Alignment) -> Option<MisuseKind> {
        if !self.owns(block.as_ptr()) {
            return Some(MisuseKind::ForeignBlock);
        }
        if block.address() - self.base_address() < Header::SIZE {
            return Some(MisuseKind::InteriorPointer);
        }
        // SAFETY: in the room, and not at its beginning.
        let header = unsafe { Header::before(block.as_non_null()) };
        if block.as_non_null() >= self.cursor.get() {
            return Some(MisuseKind::DoubleRelease);
        }
        if !self.headers().any(|known| known == header) {
            return Some(MisuseKind::InteriorPointer);
        }
        // SAFETY: in the list: LIFO.
        let released = unsafe { header.as_ref() }.is_released();
        if released {
            return Some(MisuseKind::DoubleRelease);
        }
        if !block.is_aligned(align) {
            return Some(MisuseKind::WrongAlignment);
        }
        (block.end_address() > self.end_of(header)).then_some(MisuseKind::WrongSize)
    }

    /// The end of the memory of a block: what is above it begins there.
    fn end_of(&self, header: NonNull<Header>) -> usize {
        // SAFETY: headers of the list: LIFO.
        let above = self.headers().find(|above| unsafe { above.as_ref() }.below == Some(header));
        above.map_or(self.cursor.get().addr().get(), |above| {
            // SAFETY: as above.
            self.base_address() + unsafe { above.as_ref() }.end()
        })
    }

    /// Whether the block may be handed back; if not, that is reported. Always true in a fast build.
    #[inline(always)]
    fn may_return(&self, block: MemoryBlock, align: Alignment) -> bool {
        let wrong = if CHECKED { self.wrong_with(block, align) } else { None };
        if let Some(kind) = wrong {
            misuse::report("stack", kind, block.address());
        }
        wrong.is_none()
    }

    /// Reports a release that is not of the top block, if that is not as it should be.
    #[inline(always)]
    fn expect_top(&self, header: NonNull<Header>, block: MemoryBlock) {
        if CHECKED && O::STRICT && self.top.get() != Some(header) {
            misuse::report("stack", MisuseKind::OutOfOrder, block.address());
        }
    }

    /// Resizes the block without moving it, if that can be.
    #[inline(always)]
    fn resize_in_place(
        &self,
        header: NonNull<Header>,
        block: MemoryBlock,
        new_size: usize,
    ) -> Option<MemoryBlock> {
        if self.top.get() == Some(header) && new_size <= self.limit.wrapping_sub(block.address()) {
            self.note_peak();
            // SAFETY: at most the limit.
            let end = unsafe { block.as_non_null().add(new_size.max(1)) };
            self.cursor.set(end);
            return Some(MemoryBlock::new(block.as_non_null(), new_size));
        }
        (new_size <= block.len()).then_some(block)
    }
}

// SAFETY:
// * Fit: `push` aligns and stays below the limit; nothing depends on the length that a block is handed back with;
// * Disjoint, Stable: LIFO: the cursor goes back over released blocks only, or by a rewind; blocks lie outside the value;
// * Threads: not `Sync`. Re-entrancy: upstream is asked once, by the constructor;
// * Errors: values; a block that cannot move stays. Identity: the address of the room, which does not move.
unsafe impl<O: Order, U: MemoryResource> MemoryResource for Stack<'_, O, U> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let start = self.push(layout).ok_or(AllocError::CapacityExhausted)?;
        Ok(MemoryBlock::new(start, layout.size()))
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        if self.may_return(block, align) {
            // SAFETY: a block of ours: this function's contract.
            let header = unsafe { Header::before(block.as_non_null()) };
            self.expect_top(header, block);
            self.release(header);
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let layout =
            Layout::from_size_align(new_size, align.bytes()).map_err(|_| AllocError::SizeOverflow)?;
        if !self.may_return(block, align) {
            return Err(AllocError::NotOwned);
        }
        // SAFETY: a block of ours: this function's contract.
        let header = unsafe { Header::before(block.as_non_null()) };
        if let Some(resized) = self.resize_in_place(header, block, new_size) {
            return Ok(resized);
        }
        let moved = self.allocate(layout)?;
        // SAFETY: both are live and `block.len()` long at least (shrinking stays in place); they do not overlap: LIFO.
        unsafe { moved.as_ptr().copy_from_nonoverlapping(block.as_ptr(), block.len()) };
        // Not the caller's order: the block moved, so nothing is reported.
        self.release(header);
        Ok(moved)
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<StackKind>(self.base_address())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("stack", ThreadSafety::Confined)
            .with_reuse(Reuse::LastFirst)
            .with_capacity(self.room.block().len())
    }
}

// SAFETY: live blocks have at least one byte inside the room, also those of size zero (`push`), and no other resource's block
// has; addresses are only compared.
unsafe impl<O: Order, U: MemoryResource> Owns for Stack<'_, O, U> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.room.block().contains(ptr)
    }
}

impl<O: Order, U: MemoryResource> Inspect for Stack<'_, O, U> {
    fn inspect(&self, block: MemoryBlock, align: Alignment) -> Result<(), MisuseKind> {
        if let Some(kind) = self.wrong_with(block, align) {
            return Err(kind);
        }
        // SAFETY: the start of a block of the list: `wrong_with` found no fault.
        let header = unsafe { Header::before(block.as_non_null()) };
        if O::STRICT && self.top.get() != Some(header) { Err(MisuseKind::OutOfOrder) } else { Ok(()) }
    }
}
