//! A name for "who asked": the key of counters and budgets.

use core::fmt;

/// Identifies a subsystem to which allocations are attributed.
///
/// The number means nothing here; the modifier that counts per tag gives it a name and a budget. It is small
/// because it travels inside [`AllocError`](crate::AllocError), which has to fit a register.
///
/// ```
/// use stratalloc_resource::{AllocError, MemoryTag};
///
/// const TEXTURES: MemoryTag = MemoryTag::new(3);
/// assert!(TEXTURES != MemoryTag::UNTAGGED && TEXTURES.number() == 3);
/// assert_eq!(AllocError::OverBudget(TEXTURES).to_string(), "tag 3 is over its budget");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct MemoryTag(u16);

impl MemoryTag {
    /// What is attributed to nobody in particular. See [`MemoryTag`] for an example.
    pub const UNTAGGED: Self = Self(0);

    /// The tag with this number. See [`MemoryTag`] for an example.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number that [`new`](Self::new) was given. See [`MemoryTag`] for an example.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for MemoryTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryTag({})", self.0)
    }
}
