//! [`Budget`], what a tag may use, and [`TagUsage`], what it used.

use stratalloc_resource::MemoryTag;

/// What a tag may use, in requested bytes that are live at one time.
///
/// (Rates and what happens when a limit is met besides counting will be further fields.)
///
/// ```
/// use stratalloc_modifiers::Budget;
///
/// let budget = Budget::UNLIMITED.with_soft(60_000).with_hard(80_000);
/// assert_eq!((budget.soft, budget.hard), (60_000, 80_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Each time that the live bytes go from this or less to more, an event is counted.
    pub soft: usize,
    /// More live bytes than this are refused.
    pub hard: usize,
}

impl Budget {
    /// No limits; a start for the `with_` methods.
    ///
    /// See [`Budget`] for an example.
    pub const UNLIMITED: Self = Self { soft: usize::MAX, hard: usize::MAX };

    /// The same with a soft limit. See [`Budget`] for an example.
    #[must_use]
    pub const fn with_soft(mut self, bytes: usize) -> Self {
        self.soft = bytes;
        self
    }

    /// The same with a hard limit. See [`Budget`] for an example.
    #[must_use]
    pub const fn with_hard(mut self, bytes: usize) -> Self {
        self.hard = bytes;
        self
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::UNLIMITED
    }
}

/// What a tag used, as [`Tagged::usage`](super::Tagged::usage) tells it. An example is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagUsage {
    /// Whose it is.
    pub tag: MemoryTag,
    /// The name that the tag was given; empty if none.
    pub name: &'static str,
    /// Requests that were served.
    pub allocations: usize,
    /// Blocks that were released.
    pub releases: usize,
    /// Reallocations that were served.
    pub resizes: usize,
    /// Bytes of the live blocks, as requested.
    pub live_bytes: usize,
    /// The most live bytes that there ever were, those of requests included that the resource below refused in the end.
    pub peak_bytes: usize,
    /// Requests and growth refused because of the hard limit.
    pub over_budget: usize,
    /// Requests and growth that the resource below refused.
    pub refused_below: usize,
    /// How often the live bytes went above the soft limit.
    pub soft_events: usize,
    /// The limits.
    pub budget: Budget,
}

impl TagUsage {
    /// Blocks that are live: allocations − releases. An example is at [`Tagged::usage`](super::Tagged::usage).
    #[must_use]
    pub const fn live_blocks(&self) -> usize {
        self.allocations.wrapping_sub(self.releases)
    }
}
