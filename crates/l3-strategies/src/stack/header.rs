//! What stands before each block of a stack.

use core::ptr::NonNull;

/// Two words before a block.
///
/// ```text
///   below        │ the header under this one, or none                  │
///   end_and_bit  │ offset of the cursor before this block │ released: 1 │
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Header {
    pub(super) below: Option<NonNull<Header>>,
    // Offsets are at most `isize::MAX`, so the shift loses nothing.
    end_and_bit: usize,
}

impl Header {
    pub(super) const SIZE: usize = size_of::<Self>();
    const RELEASED: usize = 1;

    /// The header of a live block, made when the cursor was at the offset `end`.
    #[inline(always)]
    pub(super) const fn live(below: Option<NonNull<Self>>, end: usize) -> Self {
        Self { below, end_and_bit: end << 1 }
    }

    /// Where the header of the block at `start` is.
    ///
    /// # Safety
    ///
    /// `start` lies in a room, at least a header's size after its beginning.
    #[inline(always)]
    pub(super) const unsafe fn before(start: NonNull<u8>) -> NonNull<Self> {
        // SAFETY: in the same room: this function's contract.
        unsafe { start.sub(Self::SIZE) }.cast()
    }

    /// The offset of the cursor before this block.
    #[inline(always)]
    pub(super) const fn end(self) -> usize {
        self.end_and_bit >> 1
    }

    #[inline(always)]
    pub(super) const fn is_released(self) -> bool {
        self.end_and_bit & Self::RELEASED != 0
    }

    #[inline(always)]
    pub(super) const fn set_released(&mut self) {
        self.end_and_bit |= Self::RELEASED;
    }
}
