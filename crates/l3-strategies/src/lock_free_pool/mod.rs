//! Blocks of one size for any number of threads, without locks.
//!
//! ```text
//!   room  │ links: 4 bytes a block │ pad │ block 0 │ block 1 │ … │ block n − 1 │
//!            │                              ▲
//!            └─ free blocks form eight stacks of indices, lanes; the head of each is one word:   │ version 32 │ link 32 │
//! ```
//!
//! A thread gives to the top of its own lane and takes from there, each by one 64-bit compare-and-swap; the version in the head
//! makes a swap fail if the top has left and come back meanwhile. Blocks that were never used, an eighth of them for each lane, are counted, not listed, so a
//! pool of any size is made by clearing its links. A thread whose lane has neither takes from the others', so the pool is
//! exhausted when all blocks are out at the same time, not before. Threads of different lanes write different cache lines.
//! `indices.rs` has the invariants and the memory orderings.
//!
//! Which lane is a thread's own follows from the address of its stack, so that nothing is asked of the system; two threads may share a lane,
//! and then wait for each other's cache line as with a single stack.
//!
//! | operation | cost |
//! | --- | --- |
//! | [`take`](LockFreePool::take), [`give`](LockFreePool::give) | one CAS, repeated for each other thread of the lane that was faster |
//! | `take` where the own lane has no block | a look at up to seven others |
//! | making one | clears 4 bytes a block |
//! | reallocate | nothing within the block's length; never moves |
//!
//! **Threads:** every operation from every thread; a thread that is stopped anywhere delays nobody; usable in signal handlers.
//! Needs 64-bit atomics. The number of blocks is fixed, at most 2³² − 4.
//!
//! **Use it** for blocks that many threads make and end, where a bound on their number is known: connections, jobs, packets; and
//! wherever a lock is forbidden. **Use something else** when one thread makes the blocks
//! ([`Pool`](crate::pool::Pool) needs no atomics for that). A pool itself takes 1.2 KiB for its lanes.
//!
//! **Source:** Treiber, *Systems programming: coping with parallelism*, 1986 (the stack, and the version against ABA, after the
//! IBM System/370 principles of operation); Michael, *Safe memory reclamation for dynamic lock-free objects*, 2002 (why links of
//! blocks in use must stay readable).
//!
//! ```
//! use stratalloc_resource::OwnedBlock;
//! use stratalloc_strategies::lock_free_pool::LockFreePool;
//! use stratalloc_strategies::pool::PoolConfig;
//!
//! let mut memory = [core::mem::MaybeUninit::uninit(); 10_000];
//! let pool = LockFreePool::over(PoolConfig::of::<[u64; 8]>(), &mut memory)?;
//! std::thread::scope(|scope| {
//!     for thread in 0..4_u8 {
//!         let pool = &pool;
//!         scope.spawn(move || {
//!             let mut block = OwnedBlock::new(pool, core::alloc::Layout::new::<[u64; 8]>()).unwrap();
//!             block.as_uninit_mut()[0].write(thread);
//!         });
//!     }
//! });
//! # Ok::<(), stratalloc_resource::AllocError>(())
//! ```

mod indices;
mod resource;

use core::alloc::Layout;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::slice;

use stratalloc_primitives::primitive::atomic::AtomicU32;
use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

pub(crate) use indices::Indices;

use crate::Fixed;
use crate::misuse::{self, CHECKED, MisuseKind};
use crate::pool::{PoolConfig, PoolUsage};
use crate::room::Room;

/// A pool for any number of threads; see the [module](self).
// Equations, checked by `validate` (while no other operation runs):
// LFP-1  indices in a stack were taken before: index < taken, the end of what its range gave out
// LFP-2  free ≤ used ≤ count (so no stack has a cycle)
// Invariant PLACES: `links` and `first` lie in the room, with `count` links and `count` blocks of `len` bytes.
pub struct LockFreePool<'m, U: MemoryResource = Fixed> {
    indices: Indices,
    links: NonNull<AtomicU32>,
    first: NonNull<u8>,
    // `len` alone, as the contract's size classes want it.
    len: [usize; 1],
    // Division by `len`, of its multiples: `len == odd << shift`, and `inverse` is that of `odd`.
    shift: u32,
    inverse: usize,
    align: Alignment,
    room: Room<'m, U>,
}

// SAFETY: the pointers lead into the room, which only this value uses; the upstream may be sent if it says so.
unsafe impl<U: MemoryResource + Send> Send for LockFreePool<'_, U> {}
// SAFETY: shared are only atomics and what never changes; a block is with one thread: FREE-ONE. The room is used by the drop only.
unsafe impl<U: MemoryResource + Sync> Sync for LockFreePool<'_, U> {}

