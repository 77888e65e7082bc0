//! How full the range is, and how scattered what is free.

use super::map::State;
use super::tree::Tree;

/// What lies in the range of a [`Buddy`](super::Buddy), counted by walking it.
///
/// `used + free == total` and `largest_free <= free`, in bytes.
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use stratalloc_resource::MemoryResource;
/// use stratalloc_strategies::buddy::Buddy;
///
/// let mut memory = [MaybeUninit::uninit(); 8192];
/// let buddy: Buddy<'_> = Buddy::over(&mut memory)?;
/// buddy.allocate(Layout::new::<[u8; 100]>())?;
/// let usage = buddy.usage();
/// assert_eq!((usage.used, usage.live_blocks), (128, 1));
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuddyUsage {
    /// Bytes in all blocks.
    pub total: usize,
    /// Bytes in live blocks.
    pub used: usize,
    /// Bytes in free blocks.
    pub free: usize,
    /// Bytes of the largest free block.
    pub largest_free: usize,
    /// Live blocks.
    pub live_blocks: usize,
    /// Free blocks.
    pub free_blocks: usize,
}

impl BuddyUsage {
    fn count(&mut self, size: usize, state: State) {
        self.total += size;
        if state == State::Live {
            self.used += size;
            self.live_blocks += 1;
        } else {
            self.free += size;
            self.free_blocks += 1;
            self.largest_free = self.largest_free.max(size);
        }
    }
}

impl<const ORDERS: usize, const MIN: usize> Tree<ORDERS, MIN> {
    /// The block that begins at `address`: its order, and whether it is free or live. O(orders).
    pub(super) fn block_at(&self, address: usize) -> Option<(usize, State)> {
        (0..=self.top).find_map(|order| {
            if !address.is_multiple_of(Self::size(order)) {
                return None;
            }
            // SAFETY: in the range: callers walk it; `order <= top`.
            let place = unsafe { self.place(address, order) };
            // SAFETY: MAP.
            let state = unsafe { place.state() };
            (state != State::Nothing).then_some((order, state))
        })
    }

    pub(super) fn usage(&self) -> BuddyUsage {
        let mut usage = BuddyUsage::default();
        let mut address = self.start.addr().get();
        // TILE: a block begins where the one before ends, up to the end.
        while address < self.end
            && let Some((order, state)) = self.block_at(address)
        {
            usage.count(Self::size(order), state);
            address += Self::size(order);
        }
        usage
    }
}
