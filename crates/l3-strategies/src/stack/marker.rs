//! Going back to a position of a stack.

use core::fmt;
use core::ops::Deref;
use core::ptr::NonNull;

use stratalloc_resource::MemoryResource;

use super::header::Header;
use super::{Order, Stack, Strict};
use crate::Fixed;
use crate::misuse::{self, CHECKED, MisuseKind};

/// A position of a [`Stack`], made by [`Stack::marker`]. See [`Stack::rewind`] for an example.
#[derive(Clone, Copy, Debug)]
pub struct StackMarker {
    top: Option<NonNull<Header>>,
    cursor: NonNull<u8>,
}

impl<'m, O: Order, U: MemoryResource> Stack<'m, O, U> {
    /// Where the stack is now; see [`rewind`](Self::rewind).
    #[must_use]
    pub fn marker(&self) -> StackMarker {
        StackMarker { top: self.top.get(), cursor: self.cursor.get() }
    }

    /// Releases all blocks that are younger than `marker` at once.
    ///
    /// In a checked build a marker whose youngest block is not in the stack any more is a [`Misuse`](crate::Misuse).
    ///
    /// ```
    /// use stratalloc_resource::Allocator;
    /// use stratalloc_strategies::stack::Stack;
    ///
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 1024];
    /// let stack: Stack = Stack::over(&mut memory);
    /// let handle = Allocator::new(&stack);
    /// let marker = stack.marker();
    /// for number in 0..10_u64 {
    ///     handle.try_new_in(number)?;
    /// }
    /// assert!(stack.vouches_for(&marker));
    /// // SAFETY: the numbers are not used any more.
    /// unsafe { stack.rewind(marker) };
    /// assert_eq!(stack.used(), 0);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Safety
    ///
    /// * `marker` was made by this stack, and all blocks that were there then still are (or wait for others that are), and have not
    ///   grown;
    /// * nobody uses or releases younger blocks any more.
    pub unsafe fn rewind(&self, marker: StackMarker) {
        if CHECKED && !self.vouches_for(&marker) {
            misuse::report("stack", MisuseKind::StaleMarker, marker.cursor.addr().get());
            return;
        }
        self.note_peak();
        self.top.set(marker.top);
        self.cursor.set(marker.cursor);
        // SAFETY: in the list: this function's contract.
        if marker.top.is_some_and(|top| unsafe { top.as_ref() }.is_released()) {
            self.pop();
        }
    }

    /// Releases all blocks at once.
    ///
    /// ```
    /// use stratalloc_resource::Allocator;
    /// use stratalloc_strategies::stack::Stack;
    ///
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 1024];
    /// let mut stack: Stack = Stack::over(&mut memory);
    /// Allocator::new(&stack).try_new_in(5_u64)?;
    /// stack.reset();
    /// assert_eq!((stack.used(), stack.depth()), (0, 0));
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    pub fn reset(&mut self) {
        self.note_peak();
        self.top.set(None);
        self.cursor.set(self.base);
    }

    /// Whether the block under `marker` is still in the stack, and the position not above its end. O(depth). See
    /// [`rewind`](Self::rewind).
    #[must_use]
    pub fn vouches_for(&self, marker: &StackMarker) -> bool {
        let listed = marker.top.is_none_or(|top| self.headers().any(|header| header == top));
        listed && marker.cursor <= self.cursor.get() && marker.cursor >= self.room.block().as_non_null()
    }

    /// A part of the stack that is rewound when it is dropped.
    ///
    /// Older blocks, which only raw pointers can reach now, are neither released nor grown while the scope is open: as for
    /// [`rewind`](Self::rewind).
    ///
    /// ```
    /// # use stratalloc_strategies::stack::Stack;
    /// # let mut memory = [core::mem::MaybeUninit::uninit(); 1024];
    /// use stratalloc_resource::Allocator;
    /// let mut stack: Stack = Stack::over(&mut memory);
    /// {
    ///     let scope = stack.scope();
    ///     let copy = Allocator::new(&*scope).try_alloc_slice_copy(&[1, 2, 3])?;
    ///     // SAFETY: live until the scope ends.
    ///     assert_eq!(unsafe { copy.as_ref() }, [1, 2, 3]);
    /// }
    /// assert_eq!(stack.used(), 0);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    pub fn scope(&mut self) -> StackScope<'_, 'm, O, U> {
        StackScope { marker: self.marker(), stack: self }
    }
}

/// A part of a stack, made by [`Stack::scope`]. Blocks of it need not be released. See [`Stack::scope`] for an example.
pub struct StackScope<'s, 'm, O: Order = Strict, U: MemoryResource = Fixed> {
    stack: &'s Stack<'m, O, U>,
    marker: StackMarker,
}

impl<'m, O: Order, U: MemoryResource> Deref for StackScope<'_, 'm, O, U> {
    type Target = Stack<'m, O, U>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        self.stack
    }
}

impl<O: Order, U: MemoryResource> Drop for StackScope<'_, '_, O, U> {
    fn drop(&mut self) {
        // SAFETY:
        // * the stack was borrowed mutably, so older blocks are raw ones; whoever releases those while a scope is open breaks
        //   the contract of `deallocate`, since `rewind` needs them;
        // * younger blocks were borrowed from this scope, or are raw and given up with it.
        unsafe { self.stack.rewind(self.marker) };
    }
}

impl<O: Order, U: MemoryResource> fmt::Debug for StackScope<'_, '_, O, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackScope").field("stack", self.stack).finish_non_exhaustive()
    }
}