impl<'m> LockFreePool<'m> {
    /// A pool over `memory`; see the [module](self).
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] if the memory is too small for a block, [`AllocError::SizeOverflow`] if no memory is
    /// large enough.
    pub fn over(config: PoolConfig, memory: &'m mut [MaybeUninit<u8>]) -> Result<Self, AllocError> {
        Self::in_room(config, Room::given(memory))
    }
}

impl<U: MemoryResource> LockFreePool<'static, U> {
    /// A pool of `blocks` blocks, in memory that `upstream` gives now and gets back when the pool is dropped.
    ///
    /// ```
    /// use stratalloc_resource::{FromGlobal, MemoryResource};
    /// use stratalloc_strategies::lock_free_pool::LockFreePool;
    /// use stratalloc_strategies::pool::PoolConfig;
    ///
    /// let system = FromGlobal::new(&std::alloc::System);
    /// let pool = LockFreePool::within(PoolConfig::of::<[u8; 100]>(), system, 1000)?;
    /// assert_eq!(pool.info().capacity, Some(100_000));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The upstream's, or [`AllocError::SizeOverflow`] for a size that no address space holds.
    pub fn within(config: PoolConfig, upstream: U, blocks: usize) -> Result<Self, AllocError> {
        let align = config.align().bytes().max(align_of::<AtomicU32>());
        let of_links = blocks.checked_mul(size_of::<AtomicU32>()).and_then(|size| size.checked_add(align));
        let of_blocks = blocks.checked_mul(config.len_for(1)?);
        let size = of_links.zip(of_blocks).and_then(|(links, blocks)| links.checked_add(blocks));
        let layout = size.and_then(|size| Layout::from_size_align(size, align).ok());
        let room = Room::owned(upstream, layout.ok_or(AllocError::SizeOverflow)?)?;
        Self::in_room(config.with_max_blocks(blocks.min(config.max_blocks())), room)
    }
}

/// Where links and blocks go in a room.
struct Plan {
    links: NonNull<AtomicU32>,
    first: NonNull<u8>,
    count: u32,
}

impl Plan {
    /// The plan with the most blocks, but at most `most`; `None` if there is no room for one.
    fn of(room: MemoryBlock, len: usize, align: Alignment, most: usize) -> Option<Self> {
        let pad = |address: usize, to: usize| address.wrapping_neg() & (to - 1);
        let (_, room) = room.split_at(pad(room.address(), align_of::<AtomicU32>()))?;
        let each = len.checked_add(size_of::<AtomicU32>())?;
        let bound = usize::try_from(indices::MAX_COUNT).unwrap_or(usize::MAX);
        let mut count = room.len().checked_div(each)?.min(most).min(bound);
        while count > 0 {
            let (_, rest) = room.split_at(count * size_of::<AtomicU32>())?;
            let blocks = rest.split_at(pad(rest.address(), align.bytes())).map(|(_, blocks)| blocks);
            if let Some(blocks) = blocks.filter(|blocks| blocks.len().checked_div(len) >= Some(count)) {
                let links = room.as_non_null().cast();
                return Some(Self { links, first: blocks.as_non_null(), count: u32::try_from(count).ok()? });
            }
            // Without the padding one more fitted; a block is not shorter than the padding.
            count -= 1;
        }
        None
    }
}

impl<'m, U: MemoryResource> LockFreePool<'m, U> {
    fn in_room(config: PoolConfig, room: Room<'m, U>) -> Result<Self, AllocError> {
        let (len, align) = (config.len_for(1)?, config.align());
        let Plan { links, first, count } =
            Plan::of(room.block(), len, align, config.max_blocks()).ok_or(AllocError::CapacityExhausted)?;
        for index in 0..count as usize {
            // SAFETY: inside the room: `Plan::of`.
            let link = unsafe { links.add(index) };
            // SAFETY: as above, and aligned.
            unsafe { link.write(AtomicU32::new(0)) };
        }
        let shift = len.trailing_zeros();
        let inverse = inverse(len >> shift);
        Ok(Self { indices: Indices::new(count), links, first, len: [len], shift, inverse, align, room })
    }

    #[inline(always)]
    fn links(&self) -> &[AtomicU32] {
        // SAFETY: initialised by the constructor, in the room, used as nothing else: PLACES, FREE-LINKS.
        unsafe { slice::from_raw_parts(self.links.as_ptr(), self.indices.count() as usize) }
    }

    /// How many blocks there are, free or not; see [`usage`](Self::usage).
    #[must_use]
    pub const fn block_count(&self) -> usize {
        self.indices.count() as usize
    }

    /// The real size of each block: the size asked for, rounded up to the alignment. See [`usage`](Self::usage).
    #[must_use]
    pub const fn block_len(&self) -> usize {
        self.len[0]
    }

