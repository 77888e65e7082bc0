//! What a partition is to be like.

/// The size and the edges of a partition.
///
/// ```
/// use stratalloc_strategies::partition::{PartitionConfig, PartitionRange};
///
/// let range = PartitionRange::new(PartitionConfig::new(100_000).with_guards(2).keeping_addresses())?;
/// assert!(range.pages().len() >= 100_000);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionConfig {
    pub(super) bytes: usize,
    pub(super) guards: usize,
    pub(super) keep: bool,
}

impl PartitionConfig {
    /// A partition of at most `bytes`, rounded up to whole pages. They are reserved now and cost addresses only, so be generous: it
    /// cannot grow beyond them. See [`PartitionConfig`] for an example.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { bytes, guards: 0, keep: false }
    }

    /// So many pages without access before the first page and behind the last one: whatever runs out of the partition faults.
    /// See [`PartitionConfig`] for an example.
    #[must_use]
    pub const fn with_guards(mut self, pages: usize) -> Self {
        self.guards = pages;
        self
    }

    /// The addresses stay reserved when the partition is dropped, for the rest of the process: dangling pointers that outlive the
    /// partition fault then, and never meet whatever is mapped next. Without this they go back to the system.
    /// See [`PartitionConfig`] for an example.
    #[must_use]
    pub const fn keeping_addresses(mut self) -> Self {
        self.keep = true;
        self
    }
}
