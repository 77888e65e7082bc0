//! C's numbers as Rust's types, and back: what every function of a table begins and ends with.

use core::alloc::Layout;

use super::{ErrorCode, RawBlock};
use crate::{Alignment, AllocError, MemoryBlock};

/// A request for `size` bytes at a multiple of `align`.
///
/// ```
/// use stratalloc_resource::abi::{ErrorCode, request};
///
/// assert_eq!(request(100, 64).map(|layout| layout.align()), Ok(64));
/// assert_eq!(request(100, 48), Err(ErrorCode::BAD_ALIGNMENT));
/// assert_eq!(request(usize::MAX, 1), Err(ErrorCode::SIZE_OVERFLOW));
/// ```
///
/// # Errors
///
/// [`ErrorCode::BAD_ALIGNMENT`] where `align` is no power of two, [`ErrorCode::SIZE_OVERFLOW`] where no address space holds it.
#[inline]
pub fn request(size: usize, align: usize) -> Result<Layout, ErrorCode> {
    let align = Alignment::new(align).ok_or(ErrorCode::BAD_ALIGNMENT)?;
    Layout::from_size_align(size, align.bytes()).map_err(|_| AllocError::SizeOverflow.into())
}

impl RawBlock {
    /// The block that somebody hands back with the alignment of its request. Whether it is one, the resource has to know.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::BAD_ALIGNMENT`] where `align` is no power of two, [`ErrorCode::INVALID_ARGUMENT`] for null and for a length that no
    /// address space holds.
    #[inline]
    pub fn handed_back(self, align: usize) -> Result<(MemoryBlock, Alignment), ErrorCode> {
        let align = Alignment::new(align).ok_or(ErrorCode::BAD_ALIGNMENT)?;
        let block = self.fitting(0, Alignment::ONE).ok_or(ErrorCode::INVALID_ARGUMENT)?;
        Ok((block, align))
    }

    /// Stores a block where the caller wants it, or tells why there is none and leaves the place as it was.
    ///
    /// # Safety
    ///
    /// `out` is valid for a write of a block, and aligned.
    #[inline]
    pub unsafe fn store<E: Into<ErrorCode>>(outcome: Result<MemoryBlock, E>, out: *mut Self) -> ErrorCode {
        match outcome {
            Ok(block) => {
                // SAFETY: this function's contract.
                unsafe { out.write(block.into()) };
                ErrorCode::OK
            }
            Err(error) => error.into(),
        }
    }
}
