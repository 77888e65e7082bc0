//! How full the pools are, and how scattered what is free.

use super::algorithm::Core;
use super::block::HEADER;

/// What lies in the pools of a [`Tlsf`](super::Tlsf) or [`GrowingTlsf`](super::GrowingTlsf), counted by walking them.
///
/// `used + free == total` and `largest_free <= free`, in bytes; headers count to the block behind them.
///
/// ```
/// use core::mem::MaybeUninit;
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let mut memory = [MaybeUninit::uninit(); 4096];
/// let heap: Tlsf<'_> = Tlsf::over(&mut memory)?;
/// let usage = heap.usage();
/// assert_eq!((usage.live_blocks, usage.free_blocks), (0, 1));
/// assert_eq!(usage.external_fragmentation(), 0.0);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsfUsage {
    /// Bytes in all blocks.
    pub total: usize,
    /// Bytes in live blocks, with their headers.
    pub used: usize,
    /// Bytes in free blocks, with their headers.
    pub free: usize,
    /// Bytes of the largest free block.
    pub largest_free: usize,
    /// Live blocks.
    pub live_blocks: usize,
    /// Free blocks.
    pub free_blocks: usize,
}

impl TlsfUsage {
    /// The part of the free bytes that the largest request cannot have: `1 − largest_free / free`; 0 when nothing is free.
    ///
    /// ```
    /// use stratalloc_strategies::tlsf::TlsfUsage;
    ///
    /// let usage = TlsfUsage { total: 100, used: 60, free: 40, largest_free: 30, ..TlsfUsage::default() };
    /// assert_eq!(usage.external_fragmentation(), 0.25);
    /// assert_eq!(usage.internal_fragmentation(45), 0.25);
    /// ```
    #[must_use]
    pub fn external_fragmentation(&self) -> f64 {
        share(self.free - self.largest_free, self.free)
    }

    /// The part of the live blocks that holds no requested byte: `1 − requested / used`, headers and rounding together.
    ///
    /// A release may carry any fitting length, so the strategy itself cannot know what was requested; the caller does, or a
    /// `Counted` modifier. An example is at [`external_fragmentation`](Self::external_fragmentation).
    #[must_use]
    pub fn internal_fragmentation(&self, requested: usize) -> f64 {
        share(self.used.saturating_sub(requested), self.used)
    }

    /// Bytes of headers in live blocks: one machine word each.
    ///
    /// ```
    /// use stratalloc_strategies::tlsf::TlsfUsage;
    ///
    /// let usage = TlsfUsage { live_blocks: 3, ..TlsfUsage::default() };
    /// assert_eq!(usage.header_bytes(), 3 * size_of::<usize>());
    /// ```
    #[must_use]
    pub const fn header_bytes(&self) -> usize {
        self.live_blocks * HEADER
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl<const FLI: usize, const SLI: usize> Core<FLI, SLI> {
    pub(super) fn usage(&self) -> TlsfUsage {
        let mut usage = TlsfUsage::default();
        for pool in self.pools() {
            usage.total += pool.span();
            let mut block = pool.first;
            while block != pool.sentinel {
                // SAFETY: blocks follow each other up to the sentinel: POOL.
                let size = unsafe { block.size() };
                // SAFETY: as above.
                if unsafe { block.is_free() } {
                    usage.free += size;
                    usage.free_blocks += 1;
                    usage.largest_free = usage.largest_free.max(size);
                } else {
                    usage.used += size;
                    usage.live_blocks += 1;
                }
                // SAFETY: not the sentinel.
                block = unsafe { block.next() };
            }
        }
        usage
    }
}
