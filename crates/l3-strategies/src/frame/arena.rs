//! A frame that runs destructors.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::needs_drop;
use core::ptr::{self, NonNull};

use stratalloc_resource::{AllocError, MemoryResource};

use super::Frame;
use super::policy::{Policy, Speed};
use super::values::or_refuse;
use crate::Fixed;

/// A [`Frame`] whose values are dropped when it is reset or dropped, the youngest first.
///
/// ```text
///   Arena ─ youngest ─► │ next │ drop │ value │ ─► │ next │ drop │ value │ ─► END
///                       a record before each value that needs it; others have none
/// ```
///
/// Values may borrow from what lives longer than the arena (`'v`). Cost: as the frame, and two words for what needs a drop.
///
/// ```
/// use std::rc::Rc;
/// use stratalloc_strategies::frame::{Arena, Frame};
///
/// let shared = Rc::new(5);
/// let mut memory = [core::mem::MaybeUninit::uninit(); 256];
/// let mut arena: Arena = Arena::new(Frame::over(&mut memory));
/// arena.alloc(Rc::clone(&shared));
/// arena.alloc_slice_fill_iter([String::from("a"), String::from("b")]);
/// assert_eq!((Rc::strong_count(&shared), arena.len()), (2, 2));
/// arena.reset();
/// assert_eq!((Rc::strong_count(&shared), arena.len()), (1, 0));
/// ```
///
/// Values that would be gone before the arena are refused:
/// ```compile_fail,E0597
/// # use stratalloc_strategies::frame::{Arena, Frame};
/// struct Says<'a>(&'a str);
/// impl Drop for Says<'_> { fn drop(&mut self) { println!("{}", self.0) } }
///
/// let mut memory = [core::mem::MaybeUninit::uninit(); 256];
/// let arena: Arena = Arena::new(Frame::over(&mut memory));
/// let text = String::from("gone first");
/// arena.alloc(Says(&text));
/// ```
pub struct Arena<'v, 'm, P: Policy = Speed, U: MemoryResource = Fixed> {
    // Invariant RECORDS: a list of records in the frame's blocks, each with its value behind it, initialised and dropped by
    // nobody else.
    youngest: Cell<Option<NonNull<Record>>>,
    frame: Frame<'m, P, U>,
    // Invariant in 'v: a shorter life would let values in that are gone when they are dropped.
    values: PhantomData<Cell<&'v ()>>,
}

/// What is known of values when their type no longer is.
struct Record {
    next: Option<NonNull<Record>>,
    /// Drops the value behind a record.
    drop: unsafe fn(NonNull<Record>),
}

/// A record with its value.
#[repr(C)]
struct Recorded<T> {
    record: Record,
    value: T,
}

impl<'v, 'm, P: Policy, U: MemoryResource> Arena<'v, 'm, P, U> {
    /// An arena over an empty frame, or one whose blocks are not given up by anybody. See [`Arena`] for an example.
    #[must_use]
    pub const fn new(frame: Frame<'m, P, U>) -> Self {
        Self { youngest: Cell::new(None), frame, values: PhantomData }
    }

