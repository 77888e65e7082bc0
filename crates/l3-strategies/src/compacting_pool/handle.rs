//! [`Handle`]: which value, and which of those that had its entry.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

/// Names a value of a [`CompactingPool`](super::CompactingPool); 8 bytes, freely copied. An example is at the [module](super).
pub struct Handle<T> {
    index: u32,
    generation: u32,
    value: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    pub(super) const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation, value: PhantomData }
    }

    pub(super) const fn index(self) -> u32 {
        self.index
    }

    pub(super) const fn generation(self) -> u32 {
        self.generation
    }
}

// Derived ones would ask the same of `T`.
impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Handle<T> {}
impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}
impl<T> Eq for Handle<T> {}
impl<T> Hash for Handle<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.index, self.generation).hash(state);
    }
}
impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({}, generation {:#x})", self.index, self.generation)
    }
}

/// Why a handle was refused. See the [module](super) for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleError {
    /// Its value was removed, or it is another pool's.
    Stale,
    /// Its value is pinned.
    Pinned,
    /// Its value is not pinned.
    NotPinned,
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => "the handle's value was removed, or belongs to another pool",
            Self::Pinned => "the handle's value is pinned",
            Self::NotPinned => "the handle's value is not pinned",
        })
    }
}

impl core::error::Error for HandleError {}
