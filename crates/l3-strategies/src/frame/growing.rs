//! A slice in a frame whose length is not known before it is done.

use core::fmt;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

use super::Frame;
use super::policy::Policy;

/// Values being gathered.
///
/// It grows in place while it is the frame's youngest block; when the iterator that feeds it allocates in the same frame,
/// it moves. What was pushed is forgotten, not dropped, if it is not finished, as everything in a frame.
pub(super) struct Growing<'f, 'm, T, P: Policy, U: MemoryResource> {
    frame: &'f Frame<'m, P, U>,
    // Invariant GROWING: `start` is a live block of the frame for `capacity` values, of which the first `len` are there.
    start: NonNull<T>,
    len: usize,
    capacity: usize,
    // What went wrong inside a formatting, which has no place for it.
    failure: Option<AllocError>,
}

impl<'f, 'm, T, P: Policy, U: MemoryResource> Growing<'f, 'm, T, P, U> {
    pub(super) fn new(frame: &'f Frame<'m, P, U>, capacity: usize) -> Result<Self, AllocError> {
        let capacity = if size_of::<T>() == 0 { usize::MAX } else { capacity };
        let start = if size_of::<T>() == 0 { NonNull::dangling() } else { frame.room_for(capacity)? };
        Ok(Self { frame, start, len: 0, capacity, failure: None })
    }

    pub(super) fn push(&mut self, value: T) -> Result<(), AllocError> {
        if self.len == self.capacity {
            let doubled = self.capacity.saturating_mul(2).max(4);
            // Where twice as much is not to be had, one more may be.
            self.resize(doubled).or_else(|_| self.resize(self.capacity + 1))?;
        }
        // SAFETY: inside the room: GROWING.
        let place = unsafe { self.start.add(self.len) };
        // SAFETY: valid for writes, aligned, ours: GROWING.
        unsafe { place.write(value) };
        self.len += 1;
        Ok(())
    }

    fn resize(&mut self, capacity: usize) -> Result<(), AllocError> {
        if size_of::<T>() == 0 {
            return Ok(());
        }
        let size = size_of::<T>().checked_mul(capacity).ok_or(AllocError::SizeOverflow)?;
        let block = MemoryBlock::new(self.start.cast(), self.capacity * size_of::<T>());
        // SAFETY: live, with its length and alignment: GROWING.
        let block = unsafe { self.frame.reallocate(block, size, Alignment::of::<T>()) }?;
        self.start = block.as_non_null().cast();
        // A shrink may leave the block as long as it was.
        self.capacity = block.len() / size_of::<T>();
        Ok(())
    }

    /// The slice, without the room that was not needed.
    pub(super) fn finish(mut self) -> Result<NonNull<[T]>, AllocError> {
        match self.failure {
            Some(failure) => Err(failure),
            None => {
                self.resize(self.len)?;
                Ok(NonNull::slice_from_raw_parts(self.start, self.len))
            }
        }
    }
}

impl<P: Policy, U: MemoryResource> fmt::Write for Growing<'_, '_, u8, P, U> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let needed = self.len + text.len();
        if needed > self.capacity {
            let wish = needed.max(self.capacity * 2);
            let resized = self.resize(wish).or_else(|_| self.resize(needed));
            resized.map_err(|error| self.fail(error))?;
        }
        // SAFETY: inside the room: GROWING.
        let place = unsafe { self.start.add(self.len) };
        let source = NonNull::from(text.as_bytes()).cast::<u8>();
        // SAFETY: there is room for it; the frame's blocks and `text` do not overlap: text in this very room would be borrowed
        // from us.
        unsafe { place.copy_from_nonoverlapping(source, text.len()) };
        self.len = needed;
        Ok(())
    }
}

impl<T, P: Policy, U: MemoryResource> Growing<'_, '_, T, P, U> {
    fn fail(&mut self, error: AllocError) -> fmt::Error {
        self.failure = Some(error);
        fmt::Error
    }
}
