//! The lock-free pool as C sees it: with a bit for each block, where releases are to be checked.

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::slice;
use core::sync::atomic::{AtomicUsize, Ordering};

use stratalloc_resource::abi::{ErrorCode, RawUsage, ResourceV1};
use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Validate,
};
use stratalloc_strategies::lock_free_pool::LockFreePool;
use stratalloc_strategies::{Inspect, MisuseKind};

use crate::config::{Config, Looks};
use crate::makes::pool_config;
use crate::strategies::blocks;
use crate::strategy::{Make, Room, Strategy};
use crate::table::plain;

/// A pool and who is live in it.
///
/// ```text
///   memory │ live: a bit per place, if checked │ the pool's links and blocks …
/// ```
///
/// Invariant BIT: the bit of a block's place is set from before its way to the caller to its release; whoever clears it is the one who
/// releases the block. (The pool alone cannot know: a live block's link is anybody's leftover.)
pub(crate) struct LockFree {
    // Only `usage` takes more than a shared reference, while nothing else runs.
    pool: UnsafeCell<LockFreePool<'static>>,
    live: &'static [AtomicUsize],
    /// Where the memory behind the bits begins; places are counted from there.
    origin: usize,
}

impl LockFree {
    fn pool(&self) -> &LockFreePool<'static> {
        // SAFETY: exclusive references are made in `usage` only, while no other operation runs: its contract.
        unsafe { &*self.pool.get() }
    }

    /// The word and the bit of the place where a block begins; `None` where nothing is noted.
    fn bit(&self, block: MemoryBlock) -> Option<(&AtomicUsize, usize)> {
        let place = block.address().wrapping_sub(self.origin).checked_div(self.pool().block_len())?;
        let bits = usize::BITS as usize;
        Some((self.live.get(place / bits)?, 1 << (place % bits)))
    }
}

// SAFETY: the pool keeps the contract, and nothing is added to what it does with blocks; bits lie beside its memory.
unsafe impl MemoryResource for LockFree {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let block = self.pool().allocate(layout)?;
        if let Some((word, bit)) = self.bit(block) {
            // Relaxed: the block itself carries the order between its users.
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(block)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        // SAFETY: this function's contract.
        unsafe { self.pool().deallocate(block, align) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        // SAFETY: this function's contract. It never moves, so the bit stays right.
        unsafe { self.pool().reallocate(block, new_size, align) }
    }

    fn identity(&self) -> ResourceId {
        self.pool().identity()
    }

    fn info(&self) -> ResourceInfo<'_> {
        self.pool().info()
    }
}

impl Strategy for LockFree {
    fn table() -> &'static ResourceV1 {
        static TABLE: ResourceV1 = plain::<LockFree>();
        &TABLE
    }

    fn owns(&self, address: *const u8) -> bool {
        self.pool().owns(address)
    }

    fn look(&self, block: MemoryBlock, align: Alignment, _: bool) -> Result<(), MisuseKind> {
        self.pool().inspect(block, align)?;
        match self.bit(block) {
            Some((word, bit)) if word.load(Ordering::Relaxed) & bit == 0 => Err(MisuseKind::DoubleRelease),
            _ => Ok(()),
        }
    }

    fn admit(&self, block: MemoryBlock, align: Alignment, _: Looks) -> Result<(), MisuseKind> {
        self.pool().inspect(block, align)?;
        match self.bit(block) {
            // Of several that release it at once, one sees the bit: BIT.
            Some((word, bit)) if word.fetch_and(!bit, Ordering::Relaxed) & bit == 0 => {
                Err(MisuseKind::DoubleRelease)
            }
            _ => Ok(()),
        }
    }

    unsafe fn usage(&self) -> RawUsage {
        // SAFETY: no other operation runs: this function's contract.
        let pool = unsafe { &mut *self.pool.get() };
        blocks(&pool.usage(), pool.block_len())
    }

    fn is_valid(&self) -> bool {
        self.pool().validate().is_ok()
    }
}

impl Make for LockFree {
    const ROOM: Room = Room::Needed;

    fn make(config: &Config, memory: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode> {
        if config.chunk_size != 0 {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        let blocks = pool_config(config)?;
        // By the real length, which `bit` divides by: alignment may make a block many times as long as was asked for. (Not
        // `PoolConfig::block_len`: links lie outside the blocks here, so that these may be shorter than a word.)
        let len = config.block_size.checked_next_multiple_of(blocks.align().bytes());
        let len = len.ok_or(ErrorCode::SIZE_OVERFLOW)?;
        let places = if config.looks.close { memory.len().checked_div(len).unwrap_or(0) + 1 } else { 0 };
        let (live, rest) = bits(memory, places).ok_or(ErrorCode::CAPACITY_EXHAUSTED)?;
        let origin = rest.as_ptr().addr();
        let pool = UnsafeCell::new(LockFreePool::over(blocks, rest)?);
        Ok(Self { pool, live, origin })
    }
}

/// Cuts that many bits, all zero, off the front of `memory`.
fn bits(
    memory: &'static mut [MaybeUninit<u8>],
    bits: usize,
) -> Option<(&'static [AtomicUsize], &'static mut [MaybeUninit<u8>])> {
    let words = bits.div_ceil(usize::BITS as usize);
    let pad = memory.as_ptr().addr().wrapping_neg() & (align_of::<AtomicUsize>() - 1);
    let (_, aligned) = memory.split_at_mut_checked(pad)?;
    let (live, rest) = aligned.split_at_mut_checked(words * size_of::<AtomicUsize>())?;
    live.fill(MaybeUninit::new(0));
    // SAFETY: as many words, aligned, zero, and borrowed for good.
    Some((unsafe { slice::from_raw_parts(live.as_mut_ptr().cast_const().cast(), words) }, rest))
}
