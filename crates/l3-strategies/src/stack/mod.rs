//! Last in, first out: blocks that come back in the reverse order of their making.
//!
//! ```text
//!   room  │ pad│H│ block 0   │ pad│H│ block 1 │H│ block 2      │░░░░░░░░░░░░░░░░░░░░░│
//!               ▲                  ▲           ▲                ▲ cursor            ▲ limit
//!               └───── below ──────┴── below ──┴ top
//!
//!   H  │ below │ end │ R │   the header under this one; where the cursor was before this block; whether it is released
//! ```
//!
//! A release of the top block takes the cursor back to where it was. A release of any other is noted in its header (R), and the
//! memory comes back with the release of everything above: nothing is ever lost, only late. Whether that is meant is a matter
//! of type: [`Strict`] stacks report it in checked builds, [`AnyOrder`] stacks take it as normal.
//!
//! | operation | cost |
//! | --- | --- |
//! | allocate | 17 instructions, constant layout: load, align, compare, two header words, two stores |
//! | deallocate, in order | 18 instructions; nine more for each released block that it uncovers |
//! | deallocate, out of order | one read-modify-write of the header |
//! | reallocate | the top block, and every shrink: in place; else a copy |
//! | [`marker`](Stack::marker), [`rewind`](Stack::rewind) | O(1), and what the rewind uncovers |
//!
//! Each block has a header of two words. **Threads:** confined to one; can be sent.
//!
//! **Use it** for scratch memory of nested work: parsers, solvers, importers of a level, where each stage releases what it took
//! before its caller goes on; above all where blocks of one stage are large, so that a frame would keep too much. **Use something
//! else** where lifetimes do not nest (a [`tlsf`](crate::tlsf) heap or a pool), or where nobody releases single blocks
//! (a [`frame`](crate::frame), which has no headers).
//!
//! **Source:** the mark/release stack of Knuth, *The Art of Computer Programming* 1, 2.5; obstacks of GNU libc, whose order is an
//! undetected duty of the caller.
//!
//! ```
//! use core::mem::MaybeUninit;
//! use stratalloc_resource::Allocator;
//! use stratalloc_strategies::stack::Stack;
//!
//! let mut memory = [MaybeUninit::uninit(); 4096];
//! let stack: Stack = Stack::over(&mut memory);
//! let scratch = Allocator::new(&stack);
//! let outer = scratch.try_alloc_block(1000)?;
//! {
//!     let inner = scratch.try_alloc_block(2000)?;
//!     assert!(stack.used() > 3000);
//! } // `inner` releases itself
//! assert!(stack.used() < 1100);
//! drop(outer);
//! assert_eq!((stack.used(), stack.depth()), (0, 0));
//! # Ok::<(), stratalloc_resource::AllocError>(())
//! ```

mod header;
mod marker;
mod resource;
mod validate;

use core::alloc::Layout;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryResource};

pub use marker::{StackMarker, StackScope};

use crate::Fixed;
use crate::room::Room;
use header::Header;

mod sealed {
    #[expect(unnameable_types, reason = "there are two orders, and both are known here")]
    pub trait Sealed {}
}

/// What a [`Stack`] thinks of releases that are not of its top block: [`Strict`] or [`AnyOrder`]. See [`AnyOrder`] for an example.
pub trait Order: sealed::Sealed {
    /// Whether a checked build reports them. See [`AnyOrder`] for an example.
    const STRICT: bool;
}

/// Blocks are released in the reverse order of their making; a checked build reports others as
/// [`OutOfOrder`](crate::MisuseKind::OutOfOrder). See the [module](self). See [`Stack::within`] for an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strict;

/// Blocks are released in any order; memory comes back when all above it has.
///
/// ```
/// use stratalloc_resource::Allocator;
/// use stratalloc_strategies::stack::{AnyOrder, Order, Stack, Strict};
///
/// assert!(Strict::STRICT && !AnyOrder::STRICT);
/// let mut memory = [core::mem::MaybeUninit::uninit(); 1024];
/// let stack: Stack<AnyOrder> = Stack::over(&mut memory);
/// let handle = Allocator::new(&stack);
/// let (first, second) = (handle.try_alloc_block(100)?, handle.try_alloc_block(100)?);
/// drop(first);
/// assert_eq!((stack.depth(), stack.waiting()), (2, 1));
/// drop(second);
/// assert_eq!((stack.depth(), stack.used()), (0, 0));
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyOrder;

impl sealed::Sealed for Strict {}
impl sealed::Sealed for AnyOrder {}

impl Order for Strict {
    const STRICT: bool = true;
}

impl Order for AnyOrder {
    const STRICT: bool = false;
}

/// A stack of blocks; see the [module](self).
// Equations, checked by `validate`:
// STACK-1  room start ≤ cursor ≤ limit, and the limit is the room's end
// STACK-2  headers descend from `top`: each lies below the one above it, inside the room
// STACK-3  header.end ≤ header's own offset, and ≥ the start of the block below it
// STACK-4  the top block is live: what is released and uncovered is gone at once
// Invariant LIFO: the bytes from cursor to limit belong to no block; those of a block lie between its header and the next
// header's `end`, or the cursor.
pub struct Stack<'m, O: Order = Strict, U: MemoryResource = Fixed> {
    cursor: Cell<NonNull<u8>>,
    limit: usize,
    // The start of the room.
    base: NonNull<u8>,
    top: Cell<Option<NonNull<Header>>>,
    // The largest `used` at any moment at which it fell.
    peak: Cell<usize>,
    room: Room<'m, U>,
    order: PhantomData<fn() -> O>,
}

// SAFETY: all pointers lead into memory that only this value uses; the upstream may be sent if it says so.
unsafe impl<O: Order, U: MemoryResource + Send> Send for Stack<'_, O, U> {}

