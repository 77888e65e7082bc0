//! Linear allocation: a cursor moves through memory, and everything is given up at once.
//!
//! ```text
//!   Frame ─ base                          the caller's memory, if any
//!     │      │▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓│
//!     │ first                             chunks from upstream, each at most twice the one before
//!     ├─────►│H│▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓│
//!     │ current └ next
//!     └─────►│H│▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░░░░░░░│
//!               │                ▲ cursor           ▲ limit
//!               └ next
//!            │H│░░░░░░░░░░░░░░░░░░░░░│           kept by a reset or a rewind, entered again when it is needed
//!
//!   H header (two words)   ▓ blocks   ░ free
//! ```
//!
//! The cursor moves *up*, so the youngest block, a growing `Vec` or string for instance, grows and shrinks in place. What is kept is the
//! byte *before* the cursor: an `or` and an addition lead from one allocation to the next, as few as when moving down.
//!
//! | operation | cost |
//! | --- | --- |
//! | allocation, constant layout | 10 instructions without calls (x86-64; 8 with `MinAlign`): load, align, compare, store |
//! | allocation that does not fit | a walk over the kept chunks; one upstream request if none fits |
//! | [`deallocate`](stratalloc_resource::MemoryResource::deallocate) | the youngest block: the cursor goes back; any other: nothing happens |
//! | [`reallocate`](stratalloc_resource::MemoryResource::reallocate) | the youngest block, and every shrink: in place; else a copy |
//! | [`Frame::marker`], [`Frame::rewind`], [`Frame::reset`] | O(1); chunks are kept |
//! | [`collect`](stratalloc_resource::Collect::collect), drop | one upstream release per chunk |
//!
//! Growth is by chunks of any upstream. Over a range of reserved addresses (`reserved::ReservedRange`, where there is an operating system) the
//! chunks lie next to each other between guard pages, memory is committed as the cursor comes to it, and goes back by two calls of `collect`.
//!
//! With [`Safety`] an allocation fills its block, and a reset checks and fills what it gives up.
//!
//! **Threads:** confined to one; a frame can be sent to another thread if its upstream can.
//!
//! **Use it** for everything that dies together: a frame of a game, a request of a server, a pass of a compiler; also over a
//! buffer on the stack, with or without an upstream to fall back on. **Use something else** where blocks die in any order while
//! others live (a [`tlsf`](crate::tlsf) heap), or one by one at the same size (a pool): a frame gives nothing back before
//! its end. Values are not dropped: [`Arena`] runs destructors. If you need `bumpalo`'s own collections, take `bumpalo`.
//!
//! **Beside `bumpalo`** (`bench/toolkit.sh --cases bump-`): even where a value is made, faster where values are large or can fail, slower in three
//! shapes. An arena that is reset for each block of 16 bytes takes 0.7 ns more, most of it because it keeps its [`peak`](Frame::peak). A
//! `Result` that is stored and not matched at once is two words, since [`AllocError`](stratalloc_resource::AllocError) tells why; `bumpalo`'s
//! error tells nothing. And a cycle over several chunks walks through them; `bumpalo` gives back all but the last. To begin the next cycle in
//! the largest chunk was tried (6 % faster over 1000 mixed blocks) and left: blocks then lie in other chunks than in the cycle
//! before, and a cycle that was served once could ask upstream again.
//!
//! **Source:** the method is folklore (Hanson, *Fast allocation and deallocation of memory based on object lifetimes*, 1990,
//! describes arenas with chunks); the method grid follows the crate `bumpalo`, scopes those of `bump-scope`.
//!
//! # Making values
//!
//! | | one that panics when memory runs out | one that returns the failure |
//! | --- | --- | --- |
//! | a value | [`alloc`](Frame::alloc), [`alloc_with`](Frame::alloc_with) | `try_alloc`, `try_alloc_with` |
//! | a value that may fail itself | [`alloc_try_with`](Frame::alloc_try_with) | `try_alloc_try_with` |
//! | a copy | [`alloc_slice_copy`](Frame::alloc_slice_copy), [`alloc_slice_clone`](Frame::alloc_slice_clone), [`alloc_str`](Frame::alloc_str) | `try_…` |
//! | a slice | [`alloc_slice_fill_with`](Frame::alloc_slice_fill_with), `_copy`, `_clone`, `_default`, `_iter` | `try_…` |
//! | a formatted string | [`alloc_fmt`](Frame::alloc_fmt) | `try_alloc_fmt` |
//! | aligned for vector instructions | [`alloc_simd`](Frame::alloc_simd) | `try_alloc_simd` |
//! | bytes | [`alloc_layout`](Frame::alloc_layout) | `try_alloc_layout` |
//!
//! ```
//! use core::mem::MaybeUninit;
//! use stratalloc_strategies::frame::Frame;
//!
//! let mut memory = [MaybeUninit::uninit(); 4096];
//! let mut frame: Frame = Frame::over(&mut memory);
//! for cycle in 0..3 {
//!     let name = frame.alloc_fmt(format_args!("cycle {cycle}"));
//!     let numbers = frame.alloc_slice_fill_with(100, |index| index * cycle);
//!     assert_eq!((&*name, numbers[7]), (&*format!("cycle {cycle}"), 7 * cycle));
//!     frame.reset();
//! }
//! assert_eq!(frame.used(), 0);
//! ```

