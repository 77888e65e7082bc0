//! Many values of one type, side by side.

use core::alloc::Layout;
use core::convert::Infallible;
use core::mem::{self, MaybeUninit};
use core::ptr::{self, NonNull};

use super::{Allocator, GiveBack, Refusal};
use crate::{Alignment, AllocError, MemoryBlock, MemoryResource};

impl<R: MemoryResource, P> Allocator<R, P> {
    /// Room for `len` values.
    ///
    /// ```
    /// # use std::alloc::System;
    /// # use stratalloc_resource::{AllocError, Allocator, FromGlobal};
    /// # let system = FromGlobal::new(&System);
    /// let allocator = Allocator::new(&system);
    /// assert_eq!(allocator.try_alloc_slice::<u64>(usize::MAX), Err(AllocError::SizeOverflow));
    ///
    /// let room = allocator.try_alloc_slice::<u64>(10)?;
    /// // SAFETY: made by this handle with this length.
    /// let room = unsafe { allocator.try_reallocate(room, 1000) }?;
    /// assert_eq!(room.len(), 1000);
    /// // SAFETY: made by this handle, not used any more.
    /// unsafe { allocator.release_slice(room) };
    /// # Ok::<(), AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`MemoryResource::allocate`], and [`AllocError::SizeOverflow`] if there is no such array.
    pub fn try_alloc_slice<T>(&self, len: usize) -> Result<NonNull<[MaybeUninit<T>]>, AllocError> {
        self.room(len).map_err(|refusal| refusal.error)
    }

    /// A copy of `values`.
    ///
    /// ```
    /// # use std::alloc::System;
    /// # use stratalloc_resource::{Allocator, FromGlobal};
    /// # let system = FromGlobal::new(&System);
    /// let allocator = Allocator::new(&system);
    /// let copy = allocator.try_alloc_slice_copy(&[1, 2, 3])?;
    /// // SAFETY: initialised, made by this handle.
    /// assert_eq!(unsafe { copy.as_ref() }, [1, 2, 3]);
    /// // SAFETY: made by this handle, not used any more.
    /// unsafe { allocator.drop_in(copy) };
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`MemoryResource::allocate`].
    pub fn try_alloc_slice_copy<T: Copy>(&self, values: &[T]) -> Result<NonNull<[T]>, AllocError> {
        self.copy(values).map_err(|refusal| refusal.error)
    }

    /// `len` values, each made by `make` from its index.
    ///
    /// If `make` unwinds, the values made so far are dropped and the memory is released.
    ///
    /// ```
    /// # use std::alloc::System;
    /// # use stratalloc_resource::{Allocator, FromGlobal};
    /// # let system = FromGlobal::new(&System);
    /// let allocator = Allocator::new(&system);
    /// let names = allocator.try_alloc_slice_with(3, |index| format!("fiber {index}"))?;
    /// // SAFETY: initialised, made by this handle.
    /// assert_eq!(unsafe { names.as_ref() }[2], "fiber 2");
    /// // SAFETY: made by this handle, not used any more.
    /// unsafe { allocator.drop_in(names) };
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`MemoryResource::allocate`]; `make` is then not called.
    pub fn try_alloc_slice_with<T>(
        &self,
        len: usize,
        make: impl FnMut(usize) -> T,
    ) -> Result<NonNull<[T]>, AllocError> {
        self.fill(len, make).map_err(|refusal| refusal.error)
    }

    /// Changes how many values a slice has room for, in place or by moving it; the values that both have are kept.
    /// See [`try_alloc_slice`](Self::try_alloc_slice) for an example.
    ///
    /// Values beyond `new_len` are forgotten, not dropped.
    ///
    /// # Errors
    ///
    /// Those of [`MemoryResource::reallocate`]; the slice is then unchanged.
    ///
    /// # Safety
    ///
    /// The slice was made, with this length, by this handle or one with an equal resource and the same alignment.
    /// After success nobody uses the old pointer.
    pub unsafe fn try_reallocate<T>(
        &self,
        slice: NonNull<[MaybeUninit<T>]>,
        new_len: usize,
    ) -> Result<NonNull<[MaybeUninit<T>]>, AllocError> {
        let new = self.array::<T>(new_len).map_err(|refusal| refusal.error)?;
        let old = self.array::<T>(slice.len()).map_err(|refusal| refusal.error)?;
        let start = if old.size() == 0 || new.size() == 0 {
            let start = self.obtain(new).map_err(|refusal| refusal.error)?;
            // One of the two has no bytes, so there is nothing to copy.
            // SAFETY: made by `obtain` with `old`, and not used any more: this function's contract.
            unsafe { self.give_back(slice.cast(), old) };
            start
        } else {
            let block = MemoryBlock::new(slice.cast(), old.size());
            let align = Alignment::from_layout(new);
            // SAFETY: live, with its requested size and alignment: this function's contract.
            unsafe { self.resource.reallocate(block, new.size(), align) }?.as_non_null()
        };
        Ok(NonNull::slice_from_raw_parts(start.cast(), new_len))
    }

    /// Releases the room of a slice without dropping what may be in it. See [`try_alloc_slice`](Self::try_alloc_slice) for an example.
    ///
    /// # Safety
    ///
    /// As for [`try_reallocate`](Self::try_reallocate), and nobody uses the slice any more.
    pub unsafe fn release_slice<T>(&self, slice: NonNull<[MaybeUninit<T>]>) {
        // SAFETY: this function's contract; `MaybeUninit` is initialised whatever it holds and drops nothing.
        unsafe { self.drop_in(slice) };
    }

    fn array<T>(&self, len: usize) -> Result<Layout, Refusal> {
        self.raise(Layout::array::<T>(len).map_err(|_| Refusal::overflow())?)
    }

    fn room<T>(&self, len: usize) -> Result<NonNull<[MaybeUninit<T>]>, Refusal> {
        let start = self.obtain(self.array::<T>(len)?)?;
        Ok(NonNull::slice_from_raw_parts(start.cast(), len))
    }

    fn copy<T: Copy>(&self, values: &[T]) -> Result<NonNull<[T]>, Refusal> {
        let start = self.room::<T>(values.len())?.cast::<T>();
        // SAFETY:
        // * the source is a slice of as many values;
        // * the destination has room for them, aligned: `room`;
        // * they do not overlap: the room was returned just now, Disjoint.
        unsafe { start.copy_from_nonoverlapping(NonNull::from(values).cast(), values.len()) };
        Ok(NonNull::slice_from_raw_parts(start, values.len()))
    }

    fn fill<T>(&self, len: usize, mut make: impl FnMut(usize) -> T) -> Result<NonNull<[T]>, Refusal> {
        let layout = self.array::<T>(len)?;
        let room = GiveBack { allocator: self, start: self.obtain(layout)?, layout };
        let start = room.start.cast::<T>();
        let mut partial = Partial { made: 0, start, room };
        while partial.made < len {
            let value = make(partial.made);
            // SAFETY: `made < len` lies inside the room.
            let place = unsafe { start.add(partial.made) };
            // SAFETY: valid for writes, aligned, exclusive: `room`.
            unsafe { place.write(value) };
            partial.made += 1;
        }
        mem::forget(partial);
        Ok(NonNull::slice_from_raw_parts(start, len))
    }
}

