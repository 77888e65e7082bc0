//! What went wrong, as one small value.

use core::fmt;

use crate::{MemoryBlock, MemoryTag};

/// Why a request was refused.
///
/// A run-time condition is always this value; it is never a panic, an abort or a null pointer. What a caller can
/// do differs by variant, which is why there is more than one: wait or shed load (`OutOfMemory`), try another
/// resource (`CapacityExhausted`, `Unsupported`, `NotOwned`), or mend its own arithmetic (`SizeOverflow`,
/// `BadAlignment`).
///
/// ```
/// use stratalloc_resource::{AllocError, MemoryTag};
///
/// let refused = AllocError::OverBudget(MemoryTag::new(7));
/// assert_eq!(refused.to_string(), "tag 7 is over its budget");
/// let error: &dyn core::error::Error = &refused;
/// assert!(error.source().is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AllocError {
    /// The upstream or the operating system had nothing left to give; it may have later.
    OutOfMemory,
    /// The size, or the size rounded up to what the resource hands out, does not fit an address space.
    SizeOverflow,
    /// The alignment is not a power of two, or larger than this resource can give.
    BadAlignment,
    /// The tag's hard limit would be exceeded; the memory itself may well exist.
    OverBudget(MemoryTag),
    /// A resource of fixed size is full. Only releasing to it helps.
    CapacityExhausted,
    /// The block did not come from this resource, nor from one that it is equal to.
    NotOwned,
    /// This resource never serves such a request, whatever its state.
    Unsupported,
}

// A refusal travels in two registers beside its success value, so no hot path spills for it.
const _: () = assert!(size_of::<AllocError>() == 4);
const _: () = assert!(size_of::<Result<MemoryBlock, AllocError>>() == size_of::<MemoryBlock>());

impl AllocError {
    /// Whether the same request may succeed later, once somebody has released memory.
    ///
    /// ```
    /// use stratalloc_resource::AllocError;
    ///
    /// assert!(AllocError::OutOfMemory.is_transient());
    /// assert!(!AllocError::SizeOverflow.is_transient());
    /// ```
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::OutOfMemory | Self::OverBudget(_) | Self::CapacityExhausted => true,
            Self::SizeOverflow | Self::BadAlignment | Self::NotOwned | Self::Unsupported => false,
        }
    }
}

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::SizeOverflow => f.write_str("the size does not fit an address space"),
            Self::BadAlignment => f.write_str("the alignment is not supported"),
            Self::OverBudget(tag) => write!(f, "tag {} is over its budget", tag.number()),
            Self::CapacityExhausted => f.write_str("the fixed capacity is exhausted"),
            Self::NotOwned => f.write_str("the block belongs to another resource"),
            Self::Unsupported => f.write_str("the resource does not serve such requests"),
        }
    }
}

impl core::error::Error for AllocError {}