    /// Takes a block.
    ///
    /// ```
    /// # use stratalloc_strategies::{lock_free_pool::LockFreePool, pool::PoolConfig};
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 1000];
    /// let pool = LockFreePool::over(PoolConfig::of::<u32>(), &mut memory)?;
    /// let block = pool.take()?;
    /// // SAFETY: taken just now, not used.
    /// unsafe { pool.give(block.as_non_null()) };
    /// assert_eq!(pool.take()?, block);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] when all blocks are taken.
    #[inline]
    pub fn take(&self) -> Result<MemoryBlock, AllocError> {
        let index = self.indices.take(self.links(), lane()).ok_or(AllocError::CapacityExhausted)?;
        // SAFETY: one of `count` blocks: PLACES.
        let start = unsafe { self.first.add(index as usize * self.len[0]) };
        Ok(MemoryBlock::new(start, self.len[0]))
    }

    /// Gives a block back; see [`take`](Self::take). In a checked build a second release is refused, whichever thread it comes from.
    ///
    /// # Safety
    ///
    /// `start` is the start of a live block of this pool, and nobody uses it any more.
    #[inline]
    pub unsafe fn give(&self, start: NonNull<u8>) {
        let offset = start.addr().get().wrapping_sub(self.first.addr().get());
        if CHECKED && let Some(kind) = self.wrong_with(offset) {
            return misuse::report("lock-free pool", kind, start.addr().get());
        }
        // Exact: the offset is a multiple of `len`, so the product with the inverse is the quotient.
        let quotient = (offset >> self.shift).wrapping_mul(self.inverse);
        #[expect(clippy::cast_possible_truncation, reason = "less than `count`: this function's contract")]
        let index = quotient as u32;
        let given = self.indices.give(self.links(), lane(), index);
        if CHECKED && !given {
            misuse::report("lock-free pool", MisuseKind::DoubleRelease, start.addr().get());
        }
    }

    fn wrong_with(&self, offset: usize) -> Option<MisuseKind> {
        if offset >= self.block_count() * self.len[0] {
            Some(MisuseKind::ForeignBlock)
        } else {
            (!offset.is_multiple_of(self.len[0])).then_some(MisuseKind::InteriorPointer)
        }
    }

    /// Counts blocks. O(free); `&mut self`, because a count while others take and give would be of no moment.
    ///
    /// ```
    /// # use stratalloc_strategies::{lock_free_pool::LockFreePool, pool::PoolConfig};
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 1000];
    /// let mut pool = LockFreePool::over(PoolConfig::new(50, stratalloc_resource::Alignment::ONE), &mut memory)?;
    /// pool.take()?;
    /// assert_eq!((pool.usage().live, pool.block_len(), pool.block_count()), (1, 50, 18));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn usage(&mut self) -> PoolUsage {
        let look = self.indices.look(self.links());
        let (total, used, free) = (self.block_count(), look.used as usize, look.free as usize);
        PoolUsage { live: used.saturating_sub(free), free, fresh: total - used, total }
    }
}

/// The lane of the calling thread, from where its stack is: a hint, cheap and right for as long as the thread stays within the same 64 KiB.
#[inline(always)]
fn lane() -> usize {
    const STACK_SHIFT: u32 = 16;
    // The golden ratio's fraction of the word's range: multiples of it, as stacks at regular distances give, spread evenly
    // (Knuth, *The Art of Computer Programming* 3, 6.4: Fibonacci hashing).
    #[expect(clippy::cast_possible_truncation, reason = "as many of its bits as a word has")]
    const GOLDEN: usize = (0x9E37_79B9_7F4A_7C15_u64 >> (64 - usize::BITS)) as usize | 1;
    let on_the_stack = 0_u8;
    let place = (&raw const on_the_stack).addr() >> STACK_SHIFT;
    place.wrapping_mul(GOLDEN) >> (usize::BITS - indices::LANES.trailing_zeros())
}

/// The inverse of an odd number modulo the word size.
const fn inverse(odd: usize) -> usize {
    // Newton's iteration: `odd · odd ≡ 1 (mod 8)`, so the first guess has three bits right, and each step doubles that.
    let mut inverse = odd;
    let mut bits = 3;
    while bits < usize::BITS {
        inverse = inverse.wrapping_mul(2_usize.wrapping_sub(odd.wrapping_mul(inverse)));
        bits *= 2;
    }
    inverse
}

impl<U: MemoryResource> fmt::Debug for LockFreePool<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockFreePool")
            .field("blocks", &self.block_count())
            .field("block_len", &self.block_len())
            .field("align", &self.align)
            .field("room", &self.room.block())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_divides_multiples_exactly() {
        for odd in (1..10_000_usize).step_by(2) {
            assert_eq!(odd.wrapping_mul(inverse(odd)), 1, "{odd}");
        }
        for len in 1..200_usize {
            let shift = len.trailing_zeros();
            for count in [0, 1, 2, 3, 1000, usize::MAX / len / 3, usize::MAX / len] {
                assert_eq!(((count * len) >> shift).wrapping_mul(inverse(len >> shift)), count);
            }
        }
    }
}
