//! [`ObjectCache`]: values that stay constructed between one user and the next.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use stratalloc_resource::{AllocError, Collect, MemoryResource};

use super::slabs::Slabs;
use super::{SlabConfig, SlabUsage};
use crate::Fixed;

/// A cache of values of type `T`, which `construct` makes when there is none to be had.
///
/// ```text
///                construct                     take
///   fresh block ───────────► value in a user's hands ◄────────► value in the cache ──────────► block given up
///                                              drop of Object                     collect, drop of the cache: T is dropped
/// ```
///
/// Whoever lets go of an [`Object`] leaves the value in a state that the next user can begin with. It is not a
/// [`MemoryResource`]: whoever asks one for bytes may overwrite them, and the value would be gone. See the [module](super).
///
/// ```
/// use std::cell::Cell;
/// use stratalloc_resource::{Collect, FromGlobal};
/// use stratalloc_strategies::slab::{ObjectCache, SlabConfig};
///
/// let made = Cell::new(0);
/// let construct = || {
///     made.set(made.get() + 1);
///     vec![0_u8; 1000]
/// };
/// let tables = ObjectCache::growing(construct, SlabConfig::of::<Vec<u8>>(), FromGlobal::new(&std::alloc::System))?;
/// for _ in 0..100 {
///     let (_first, _second) = (tables.take()?, tables.take()?);
/// }
/// assert_eq!(made.get(), 2);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
// Invariant OBJECT: used blocks (`Head::used`) hold a `T`: a live one's belongs to its `Object`, a free one's (so each of the magazine) to the cache. `T` is
// invariant here and in `Object`: a shorter-lived value must not enter a block from which a longer-lived one is expected.
///
/// No value enters that lives shorter than the cache believes:
///
/// ```compile_fail,E0597
/// use stratalloc_resource::FromGlobal;
/// use stratalloc_strategies::slab::{ObjectCache, SlabConfig};
///
/// let make: fn() -> &'static str = || "";
/// let upstream = FromGlobal::new(&std::alloc::System);
/// let cache: ObjectCache<&'static str, _, _> = ObjectCache::growing(make, SlabConfig::of::<&str>(), upstream).unwrap();
/// {
///     let text = String::from("gone soon");
///     *cache.take().unwrap() = text.as_str();
/// }
/// println!("{}", *cache.take().unwrap());
/// ```
pub struct ObjectCache<'m, T, F: Fn() -> T, U: MemoryResource = Fixed> {
    pub(super) slabs: Slabs<'m, U>,
    construct: F,
    objects: PhantomData<Cell<T>>,
}

// SAFETY: pointers lead into memory that only this value uses; what else is in it may be sent if it says so. No `Object` is
// out while the cache moves: it borrows it. (Not `Sync`: cells.)
unsafe impl<T: Send, F: Fn() -> T + Send, U: MemoryResource + Send> Send for ObjectCache<'_, T, F, U> {}

/// A value of an [`ObjectCache`], in one user's hands; dropping it gives the value back, as it is.
///
/// ```
/// # use stratalloc_resource::FromGlobal;
/// # use stratalloc_strategies::slab::{ObjectCache, SlabConfig};
/// let cache = ObjectCache::growing(|| 5, SlabConfig::of::<i32>(), FromGlobal::new(&std::alloc::System))?;
/// let mut object = cache.take()?;
/// *object += 1;
/// drop(object);
/// assert_eq!(*cache.take()?, 6);
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
pub struct Object<'c, T, U: MemoryResource = Fixed> {
    slabs: &'c Slabs<'c, U>,
    place: NonNull<T>,
    value: PhantomData<&'c mut T>,
}

impl<'m, T, F: Fn() -> T> ObjectCache<'m, T, F> {
    /// A cache in `memory`, that never grows.
    ///
    /// Size and alignment of `config` are raised to those of `T`.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use stratalloc_strategies::slab::{ObjectCache, SlabConfig};
    ///
    /// let mut memory = [MaybeUninit::uninit(); 2048];
    /// let config = SlabConfig::of::<[u32; 20]>().with_slab_bytes(1024);
    /// let cache = ObjectCache::over(|| [7; 20], config, &mut memory)?;
    /// assert_eq!(*cache.take()?, [7; 20]);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Slab::over`](super::Slab::over).
    pub fn over(
        construct: F,
        config: SlabConfig,
        memory: &'m mut [MaybeUninit<u8>],
    ) -> Result<Self, AllocError> {
        let slabs = Slabs::over(&config.holding::<T>(), memory)?;
        Ok(Self { slabs, construct, objects: PhantomData })
    }
}