mod arena;
mod bump;
mod chunk;
mod grid;
mod growing;
mod guard;
mod marker;
mod policy;
mod resource;
mod scope;
mod validate;
mod values;

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, MemoryBlock, MemoryResource};

pub use arena::Arena;
pub use marker::Marker;
pub use policy::{CacheLined, Chunks, Counted, Counts, MinAlign, Policy, Safety, Speed};
pub use scope::{Scope, ScopeGuard};
pub use values::AllocOrInitError;

use crate::Fixed;
use chunk::Chunk;
use guard::Guard;

/// A linear allocator; see the [module](self).
///
/// `'m` is the life of the memory that it was given, `P` what it does with each block, `U` where more memory comes from.
///
/// ```
/// use std::alloc::System;
/// use stratalloc_resource::FromGlobal;
/// use stratalloc_strategies::frame::Frame;
///
/// let frame: Frame<'_, _, _> = Frame::<stratalloc_strategies::frame::Speed, _>::growing(FromGlobal::new(&System));
/// let greeting = frame.alloc_str("good morning");
/// greeting.make_ascii_uppercase();
/// assert_eq!(greeting, "GOOD MORNING");
/// assert_eq!(frame.used(), 12);
/// ```
///
/// A value cannot outlive a reset:
/// ```compile_fail,E0502
/// # use stratalloc_strategies::frame::Frame;
/// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
/// let mut frame: Frame = Frame::over(&mut memory);
/// let value = frame.alloc(1);
/// frame.reset();
/// *value = 2;
/// ```
// Equations, checked by `validate`:
// FRAME-1  cursor ≤ limit
// FRAME-2  the region [cursor, limit] ends where the base (no current chunk) or the current chunk ends
// FRAME-3  the cursor is a multiple of the policy's MIN_ALIGN
// FRAME-4  the current chunk is in the chain that begins with `first`
// FRAME-5  used ≤ reserved
// FRAME-6  bias = −start of the first region (the base or, where that is empty, the first chunk) as long as the cursor is in it
// Invariant BUMP: the bytes from cursor to limit are the frame's own, exclusively, and no live block reaches into them;
// whatever lies in regions before the current one is left alone until a rewind.
pub struct Frame<'m, P: Policy = Speed, U: MemoryResource = Fixed> {
    // The byte before the cursor. So `last | (align − 1)` is the byte before the next aligned place, and with the block's size added, the
    // new `last`: one addition less from one allocation to the next than with the cursor itself. Null where the cursor is at 1.
    last: Cell<*mut u8>,
    limit: Cell<usize>,
    // What to add to the cursor's address to get the bytes used so far, in this region and those before it.
    bias: Cell<usize>,
    // The largest `used` at any moment at which it fell.
    peak: Cell<usize>,
    count: Cell<usize>,
    // The youngest guard of a frame with canaries.
    youngest: Cell<Option<NonNull<Guard>>>,
    // How often an empty frame has left its chunks to `collect`: a marker from before that means the start (invariant LEFT).
    left: Cell<usize>,
    // The chunk that the cursor is in; `None` in the base.
    current: Cell<Option<NonNull<Chunk>>>,
    // Where a reset leads to: the base or, where that is empty, the chunk that was entered first since the frame was empty. Compared with
    // `current` only, so what it says of a frame that has not entered a chunk yet does not matter.
    home: Cell<Option<NonNull<Chunk>>>,
    first: Cell<Option<NonNull<Chunk>>>,
    next_chunk: Cell<usize>,
    // The chunk whose address is the frame's identity, once somebody has asked for it.
    name: Cell<Option<NonNull<Chunk>>>,
    base: MemoryBlock,
    upstream: U,
    memory: PhantomData<&'m mut [MaybeUninit<u8>]>,
    policy: PhantomData<fn() -> P>,
}

// SAFETY: all pointers lead into memory that only this value uses; the upstream may be sent if it says so.
unsafe impl<P: Policy, U: MemoryResource + Send> Send for Frame<'_, P, U> {}