impl<'m, O: Order> Stack<'m, O> {
    /// A stack over `memory`; see the [module](self).
    #[must_use]
    pub fn over(memory: &'m mut [MaybeUninit<u8>]) -> Self {
        Self::in_room(Room::given(memory))
    }
}

impl<O: Order, U: MemoryResource> Stack<'static, O, U> {
    /// A stack of `bytes` that `upstream` gives now and gets back when the stack is dropped.
    ///
    /// ```
    /// use std::alloc::System;
    /// use stratalloc_resource::{FromGlobal, MemoryResource};
    /// use stratalloc_strategies::stack::{Stack, Strict};
    ///
    /// let stack = Stack::<Strict, _>::within(FromGlobal::new(&System), 1 << 20)?;
    /// assert_eq!(stack.info().capacity, Some(1 << 20));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The upstream's.
    pub fn within(upstream: U, bytes: usize) -> Result<Self, AllocError> {
        let layout = Layout::from_size_align(bytes, Alignment::MALLOC.bytes());
        let layout = layout.map_err(|_| AllocError::SizeOverflow)?;
        Room::owned(upstream, layout).map(Self::in_room)
    }
}

impl<'m, O: Order, U: MemoryResource> Stack<'m, O, U> {
    fn in_room(room: Room<'m, U>) -> Self {
        let block = room.block();
        Self {
            cursor: Cell::new(block.as_non_null()),
            limit: block.end_address(),
            base: block.as_non_null(),
            top: Cell::new(None),
            peak: Cell::new(0),
            room,
            order: PhantomData,
        }
    }

    /// Bytes up to the cursor: blocks, headers, padding, and what [waits](Self::waiting). See the [module](self).
    #[must_use]
    pub fn used(&self) -> usize {
        self.cursor.get().addr().get().wrapping_sub(self.base_address())
    }

    /// The largest [`used`](Self::used) so far.
    ///
    /// ```
    /// use stratalloc_strategies::stack::Stack;
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 1024];
    /// let stack: Stack = Stack::over(&mut memory);
    /// drop(stratalloc_resource::Allocator::new(&stack).try_alloc_block(500)?);
    /// assert!(stack.used() == 0 && stack.peak() >= 500);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn peak(&self) -> usize {
        self.peak.get().max(self.used())
    }

    /// How many blocks there are, live or waiting. O(that number). See the [module](self).
    #[must_use]
    pub fn depth(&self) -> usize {
        self.headers().count()
    }

    /// How many blocks are released, with a live one above them. O(depth). See [`AnyOrder`].
    #[must_use]
    pub fn waiting(&self) -> usize {
        // SAFETY: a header of the list: LIFO.
        self.headers().filter(|header| unsafe { header.as_ref() }.is_released()).count()
    }

    #[inline(always)]
    fn base_address(&self) -> usize {
        self.base.addr().get()
    }

    /// All headers from the top.
    fn headers(&self) -> impl Iterator<Item = NonNull<Header>> + '_ {
        // SAFETY: a header of the list: LIFO.
        core::iter::successors(self.top.get(), |header| unsafe { header.as_ref() }.below)
    }

    /// Puts a block on top.
    #[inline(always)]
    fn push(&self, layout: Layout) -> Option<NonNull<u8>> {
        let mask = layout.align().max(align_of::<Header>()) - 1;
        let cursor = self.cursor.get();
        let after_header = |address: usize| address.wrapping_add(Header::SIZE + mask) & !mask;
        let start = cursor.as_ptr().map_addr(after_header);
        // A block of size zero has a byte, so that its address is the stack's and nobody else's.
        let size = layout.size().max(1);
        // Signed, so that a start behind the limit is a negative room, whatever wrapped on the way.
        if self.limit.wrapping_sub(start.addr()).cast_signed() < size.cast_signed() {
            return None;
        }
        // SAFETY: between cursor and limit: not null.
        let start = unsafe { NonNull::new_unchecked(start) };
        // SAFETY: as above.
        self.cursor.set(unsafe { start.add(size) });
        // SAFETY: `after_header` left room for it.
        let header = unsafe { Header::before(start) };
        let value = Header::live(self.top.get(), cursor.addr().get().wrapping_sub(self.base_address()));
        // SAFETY: above the old cursor, which is free: LIFO; aligned: `mask` covers a header's alignment, and its size is a
        // multiple of that.
        unsafe { header.write(value) };
        self.top.set(Some(header));
        Some(start)
    }

    /// Takes a released block out, and what that uncovers.
    #[inline(always)]
    fn release(&self, header: NonNull<Header>) {
        if self.top.get() == Some(header) {
            self.pop();
        } else {
            // SAFETY: a header of the list, which nobody refers to.
            unsafe { (*header.as_ptr()).set_released() };
        }
    }

    /// Takes the top block off, and the released ones under it.
    #[inline(always)]
    fn pop(&self) {
        self.note_peak();
        while let Some(top) = self.top.get() {
            // SAFETY: a header of the list: LIFO.
            let header = unsafe { top.read() };
            self.top.set(header.below);
            // SAFETY: the offset of a former cursor: inside the room.
            self.cursor.set(unsafe { self.base.add(header.end()) });
            // SAFETY: as above.
            if !header.below.is_some_and(|below| unsafe { below.as_ref() }.is_released()) {
                return;
            }
        }
    }

    #[inline(always)]
    fn note_peak(&self) {
        let used = self.used();
        if used > self.peak.get() {
            self.peak.set(used);
        }
    }
}

impl<O: Order, U: MemoryResource> fmt::Debug for Stack<'_, O, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("used", &self.used())
            .field("depth", &self.depth())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}
