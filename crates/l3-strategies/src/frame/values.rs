//! Values, slices and strings in a frame: what the method grid is made of.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use stratalloc_resource::{AllocError, MemoryResource};

use super::Frame;
use super::growing::Growing;
use super::policy::Policy;

/// A request for a value that can fail in two ways; see [`Frame::try_alloc_try_with`].
///
/// ```
/// use stratalloc_resource::AllocError;
/// use stratalloc_strategies::frame::{AllocOrInitError, Frame};
///
/// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
/// let frame: Frame = Frame::over(&mut memory);
/// let failed = frame.try_alloc_try_with(|| "seven".parse::<u64>()).unwrap_err();
/// assert!(matches!(failed, AllocOrInitError::Init(_)));
/// let failed = frame.try_alloc_try_with(|| Ok::<_, ()>([0; 100])).unwrap_err();
/// assert!(matches!(failed, AllocOrInitError::Alloc(AllocError::CapacityExhausted)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllocOrInitError<E> {
    /// There was no memory; the function was not called.
    Alloc(AllocError),
    /// The function returned this.
    Init(E),
}

impl<E: fmt::Display> fmt::Display for AllocOrInitError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alloc(error) => write!(f, "no memory for the value: {error}"),
            Self::Init(error) => write!(f, "the value could not be made: {error}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for AllocOrInitError<E> {}

/// What methods without `try_` do when memory runs out.
#[inline(always)]
#[track_caller]
pub(super) fn or_refuse<T>(outcome: Result<T, AllocError>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => refuse(error),
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn refuse(error: AllocError) -> ! {
    panic!("no memory in the frame: {error}")
}

impl<P: Policy, U: MemoryResource> Frame<'_, P, U> {
    /// Room for one value; types of size zero take none.
    #[inline(always)]
    fn place_for<T>(&self) -> Result<NonNull<T>, AllocError> {
        if size_of::<T>() == 0 {
            return Ok(NonNull::dangling());
        }
        Ok(self.obtain(Layout::new::<T>())?.cast())
    }

    /// Room for `len` values.
    #[inline(always)]
    pub(super) fn room_for<T>(&self, len: usize) -> Result<NonNull<T>, AllocError> {
        let layout = Layout::array::<T>(len).map_err(|_| AllocError::SizeOverflow)?;
        Ok(self.obtain(layout)?.cast())
    }

    /// A value, made after the room for it was found.
    #[inline(always)]
    pub(super) fn place<T>(&self, make: impl FnOnce() -> T) -> Result<NonNull<T>, AllocError> {
        let place = self.place_for::<T>()?;
        // SAFETY: valid for writes, aligned, ours: `place_for`.
        unsafe { place.write(make()) };
        Ok(place)
    }

    /// As `place` with a function that may fail; the room is then free again, if nothing came after it.
    #[inline(always)]
    pub(super) fn try_place<T, E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<NonNull<T>, AllocOrInitError<E>> {
        let place = self.place_for::<T>().map_err(AllocOrInitError::Alloc)?;
        match make() {
            Ok(value) => {
                // SAFETY: as in `place`.
                unsafe { place.write(value) };
                Ok(place)
            }
            Err(error) => {
                self.take_back(place, 1);
                Err(AllocOrInitError::Init(error))
            }
        }
    }

    /// Gives up room that holds no value.
    pub(super) fn take_back<T>(&self, place: NonNull<T>, len: usize) {
        let size = size_of::<T>() * len;
        if size_of::<T>() != 0 {
            let block = stratalloc_resource::MemoryBlock::new(place.cast(), size);
            // SAFETY: made by `place_for` or `room_for` with this layout (as much of its alignment as a frame without canaries
            // looks at), and not used.
            unsafe { self.deallocate(block, stratalloc_resource::Alignment::of::<T>()) };
        }
    }

    /// A copy of `values`.
    #[inline(always)]
    pub(super) fn copy<T: Copy>(&self, values: &[T]) -> Result<NonNull<[T]>, AllocError> {
        // Not `room_for`: what exists has a layout, so nothing is to be checked.
        let room = self.obtain(Layout::for_value(values))?.cast::<T>();
        let source = NonNull::from(values).cast::<T>();
        // SAFETY: room for as many, aligned; it is new, so it does not overlap with what the caller has.
        unsafe { room.copy_from_nonoverlapping(source, values.len()) };
        Ok(NonNull::slice_from_raw_parts(room, values.len()))
    }

    /// `len` values made from their index.
    #[inline(always)]
    pub(super) fn fill<T>(
        &self,
        len: usize,
        mut make: impl FnMut(usize) -> T,
    ) -> Result<NonNull<[T]>, AllocError> {
        let room = self.room_for::<T>(len)?;
        for index in 0..len {
            // SAFETY: inside the room.
            let place = unsafe { room.add(index) };
            // SAFETY: valid for writes, aligned, ours: `room_for`.
            unsafe { place.write(make(index)) };
        }
        Ok(NonNull::slice_from_raw_parts(room, len))
    }

    /// `len` copies at a multiple of `ALIGN`, with room up to the next multiple.
    #[inline(always)]
    pub(super) fn vectors<const ALIGN: usize, T: Copy>(
        &self,
        len: usize,
        value: T,
    ) -> Result<NonNull<[T]>, AllocError> {
        const { assert!(ALIGN.is_power_of_two(), "an alignment is a power of two") };
        let layout = Layout::array::<T>(len).and_then(|layout| layout.align_to(ALIGN));
        let layout = layout.map_err(|_| AllocError::SizeOverflow)?.pad_to_align();
        let room = self.obtain(layout)?.cast::<T>();
        for index in 0..len {
            // SAFETY: inside the room.
            let place = unsafe { room.add(index) };
            // SAFETY: valid for writes, aligned, ours: `obtain`.
            unsafe { place.write(value) };
        }
        Ok(NonNull::slice_from_raw_parts(room, len))
    }

    /// All values of an iterator.
    pub(super) fn gather<T>(&self, values: impl Iterator<Item = T>) -> Result<NonNull<[T]>, AllocError> {
        let mut growing = Growing::new(self, values.size_hint().0)?;
        for value in values {
            growing.push(value)?;
        }
        growing.finish()
    }

    /// A copy of a string.
    #[inline(always)]
    pub(super) fn text(&self, text: &str) -> Result<NonNull<str>, AllocError> {
        Ok(as_text(self.copy(text.as_bytes())?))
    }

    /// What `arguments` say.
    pub(super) fn format(&self, arguments: fmt::Arguments<'_>) -> Result<NonNull<str>, AllocError> {
        if let Some(text) = arguments.as_str() {
            return self.text(text);
        }
        let mut growing = Growing::new(self, 0)?;
        // An error of a value's own `fmt` ends the string there, as far as it came; one of ours is kept by `growing`.
        let _ = fmt::write(&mut growing, arguments);
        Ok(as_text(growing.finish()?))
    }
}

fn as_text(bytes: NonNull<[u8]>) -> NonNull<str> {
    // SAFETY: never null; a cast keeps the address.
    unsafe { NonNull::new_unchecked(bytes.as_ptr() as *mut str) }
}