impl<T, F: Fn() -> T, U: MemoryResource> ObjectCache<'static, T, F, U> {
    /// A cache whose slabs come from `upstream`, the first now; an example is at [`ObjectCache`].
    ///
    /// Size and alignment of `config` are raised to those of `T`.
    ///
    /// # Errors
    ///
    /// As [`Slab::growing`](super::Slab::growing).
    pub fn growing(construct: F, config: SlabConfig, upstream: U) -> Result<Self, AllocError> {
        let slabs = Slabs::growing(&config.holding::<T>(), upstream)?;
        Ok(Self { slabs, construct, objects: PhantomData })
    }
}

impl<T, F: Fn() -> T, U: MemoryResource> ObjectCache<'_, T, F, U> {
    /// Takes a value: one that came back, or else a new one. An example is at [`Object`].
    ///
    /// # Errors
    ///
    /// [`AllocError::CapacityExhausted`] when there are as many slabs as there may be, or the upstream's. Then nothing was
    /// constructed, or `construct` itself took the last block of this cache, and its value was dropped.
    #[inline]
    pub fn take(&self) -> Result<Object<'_, T, U>, AllocError> {
        if !self.slabs.offers_used() {
            return self.take_constructing();
        }
        let slot = self.slabs.take()?;
        Ok(Object { slabs: &self.slabs, place: slot.place.cast(), value: PhantomData })
    }

    #[cold]
    #[inline(never)]
    fn take_constructing(&self) -> Result<Object<'_, T, U>, AllocError> {
        self.slabs.make_room()?;
        // Before a block is taken: it may unwind, and it may use this very cache.
        let value = (self.construct)();
        let slot = self.slabs.take()?;
        let place = slot.place.cast::<T>();
        if slot.used {
            // The constructor itself gave one back, which is as good; `value` is dropped.
            return Ok(Object { slabs: &self.slabs, place, value: PhantomData });
        }
        // SAFETY: taken just now, as long and aligned as a `T`: `holding`.
        unsafe { place.write(value) };
        Ok(Object { slabs: &self.slabs, place, value: PhantomData })
    }

    /// Counts values and slabs. O(slabs).
    ///
    /// ```
    /// # use stratalloc_resource::FromGlobal;
    /// # use stratalloc_strategies::slab::{ObjectCache, SlabConfig};
    /// let cache = ObjectCache::growing(|| 5, SlabConfig::of::<i32>(), FromGlobal::new(&std::alloc::System))?;
    /// let kept = cache.take()?;
    /// drop(cache.take()?);
    /// assert_eq!((cache.usage().live, cache.usage().free), (1, 1));
    /// # drop(kept);
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub fn usage(&self) -> SlabUsage {
        self.slabs.usage()
    }
}

/// Drops a value of the cache.
///
/// # Safety
///
/// `place` is a used block of the cache, its value nobody else's, and the block is not used as one any more.
unsafe fn retire<T>(place: NonNull<u8>) {
    // SAFETY: OBJECT, and this function's contract.
    unsafe { place.cast::<T>().drop_in_place() };
}

impl<T, F: Fn() -> T, U: MemoryResource> Collect for ObjectCache<'_, T, F, U> {
    /// Reaping: drops the values in slabs of which nobody holds one, and gives those slabs upstream, except for the first; over
    /// the caller's memory all slabs stay.
    ///
    /// If a destructor unwinds, the other values of its slab may never be dropped; the slab stays, and so do all others.
    fn collect(&self) -> usize {
        // SAFETY: blocks of an empty slab are free, and it is in no list of the cache: nobody takes one before they are fresh.
        self.slabs.reap(|place| unsafe { retire::<T>(place) })
    }
}

impl<T, F: Fn() -> T, U: MemoryResource> Drop for ObjectCache<'_, T, F, U> {
    fn drop(&mut self) {
        // SAFETY: objects borrow the cache, so none is in use: a live block's was forgotten. Each slab leaves its list first.
        self.slabs.release_all(|place| unsafe { retire::<T>(place) });
    }
}

impl<T, U: MemoryResource> Deref for Object<'_, T, U> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a value of ours alone: OBJECT.
        unsafe { self.place.as_ref() }
    }
}

impl<T, U: MemoryResource> DerefMut for Object<'_, T, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: a value of ours alone: OBJECT.
        unsafe { self.place.as_mut() }
    }
}

impl<T, U: MemoryResource> Drop for Object<'_, T, U> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: live, from `take`, and this was its only user.
        unsafe { self.slabs.give(self.place.cast()) };
    }
}

impl<T: fmt::Debug, U: MemoryResource> fmt::Debug for Object<'_, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Object").field(&**self).finish()
    }
}

impl<T, F: Fn() -> T, U: MemoryResource> fmt::Debug for ObjectCache<'_, T, F, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectCache")
            .field("object", &core::any::type_name::<T>())
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}
