//! Raw blocks from the global allocator, as small as a timed part can be.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::hint::black_box;

/// An owned block of memory whose first word was written.
#[derive(Debug)]
pub(crate) struct RawBlock {
    address: *mut u64,
    layout: Layout,
}

// SAFETY: the block is owned like a box, and nothing else refers to it.
unsafe impl Send for RawBlock {}

impl RawBlock {
    /// The layout of a block of `size` bytes, at least one word.
    #[inline(always)]
    pub(crate) fn layout(size: usize) -> Layout {
        Layout::from_size_align(size.max(8), 8).expect("sizes are small")
    }

    /// Allocates. The first word is not yet written: that is not the allocator's work.
    #[inline(always)]
    pub(crate) fn allocate(layout: Layout) -> *mut u64 {
        // SAFETY: the size is not zero, by `layout`.
        black_box(unsafe { alloc(layout) }.cast())
    }

    /// Takes over what `allocate` gave, and writes the first word.
    #[inline(always)]
    pub(crate) fn own(address: *mut u64, layout: Layout) -> Self {
        if address.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: a block of at least 8 bytes, aligned to 8.
        unsafe { address.write(layout.size() as u64) };
        Self { address, layout }
    }

    /// Checks the first word, and gives up ownership; `deallocate` must follow.
    #[inline(always)]
    pub(crate) fn disown(self) -> (*mut u64, Layout) {
        // SAFETY: `own` wrote it.
        let word = unsafe { self.address.read() };
        assert_eq!(word, self.layout.size() as u64, "a live block was overwritten");
        (self.address, self.layout)
    }

    /// Gives back what `disown` returned.
    #[inline(always)]
    pub(crate) fn deallocate((address, layout): (*mut u64, Layout)) {
        // SAFETY: the block came from `alloc` with this layout, and `disown` ended its life.
        unsafe { dealloc(black_box(address).cast(), layout) }
    }

    /// A whole life without a clock.
    pub(crate) fn new(size: usize) -> Self {
        let layout = Self::layout(size);
        Self::own(Self::allocate(layout), layout)
    }
}
