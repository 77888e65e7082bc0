//! Blocks with something of ours before and behind the caller's bytes.
//!
//! ```text
//!   inner block   │ unused │ head │ the caller's bytes │ tail │
//!                 └─── front ─────┘
//!                 ▲ aligned       ▲ aligned
//! ```

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource, ResourceInfo};

/// Sizes of what is added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Padding {
    /// Before the caller's bytes: a multiple of a word's alignment, and a power of two.
    pub(crate) head: usize,
    pub(crate) tail: usize,
}

impl Padding {
    /// From the inner block's start to the caller's bytes: the head, and what alignment adds.
    pub(crate) const fn front(self, align: Alignment) -> usize {
        if align.bytes() > self.head { align.bytes() } else { self.head }
    }

    /// The inner block's length and alignment.
    fn inner(self, size: usize, align: Alignment) -> Option<(usize, Alignment)> {
        let total = size.checked_add(self.front(align))?.checked_add(self.tail)?;
        Some((total, align.max(Alignment::of::<usize>())))
    }

    /// The caller's part of a fresh block of `inner`.
    pub(crate) fn allocate<R: MemoryResource>(
        self,
        inner: &R,
        layout: Layout,
    ) -> Result<MemoryBlock, AllocError> {
        let align = Alignment::from_layout(layout);
        let (total, align_inner) = self.inner(layout.size(), align).ok_or(AllocError::SizeOverflow)?;
        let layout_inner =
            Layout::from_size_align(total, align_inner.bytes()).map_err(|_| AllocError::SizeOverflow)?;
        let block = inner.allocate(layout_inner)?;
        // SAFETY: `total` counts the front.
        let start = unsafe { block.as_non_null().add(self.front(align)) };
        Ok(MemoryBlock::new(start, layout.size()))
    }

    /// Gives the block around the caller's part back.
    ///
    /// # Safety
    ///
    /// Made by [`allocate`](Self::allocate) with this resource and alignment, live, of this length, not used any more.
    pub(crate) unsafe fn deallocate<R: MemoryResource>(
        self,
        inner: &R,
        block: MemoryBlock,
        align: Alignment,
    ) {
        // The sum did not overflow when the block was made.
        let Some((total, align_inner)) = self.inner(block.len(), align) else { return };
        // SAFETY: the front is part of the inner block: this function's contract.
        let start: NonNull<u8> = unsafe { block.as_non_null().sub(self.front(align)) };
        // SAFETY: the requested length and alignment of a live block: this function's contract.
        unsafe { inner.deallocate(MemoryBlock::new(start, total), align_inner) };
    }

    /// The limits of the inner resource less what is added. Size and alignment share the room, so neither gets all of it.
    pub(crate) fn limits<'a>(self, name: &'a str, inner: &ResourceInfo<'_>) -> ResourceInfo<'a> {
        let mut info = ResourceInfo::new(name, inner.threads).with_reuse(inner.reuse);
        info.capacity = inner.capacity;
        info.max_align = inner.max_align;
        if let Some(most) = inner.max_size.or(inner.capacity) {
            let half = Alignment::new((most / 2 + 1).next_power_of_two() / 2).unwrap_or(Alignment::ONE);
            let align = inner.max_align.map_or(half, |align| align.min(half));
            info.max_align = Some(align);
            info.max_size = Some(most.saturating_sub(self.front(align) + self.tail));
        }
        info
    }
}
