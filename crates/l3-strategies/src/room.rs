//! [`Room`]: memory that somebody else owns, or that an upstream gave.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use stratalloc_resource::{AllocError, MemoryBlock, MemoryResource, OwnedBlock};

/// The memory of a strategy that does not grow.
///
/// Invariant ROOM: the bytes of [`block`](Self::block) are valid and nobody else's as long as the room lives, or longer.
#[derive(Debug)]
pub(crate) enum Room<'m, U: MemoryResource> {
    Given(MemoryBlock, PhantomData<&'m mut [MaybeUninit<u8>]>),
    Owned(OwnedBlock<U>),
}

impl<'m, U: MemoryResource> Room<'m, U> {
    pub(crate) fn given(memory: &'m mut [MaybeUninit<u8>]) -> Self {
        let block = MemoryBlock::new(NonNull::from(&mut *memory).cast(), memory.len());
        Self::Given(block, PhantomData)
    }

    pub(crate) fn owned(upstream: U, layout: Layout) -> Result<Self, AllocError> {
        OwnedBlock::new(upstream, layout).map(Self::Owned)
    }

    /// Where it lies; it does not move with the value.
    pub(crate) fn block(&self) -> MemoryBlock {
        match self {
            Self::Given(block, _) => *block,
            Self::Owned(owned) => {
                // SAFETY: a block starts at no null pointer.
                let start = unsafe { NonNull::new_unchecked(owned.as_ptr()) };
                MemoryBlock::new(start, owned.len())
            }
        }
    }
}