/// A slice being filled: drops what is there, and the room after it, unless forgotten.
struct Partial<'a, T, R: MemoryResource, P> {
    // Invariant MADE: the first `made` values from `start` are initialised and owned by nobody else.
    made: usize,
    start: NonNull<T>,
    // Released after the values were dropped: fields follow the body of `drop`. Read by its destructor only.
    #[expect(dead_code, reason = "a guard")]
    room: GiveBack<'a, R, P>,
}

impl<T, R: MemoryResource, P> Drop for Partial<'_, T, R, P> {
    fn drop(&mut self) {
        let made = NonNull::slice_from_raw_parts(self.start, self.made);
        // SAFETY: MADE.
        unsafe { ptr::drop_in_place(made.as_ptr()) };
    }
}

impl<R: MemoryResource, F: Fn(Layout, AllocError) -> Infallible> Allocator<R, F> {
    /// [`try_alloc_slice`](Self::try_alloc_slice), where the policy is called on failure.
    /// See [`or_diverge`](Self::or_diverge) for an example.
    pub fn alloc_slice<T>(&self, len: usize) -> NonNull<[MaybeUninit<T>]> {
        self.or_refuse(self.room(len))
    }

    /// [`try_alloc_slice_copy`](Self::try_alloc_slice_copy), where the policy is called on failure.
    /// An example is at [`new_in`](Self::new_in).
    pub fn alloc_slice_copy<T: Copy>(&self, values: &[T]) -> NonNull<[T]> {
        self.or_refuse(self.copy(values))
    }

    /// [`try_alloc_slice_with`](Self::try_alloc_slice_with), where the policy is called on failure.
    /// An example is at [`new_in`](Self::new_in).
    pub fn alloc_slice_with<T>(&self, len: usize, make: impl FnMut(usize) -> T) -> NonNull<[T]> {
        self.or_refuse(self.fill(len, make))
    }

    fn or_refuse<T>(&self, outcome: Result<T, Refusal>) -> T {
        match outcome {
            Ok(value) => value,
            Err(refusal) => self.diverge(&refusal),
        }
    }
}