impl<'m, P: Policy> Frame<'m, P> {
    /// A frame over `memory`, that never grows.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use stratalloc_strategies::frame::Frame;
    ///
    /// static mut MEMORY: [MaybeUninit<u8>; 1024] = [MaybeUninit::uninit(); 1024];
    /// // SAFETY: this is the only use of the static.
    /// let frame: Frame = Frame::over(unsafe { &mut *(&raw mut MEMORY) });
    /// frame.alloc([0_u64; 100]);
    /// assert!(frame.try_alloc([0_u64; 100]).is_err());
    /// ```
    #[must_use]
    pub fn over(memory: &'m mut [MaybeUninit<u8>]) -> Self {
        Self::over_then(memory, Fixed)
    }
}

impl<P: Policy, U: MemoryResource> Frame<'static, P, U> {
    /// A frame that takes chunks from `upstream`, the first at the first allocation.
    ///
    /// ```
    /// use std::alloc::System;
    /// use stratalloc_resource::{FromGlobal, MemoryResource};
    /// use stratalloc_strategies::frame::{Frame, Speed};
    ///
    /// const FRAME: Frame<'static, Speed, FromGlobal<'static, System>> = Frame::growing(FromGlobal::new(&System));
    /// let frame = FRAME;
    /// let large = frame.alloc_slice_fill_copy(1_000_000, 7_u32);
    /// assert_eq!(large[999_999], 7);
    /// assert_eq!(frame.upstream().info().name, "global");
    /// ```
    #[must_use]
    pub const fn growing(upstream: U) -> Self {
        // Without provenance and empty: BUMP holds for no bytes. Aligned for FRAME-3.
        let start = MemoryBlock::empty(min_align::<P>());
        Self::with_base(start, P::MIN_ALIGN, upstream)
    }
}

/// The policy's alignment, as a value.
const fn min_align<P: Policy>() -> Alignment {
    match Alignment::new(P::MIN_ALIGN) {
        Some(align) => align,
        // Refused by `policy::check`.
        None => Alignment::ONE,
    }
}

impl<'m, P: Policy, U: MemoryResource> Frame<'m, P, U> {
    /// A frame that uses `memory` first, and takes chunks from `upstream` when that is full.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use std::alloc::System;
    /// use stratalloc_resource::FromGlobal;
    /// use stratalloc_strategies::frame::{Frame, Speed};
    ///
    /// let mut on_the_stack = [MaybeUninit::uninit(); 256];
    /// let frame = Frame::<Speed, _>::over_then(&mut on_the_stack, FromGlobal::new(&System));
    /// frame.alloc([0_u8; 200]);
    /// assert_eq!(frame.reserved(), 256);
    /// frame.alloc([0_u8; 200]);
    /// assert!(frame.reserved() > 256);
    /// ```
    #[must_use]
    pub fn over_then(memory: &'m mut [MaybeUninit<u8>], upstream: U) -> Self {
        let whole = MemoryBlock::new(NonNull::from(&mut *memory).cast(), memory.len());
        // From the first multiple of the minimal alignment: FRAME-3.
        let skip = whole.address().wrapping_neg() & min_align::<P>().mask();
        let base = whole.split_at(skip).map_or(MemoryBlock::empty(min_align::<P>()), |(_, rest)| rest);
        let frame = Self::with_base(base, base.address(), upstream);
        frame.fill_fresh(base);
        frame
    }

    /// `address` is that of `base`, where a constant can be had of it.
    const fn with_base(base: MemoryBlock, address: usize, upstream: U) -> Self {
        policy::check::<P>();
        Self {
            last: Cell::new(base.as_non_null().as_ptr().wrapping_sub(1)),
            limit: Cell::new(address + base.len()),
            bias: Cell::new(address.wrapping_neg()),
            peak: Cell::new(0),
            count: Cell::new(0),
            youngest: Cell::new(None),
            left: Cell::new(0),
            current: Cell::new(None),
            home: Cell::new(None),
            first: Cell::new(None),
            next_chunk: Cell::new(P::FIRST_CHUNK),
            name: Cell::new(None),
            base,
            upstream,
            memory: PhantomData,
            policy: PhantomData,
        }
    }

