//! The one interface that the shapes know. Every implementation is a call, or inlined code, of what it stands for and nothing else.

mod mapped;
mod ours;
mod peers;

use core::alloc::Layout;
use core::ptr::NonNull;

pub(crate) use mapped::{Mapped, RobustRlsf};
pub(crate) use ours::{Blocks, Stratalloc};
pub(crate) use peers::{BuddySystem, Bumpalo, C, Mimalloc, MimallocHeap, MutexPool, Rlsf, Talc};

/// Something that hands out blocks.
pub(crate) trait Heap {
    /// A block, or `None` when memory runs out.
    fn take(&self, layout: Layout) -> Option<NonNull<u8>>;

    /// Takes it back.
    ///
    /// # Safety
    ///
    /// `start` came from `take` with this layout, and nobody uses it any more.
    unsafe fn give(&self, start: NonNull<u8>, layout: Layout);
}

impl<H: Heap + ?Sized> Heap for &H {
    #[inline(always)]
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        (**self).take(layout)
    }

    #[inline(always)]
    unsafe fn give(&self, start: NonNull<u8>, layout: Layout) {
        // SAFETY: this function's contract.
        unsafe { (**self).give(start, layout) };
    }
}
