//! Pointers that mean the same in every process.

use core::fmt;
use core::marker::PhantomData;
use core::num::NonZero;
use core::ptr::NonNull;

use super::layout::{AT_ROOTS, ROOTS};
use super::{AT_BLOCKS, HEADER, SharedRegion, WORD};

/// The distance of a `T` from the start of its region, in bytes: what a pointer in a region has to be. Never 0, so `Option<Offset<T>>` has 8 bytes.
///
/// Plain data, 8 bytes in every process, with 32 bits or with 64. `T` should have the same layout in all of them (`repr(C)`, no pointers).
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_resource::MemoryResource;
/// use stratalloc_strategies::shared_region::{Offset, SharedRegion};
///
/// let here = SharedRegion::create(c"offsets", 1 << 16)?;
/// let there = SharedRegion::attach_descriptor(here.descriptor().unwrap())?;
///
/// let block = here.allocate(Layout::new::<u64>())?;
/// let number = block.as_non_null().cast::<u64>();
/// // SAFETY: live, 8 bytes long, aligned.
/// unsafe { number.write(42) };
/// let offset = here.offset_of(number).unwrap();
///
/// // As a number it fits a message.
/// let sent = Offset::new(offset.get()).unwrap();
/// assert_eq!(sent, offset);
/// let same = there.pointer(offset).unwrap();
/// assert_ne!(same, number, "another address");
/// // SAFETY: the block is live, and nobody writes.
/// assert_eq!(unsafe { same.read() }, 42);
/// assert_eq!(there.usage().live_blocks, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[repr(transparent)]
pub struct Offset<T> {
    bytes: NonZero<u64>,
    // Neither owned nor borrowed: a number.
    target: PhantomData<fn() -> T>,
}

impl<T> Offset<T> {
    /// From the number that [`get`](Self::get) told; `None` for 0. See [`Offset`] for an example.
    #[must_use]
    pub const fn new(bytes: u64) -> Option<Self> {
        match NonZero::new(bytes) {
            Some(bytes) => Some(Self { bytes, target: PhantomData }),
            None => None,
        }
    }

    /// The distance in bytes. See [`Offset`] for an example.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.bytes.get()
    }

    /// The same place, read as another type. See [`Offset`] for an example.
    #[must_use]
    pub const fn cast<U>(self) -> Offset<U> {
        Offset { bytes: self.bytes, target: PhantomData }
    }
}

impl<T> Clone for Offset<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Offset<T> {}

impl<T> PartialEq for Offset<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Offset<T> {}

impl<T> fmt::Debug for Offset<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offset({:#x})", self.bytes)
    }
}

impl SharedRegion {
    /// The pointer that an offset is here, if a whole, aligned `T` in the region's blocks is there. Whether a live block is, the caller
    /// has to know; see [`Offset`].
    #[must_use]
    pub fn pointer<T>(&self, offset: Offset<T>) -> Option<NonNull<T>> {
        let bytes = usize::try_from(offset.get()).ok()?;
        let end = bytes.checked_add(size_of::<T>())?;
        let first = (usize::try_from(AT_BLOCKS + HEADER).ok()?) * WORD;
        let map = self.map.block();
        if bytes < first || end > map.len() || !bytes.is_multiple_of(align_of::<T>()) {
            return None;
        }
        // SAFETY: inside the mapping.
        Some(unsafe { map.as_non_null().add(bytes) }.cast())
    }

    /// The offset of a place in the region; see [`Offset`].
    #[must_use]
    pub fn offset_of<T>(&self, pointer: NonNull<T>) -> Option<Offset<T>> {
        let bytes = pointer.addr().get().checked_sub(self.map.block().address())?;
        Offset::new(bytes as u64).filter(|offset| self.pointer(*offset).is_some())
    }

    /// One of 16 words in which programs leave each other the way to what they keep. A load, without the lock, also in a child of `fork`.
    ///
    /// ```
    /// use stratalloc_strategies::shared_region::SharedRegion;
    ///
    /// let region = SharedRegion::create(c"roots", 1 << 16)?;
    /// let mut settings = region.message(4)?;
    /// settings.copy_from_slice(b"fast");
    /// let place = settings.offset();
    /// let kept = settings.keep();
    /// assert_eq!(kept, place);
    /// region.set_root(3, Some(kept));
    /// // Later, in whichever process: exactly one gets it.
    /// let found = region.root(3).and_then(|offset| region.adopt(offset)).unwrap();
    /// assert_eq!(&*found, b"fast");
    /// assert!(region.adopt(kept).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn root<T>(&self, number: usize) -> Option<Offset<T>> {
        Offset::new(self.words().get_acquire(root_word(number)?))
    }

    /// Sets one of the words of [`root`](Self::root); a number above 15 is ignored. A store, without the lock, also in a child of
    /// `fork`: of two processes that set the same word the last one wins. See [`root`](Self::root) for an example.
    pub fn set_root<T>(&self, number: usize, offset: Option<Offset<T>>) {
        if let Some(word) = root_word(number) {
            self.words().set(word, offset.map_or(0, Offset::get));
        }
    }
}

fn root_word(number: usize) -> Option<u64> {
    let number = number as u64;
    (number < ROOTS).then_some(AT_ROOTS + number)
}
