//! [`CacheLimits`]: how much may wait where.

/// How much may wait in a thread's cache, and how much between threads.
///
/// ```
/// use stratalloc_modifiers::CacheLimits;
///
/// let small = CacheLimits::DEFAULT.with_batch(8, 1024).with_handle_bytes(16 << 10).with_depot_bytes(64 << 10);
/// assert_eq!((small.batch_of(64), small.batch_of(400), small.batch_of(4096)), (8, 2, 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheLimits {
    /// The most blocks that move between a cache and the depot at once.
    pub batch_blocks: usize,
    /// Their bytes, if they are more than one.
    pub batch_bytes: usize,
    /// The most bytes that wait in one handle's cache.
    pub handle_bytes: usize,
    /// The most bytes that wait in the depot.
    pub depot_bytes: usize,
}

impl CacheLimits {
    /// Batches of 32 blocks or 8 KiB, 256 KiB a handle, 1 MiB in the depot. See [`CacheLimits`] for an example.
    pub const DEFAULT: Self =
        Self { batch_blocks: 32, batch_bytes: 8 << 10, handle_bytes: 256 << 10, depot_bytes: 1 << 20 };

    /// The same with other batches. A handle keeps up to two of each class. See [`CacheLimits`] for an example.
    #[must_use]
    pub const fn with_batch(mut self, blocks: usize, bytes: usize) -> Self {
        (self.batch_blocks, self.batch_bytes) = (blocks, bytes);
        self
    }

    /// The same with another bound on a handle's cache. See [`CacheLimits`] for an example.
    #[must_use]
    pub const fn with_handle_bytes(mut self, bytes: usize) -> Self {
        self.handle_bytes = bytes;
        self
    }

    /// The same with another bound on the depot. See [`CacheLimits`] for an example.
    #[must_use]
    pub const fn with_depot_bytes(mut self, bytes: usize) -> Self {
        self.depot_bytes = bytes;
        self
    }

    /// How many blocks of `size` bytes, which are some, make a batch: one at least. See [`CacheLimits`] for an example.
    #[must_use]
    pub const fn batch_of(&self, size: usize) -> usize {
        match self.batch_bytes.checked_div(size) {
            Some(0) => 1,
            Some(blocks) if blocks < self.batch_blocks => blocks,
            _ if self.batch_blocks == 0 => 1,
            _ => self.batch_blocks,
        }
    }
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