    /// Gives up all blocks; the frame keeps its memory. O(1), but for [`Safety`], which checks and fills.
    ///
    /// ```
    /// use stratalloc_strategies::frame::Frame;
    ///
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
    /// let mut frame: Frame = Frame::over(&mut memory);
    /// frame.alloc([1_u8; 60]);
    /// frame.reset();
    /// frame.alloc([2_u8; 60]);
    /// assert_eq!((frame.used(), frame.peak()), (60, 60));
    /// ```
    pub fn reset(&mut self) {
        if !P::FILL && !P::CANARIES && self.is_in_first_region() {
            self.note_peak();
            if P::COUNT {
                self.count.set(0);
            }
            // To the byte before the region's start, which is −bias: FRAME-6. The limit stays. (Not what was used taken off `last`: that
            // would be one more step from each allocation to the next.)
            self.last.set(self.last.get().with_addr(!self.bias.get()));
            return;
        }
        // SAFETY: `&mut self`: no reference to a block is left; raw blocks are given up by whoever resets.
        unsafe { self.rewind_to(&self.start()) };
        // Without a base the next allocation would go the slow way only to come here. (A frame that fills would fill all of it.)
        if !P::FILL
            && self.base.is_empty()
            && let Some(first) = self.first.get()
        {
            self.enter(first);
        }
    }

    /// Where the next block begins, if it needs no alignment.
    #[inline(always)]
    fn cursor(&self) -> NonNull<u8> {
        // SAFETY: in a region or at its end (FRAME-2), and so not null.
        unsafe { NonNull::new_unchecked(self.last.get().wrapping_add(1)) }
    }

    #[inline(always)]
    fn set_cursor(&self, cursor: NonNull<u8>) {
        self.last.set(cursor.as_ptr().wrapping_sub(1));
    }

    /// Whether the cursor is in the region that a reset leads to.
    #[inline(always)]
    fn is_in_first_region(&self) -> bool {
        self.current.get() == self.home.get()
    }

    /// Bytes from the first block's to the last one's, with the gaps between them, over base and chunks.
    ///
    /// ```
    /// # use stratalloc_strategies::frame::Frame;
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
    /// let frame: Frame = Frame::over(&mut memory[..]);
    /// frame.alloc(1_u8);
    /// assert_eq!((frame.used(), frame.remaining()), (1, 63));
    /// ```
    #[must_use]
    pub fn used(&self) -> usize {
        self.cursor().addr().get().wrapping_add(self.bias.get())
    }

    /// The largest [`used`](Self::used) so far, resets included; see [`reset`](Self::reset).
    #[must_use]
    pub fn peak(&self) -> usize {
        self.peak.get().max(self.used())
    }

    /// What is left in the current region: a request of this size and alignment 1 asks nobody. See
    /// [`used`](Self::used) for an example, and [`try_reserve`](Self::try_reserve).
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.limit.get().wrapping_sub(self.cursor().addr().get())
    }

    /// Bytes of the base and of all chunks, headers included; see [`over_then`](Self::over_then). O(chunks).
    #[must_use]
    pub fn reserved(&self) -> usize {
        // SAFETY: chunks of the chain are ours until they are given back: CHUNK.
        let lens = self.chunks().map(|chunk| unsafe { chunk.as_ref() }.len);
        self.base.len() + lens.sum::<usize>()
    }

    /// How many allocations there were since the last reset; what a rewind gives up counts no more. See [`Policy`].
    #[must_use]
    pub fn count(&self) -> usize
    where
        P: Counts,
    {
        self.count.get()
    }

    /// Where the chunks come from; see [`growing`](Frame::growing).
    #[must_use]
    pub const fn upstream(&self) -> &U {
        &self.upstream
    }

    /// All chunks, the first first.
    fn chunks(&self) -> impl Iterator<Item = NonNull<Chunk>> + '_ {
        // SAFETY: chunks of the chain are ours until they are given back: CHUNK.
        core::iter::successors(self.first.get(), |chunk| unsafe { chunk.as_ref() }.next.get())
    }
}

impl<P: Policy, U: MemoryResource> Drop for Frame<'_, P, U> {
    fn drop(&mut self) {
        if P::CANARIES {
            self.report_damage(None);
        }
        let mut next = self.first.get();
        while let Some(chunk) = next {
            // SAFETY: CHUNK; it is given back below.
            next = unsafe { chunk.as_ref() }.next.get();
            // SAFETY: in the chain: CHUNK; no block outlives the frame.
            unsafe { chunk::release(&self.upstream, chunk) };
        }
    }
}

impl<P: Policy> Default for Frame<'_, P> {
    /// A frame without memory; it serves values of size zero only.
    fn default() -> Self {
        Self::over(&mut [])
    }
}

impl<P: Policy, U: MemoryResource> fmt::Debug for Frame<'_, P, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("used", &self.used())
            .field("peak", &self.peak())
            .field("reserved", &self.reserved())
            .finish_non_exhaustive()
    }
}
