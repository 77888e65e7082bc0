//! What a pool's blocks are like, and how many there may be.

use stratalloc_resource::{Alignment, AllocError};

/// The blocks of a pool: size, alignment, number.
///
/// ```
/// use stratalloc_resource::Alignment;
/// use stratalloc_strategies::pool::PoolConfig;
///
/// let messages = PoolConfig::new(100, Alignment::constant::<64>()).with_max_blocks(1000);
/// assert_eq!((messages.block_len(), messages.max_blocks()), (Ok(128), 1000));
/// assert_eq!(PoolConfig::of::<u128>().align().bytes(), 16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    size: usize,
    align: Alignment,
    chunk_blocks: usize,
    max_blocks: usize,
}

impl PoolConfig {
    /// What a chunk has by default, in bytes.
    const CHUNK: usize = 64 * 1024;

    /// Blocks of at least `size` bytes at multiples of `align`; see [`PoolConfig`].
    #[must_use]
    pub const fn new(size: usize, align: Alignment) -> Self {
        let mut chunk_blocks = Self::CHUNK / if size == 0 { 1 } else { size };
        if chunk_blocks < 8 {
            chunk_blocks = 8;
        }
        Self { size, align, chunk_blocks, max_blocks: usize::MAX }
    }

    /// Blocks for values of type `T`; see [`PoolConfig`].
    #[must_use]
    pub const fn of<T>() -> Self {
        Self::new(size_of::<T>(), Alignment::of::<T>())
    }

    /// How many blocks a growing pool asks its upstream for at once; at least one. By default as many as 64 KiB hold, or eight.
    ///
    /// ```
    /// # use stratalloc_strategies::pool::{Pool, PoolConfig};
    /// # use stratalloc_resource::FromGlobal;
    /// let config = PoolConfig::of::<u64>().with_chunk_blocks(10);
    /// let pool = Pool::growing(config, FromGlobal::new(&std::alloc::System))?;
    /// assert_eq!(pool.usage().total, 10);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub const fn with_chunk_blocks(mut self, blocks: usize) -> Self {
        self.chunk_blocks = if blocks == 0 { 1 } else { blocks };
        self
    }

    /// The most blocks that there may be; see [`PoolConfig`].
    #[must_use]
    pub const fn with_max_blocks(mut self, blocks: usize) -> Self {
        self.max_blocks = blocks;
        self
    }

    /// The alignment of each block. See [`PoolConfig`] for an example.
    #[must_use]
    pub const fn align(&self) -> Alignment {
        self.align
    }

    /// The most blocks that there may be. See [`PoolConfig`] for an example.
    #[must_use]
    pub const fn max_blocks(&self) -> usize {
        self.max_blocks
    }

    pub(super) const fn chunk_blocks(&self) -> usize {
        self.chunk_blocks
    }

    /// The real size of each block of a [`Pool`](super::Pool): a free block holds a link, and the next one is aligned too. See
    /// [`PoolConfig`].
    ///
    /// # Errors
    ///
    /// [`AllocError::SizeOverflow`] if no address space holds one.
    pub const fn block_len(&self) -> Result<usize, AllocError> {
        self.len_for(size_of::<usize>())
    }

    /// As [`block_len`](Self::block_len) for a free block that holds `link` bytes, a power of two.
    pub(crate) const fn len_for(&self, link: usize) -> Result<usize, AllocError> {
        let size = if self.size < link { link } else { self.size };
        let align = if self.align.bytes() < link { link } else { self.align.bytes() };
        match size.checked_next_multiple_of(align) {
            Some(len) if len <= isize::MAX.unsigned_abs() => Ok(len),
            _ => Err(AllocError::SizeOverflow),
        }
    }
}