    /// The frame behind it, for what needs no drop, and to ask how much is used.
    ///
    /// ```
    /// # use stratalloc_strategies::frame::{Arena, Frame};
    /// let mut memory = [core::mem::MaybeUninit::uninit(); 256];
    /// let arena: Arena = Arena::new(Frame::over(&mut memory));
    /// arena.frame().alloc_str("just bytes");
    /// assert_eq!((arena.frame().used(), arena.len()), (10, 0));
    /// ```
    #[must_use]
    pub const fn frame(&self) -> &Frame<'m, P, U> {
        &self.frame
    }

    /// Moves `value` into the arena; see [`Arena`].
    ///
    /// # Panics
    ///
    /// If there is no memory; [`try_alloc`](Self::try_alloc) returns that.
    #[inline]
    #[track_caller]
    pub fn alloc<T: 'v>(&self, value: T) -> &mut T {
        or_refuse(self.try_alloc(value))
    }

    /// As [`alloc`](Self::alloc); a failure is returned, and the value dropped. See [`Arena`] for an example.
    ///
    /// # Errors
    ///
    /// As for [`Frame::try_alloc`].
    #[inline]
    pub fn try_alloc<T: 'v>(&self, value: T) -> Result<&mut T, AllocError> {
        self.try_alloc_with(|| value)
    }

    /// As [`Frame::alloc_with`]; the value is dropped with the arena.
    ///
    /// ```
    /// # use stratalloc_strategies::frame::{Arena, Frame};
    /// # let mut memory = [core::mem::MaybeUninit::uninit(); 256];
    /// let arena: Arena = Arena::new(Frame::over(&mut memory));
    /// assert!(arena.is_empty());
    /// let table = arena.alloc_with(|| vec![0_u8; 1000]);
    /// table[999] = 1;
    /// assert_eq!(arena.len(), 1, "the vector's buffer is freed with the arena");
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no memory; [`try_alloc_with`](Self::try_alloc_with) returns that.
    #[inline]
    #[track_caller]
    pub fn alloc_with<T: 'v>(&self, make: impl FnOnce() -> T) -> &mut T {
        or_refuse(self.try_alloc_with(make))
    }

    /// As [`alloc_with`](Self::alloc_with); a failure is returned, and `make` then not called. Used as in the example there.
    ///
    /// # Errors
    ///
    /// As for [`Frame::try_alloc`].
    #[expect(clippy::mut_from_ref, reason = "each call makes another value")]
    pub fn try_alloc_with<T: 'v>(&self, make: impl FnOnce() -> T) -> Result<&mut T, AllocError> {
        if !needs_drop::<T>() {
            return self.frame.try_alloc_with(make);
        }
        let make = || Recorded { record: Record { next: None, drop: drop_value::<T> }, value: make() };
        let recorded = self.frame.place(make)?;
        // SAFETY: just written.
        unsafe { self.remember(recorded.cast()) };
        // SAFETY: initialised, exclusive (records are looked at, not the values behind them); it lives until the arena is
        // reset or dropped, which the lifetime excludes.
        Ok(unsafe { &mut (*recorded.as_ptr()).value })
    }

    /// Moves all values of an iterator into the arena, as one slice; see [`Arena`].
    ///
    /// # Panics
    ///
    /// If there is no memory; [`try_alloc_slice_fill_iter`](Self::try_alloc_slice_fill_iter) returns that.
    #[track_caller]
    pub fn alloc_slice_fill_iter<T: 'v>(&self, values: impl IntoIterator<Item = T>) -> &mut [T] {
        or_refuse(self.try_alloc_slice_fill_iter(values))
    }

    /// As [`alloc_slice_fill_iter`](Self::alloc_slice_fill_iter); a failure is returned, and the values so far dropped with the
    /// arena. See [`Arena`] for an example.
    ///
    /// # Errors
    ///
    /// As for [`Frame::try_alloc`].
    #[expect(clippy::mut_from_ref, reason = "each call makes another value")]
    pub fn try_alloc_slice_fill_iter<T: 'v>(
        &self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<&mut [T], AllocError> {
        let mut slice = NonNull::from(self.frame.try_alloc_slice_fill_iter(values)?);
        if needs_drop::<T>() && !slice.is_empty() {
            // The record of a slice holds a pointer to it: its length was not known when its place was found.
            self.try_alloc_with(|| DropSlice(slice, PhantomData))?;
        }
        // SAFETY: initialised, exclusive; it lives until the arena is reset or dropped, which the lifetime excludes.
        Ok(unsafe { slice.as_mut() })
    }

    /// Puts a record in front of the list.
    ///
    /// # Safety
    ///
    /// The record and its values are initialised, in a block of the frame, and not in the list.
    unsafe fn remember(&self, mut record: NonNull<Record>) {
        // SAFETY: initialised, and nobody else knows it yet: this function's contract.
        unsafe { record.as_mut() }.next = self.youngest.get();
        self.youngest.set(Some(record));
    }

    /// How many values, or slices of them, will be dropped. O(that number). See [`Arena`] for an example.
    #[must_use]
    pub fn len(&self) -> usize {
        // SAFETY: RECORDS.
        core::iter::successors(self.youngest.get(), |record| unsafe { record.as_ref() }.next).count()
    }

    /// Whether nothing will be dropped; see [`Arena`]. An example is at [`alloc_with`](Self::alloc_with).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.youngest.get().is_none()
    }

    /// Drops all values, the youngest first, and gives up their memory; see [`Arena`].
    pub fn reset(&mut self) {
        self.drop_all();
        self.frame.reset();
    }

    fn drop_all(&mut self) {
        while let Some(record) = self.youngest.get() {
            // SAFETY: RECORDS.
            let Record { next, drop } = unsafe { record.read() };
            // Out of the list first: a destructor that unwinds is not run again.
            self.youngest.set(next);
            // SAFETY: RECORDS; `&mut self`: nobody uses the values.
            unsafe { drop(record) };
        }
    }
}

/// A slice that is dropped with the arena.
struct DropSlice<T>(NonNull<[T]>, PhantomData<T>);

impl<T> Drop for DropSlice<T> {
    fn drop(&mut self) {
        // SAFETY: initialised, in the frame, and dropped by nobody else; it dies with the arena, whose user has no reference left.
        unsafe { ptr::drop_in_place(self.0.as_ptr()) };
    }
}

/// # Safety
///
/// `record` is the head of an initialised `Recorded<T>` whose value nobody uses any more.
unsafe fn drop_value<T>(record: NonNull<Record>) {
    // SAFETY: a field of an initialised value: this function's contract.
    let value = unsafe { &raw mut (*record.cast::<Recorded<T>>().as_ptr()).value };
    // SAFETY: as above.
    unsafe { ptr::drop_in_place(value) };
}

impl<P: Policy, U: MemoryResource> Drop for Arena<'_, '_, P, U> {
    fn drop(&mut self) {
        self.drop_all();
    }
}

impl<P: Policy, U: MemoryResource> fmt::Debug for Arena<'_, '_, P, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("len", &self.len()).field("frame", &self.frame).finish()
    }
}
