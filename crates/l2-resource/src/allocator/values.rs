//! One value at a time.

use core::alloc::Layout;
use core::convert::Infallible;
use core::mem;
use core::ptr::NonNull;

use super::{Allocator, GiveBack, Refusal};
use crate::{AllocError, MemoryResource};

impl<R: MemoryResource, P> Allocator<R, P> {
    /// Moves `value` into the resource's memory; drops it if there is none. See [`Allocator`] for an example.
    ///
    /// [`try_new_in_with`](Self::try_new_in_with) makes the value only once there is.
    ///
    /// # Errors
    ///
    /// Those of [`MemoryResource::allocate`].
    pub fn try_new_in<T>(&self, value: T) -> Result<NonNull<T>, AllocError> {
        self.try_new_in_with(|| value)
    }

    /// Makes a value in the resource's memory, after the memory was found.
    ///
    /// ```
    /// # use std::alloc::System;
    /// # use stratalloc_resource::{Allocator, FromGlobal};
    /// # let system = FromGlobal::new(&System);
    /// let allocator = Allocator::new(&system);
    /// let large = allocator.try_new_in_with(|| [1_u8; 4096])?;
    /// // SAFETY: made by this handle, not used any more.
    /// unsafe { allocator.drop_in(large) };
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`MemoryResource::allocate`]; `make` is then not called.
    pub fn try_new_in_with<T>(&self, make: impl FnOnce() -> T) -> Result<NonNull<T>, AllocError> {
        self.place(make).map_err(|refusal| refusal.error)
    }

    fn place<T>(&self, make: impl FnOnce() -> T) -> Result<NonNull<T>, Refusal> {
        let layout = self.raise(Layout::new::<T>())?;
        let start = self.obtain(layout)?;
        let unless_made = GiveBack { allocator: self, start, layout };
        let value = make();
        mem::forget(unless_made);
        let start = start.cast::<T>();
        // SAFETY:
        // * valid for writes and aligned: Fit, with a layout that is at least the type's (or the type has size 0);
        // * exclusive: Disjoint, just returned.
        unsafe { start.write(value) };
        Ok(start)
    }
}

impl<R: MemoryResource, F: Fn(Layout, AllocError) -> Infallible> Allocator<R, F> {
    /// [`try_new_in`](Self::try_new_in), where the policy is called on failure.
    ///
    /// ```
    /// use std::alloc::System;
    /// use stratalloc_resource::{Allocator, FromGlobal};
    ///
    /// let system = FromGlobal::new(&System);
    /// let allocator = Allocator::new(&system).or_diverge(|layout, error| panic!("{layout:?}: {error}"));
    /// let (one, two) = (allocator.new_in(1_u32), allocator.new_in_with(|| [2_u8; 4096]));
    /// let (copy, squares) = (allocator.alloc_slice_copy(b"abc"), allocator.alloc_slice_with(3, |n| n * n));
    /// // SAFETY: all made by this handle, initialised, and used up to here only.
    /// unsafe {
    ///     assert_eq!((one.read(), copy.as_ref(), squares.as_ref()), (1, &b"abc"[..], &[0, 1, 4][..]));
    ///     allocator.drop_in(one);
    ///     allocator.drop_in(two);
    ///     allocator.drop_in(copy);
    ///     allocator.drop_in(squares);
    /// }
    /// ```
    pub fn new_in<T>(&self, value: T) -> NonNull<T> {
        self.new_in_with(|| value)
    }

    /// [`try_new_in_with`](Self::try_new_in_with), where the policy is called on failure. An example is at [`new_in`](Self::new_in).
    pub fn new_in_with<T>(&self, make: impl FnOnce() -> T) -> NonNull<T> {
        match self.place(make) {
            Ok(value) => value,
            Err(refusal) => self.diverge(&refusal),
        }
    }
}
