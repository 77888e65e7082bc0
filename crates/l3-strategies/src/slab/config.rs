//! What the blocks of a slab resource are like, and how large its slabs are.

use stratalloc_resource::Alignment;

/// The blocks of a [`Slab`](super::Slab) or of an [`ObjectCache`](super::ObjectCache), and its slabs: size and number.
///
/// ```
/// use stratalloc_resource::{Alignment, FromGlobal};
/// use stratalloc_strategies::slab::{Slab, SlabConfig};
///
/// let inodes = SlabConfig::new(100, Alignment::constant::<64>()).with_slab_bytes(16 * 1024).with_max_slabs(10);
/// let inodes = Slab::growing(inodes, FromGlobal::new(&std::alloc::System))?;
/// assert_eq!(inodes.block_len(), 128);
/// assert!(inodes.usage().total > 16 * 1024 / 128 - 4);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlabConfig {
    pub(super) size: usize,
    pub(super) align: Alignment,
    /// 0: as many as eight blocks need, at least a page.
    pub(super) slab_bytes: usize,
    pub(super) max_slabs: usize,
}

impl SlabConfig {
    /// Blocks of at least `size` bytes at multiples of `align`; see [`SlabConfig`].
    #[must_use]
    pub const fn new(size: usize, align: Alignment) -> Self {
        Self { size, align, slab_bytes: 0, max_slabs: usize::MAX }
    }

    /// Blocks for values of type `T`.
    ///
    /// ```
    /// use stratalloc_resource::Alignment;
    /// use stratalloc_strategies::slab::SlabConfig;
    ///
    /// assert_eq!(SlabConfig::of::<u64>(), SlabConfig::new(8, Alignment::of::<u64>()));
    /// ```
    #[must_use]
    pub const fn of<T>() -> Self {
        Self::new(size_of::<T>(), Alignment::of::<T>())
    }

    /// How long a slab is: rounded up to a power of two, and to one that holds a block. By default 4 KiB, or more if eight
    /// blocks need more. A slab is aligned to its length, so an upstream has to serve that alignment. See [`SlabConfig`].
    #[must_use]
    pub const fn with_slab_bytes(mut self, bytes: usize) -> Self {
        self.slab_bytes = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// The most slabs that there may be; see [`SlabConfig`].
    #[must_use]
    pub const fn with_max_slabs(mut self, slabs: usize) -> Self {
        self.max_slabs = slabs;
        self
    }

    /// The same with blocks that also hold a `T`.
    pub(super) const fn holding<T>(mut self) -> Self {
        if self.size < size_of::<T>() {
            self.size = size_of::<T>();
        }
        if self.align.bytes() < align_of::<T>() {
            self.align = Alignment::of::<T>();
        }
        self
    }
}
