//! [`FallbackChain`]: a [`Fallback`] of up to five links, each of which the error names.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo,
    ThreadSafety, Validate, Violation,
};

use super::{ChainError, Fallback};

/// A tuple of two to five resources, asked in order; all but the last [own](Owns) their blocks.
///
/// The same as nested [`Fallback`]s, and nothing more at run time, but [`try_allocate`](Self::try_allocate) tells what each link said.
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use stratalloc_modifiers::FallbackChain;
/// use stratalloc_resource::{Alignment, FromGlobal, MemoryResource};
/// use stratalloc_strategies::buddy::Buddy;
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let (mut small, mut large) = ([MaybeUninit::uninit(); 1024], [MaybeUninit::uninit(); 8192]);
/// let chain = FallbackChain::new((
///     Tlsf::<'_, 8, 8>::over(&mut small)?,
///     Buddy::<'_, 8, 64>::over(&mut large)?,
///     FromGlobal::new(&std::alloc::System),
/// ));
/// let block = chain.allocate(Layout::new::<[u8; 100_000]>())?;
/// // SAFETY: live, with this alignment; not used any more.
/// unsafe { chain.deallocate(block, Alignment::ONE) };
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FallbackChain<L> {
    links: L,
}

impl<L> FallbackChain<L> {
    /// The chain of these links. See [`FallbackChain`] for an example.
    #[must_use]
    pub const fn new(links: L) -> Self {
        Self { links }
    }

    /// The links, as the tuple that they are.
    ///
    /// ```
    /// use stratalloc_modifiers::FallbackChain;
    ///
    /// assert_eq!(FallbackChain::new((1, 2, 3)).links().2, 3);
    /// ```
    #[must_use]
    pub const fn links(&self) -> &L {
        &self.links
    }
}

/// The nested fallbacks of references to the links.
macro_rules! nested {
    ($links:expr; $last:tt) => { &$links.$last };
    ($links:expr; $first:tt $($rest:tt)+) => { Fallback::new(&$links.$first, nested!($links; $($rest)+)) };
}

macro_rules! chain {
    ($($link:ident $index:tt)+; $last:ident $last_index:tt) => {
        impl<$($link: MemoryResource + Owns,)+ $last: MemoryResource> FallbackChain<($($link,)+ $last)> {
            /// As [`allocate`](MemoryResource::allocate), but the error tells what each link said. An example is at [`ChainError`].
            ///
            /// # Errors
            ///
            /// If all refuse, the reasons of all.
            pub fn try_allocate(&self, layout: Layout) -> Result<MemoryBlock, ChainError<'_>> {
                let mut error = ChainError::new();
                $(match self.links.$index.allocate(layout) {
                    Ok(block) => return Ok(block),
                    Err(refusal) => error.push(self.links.$index.info().name, refusal),
                })+
                self.links.$last_index.allocate(layout).map_err(|refusal| {
                    error.push(self.links.$last_index.info().name, refusal);
                    error
                })
            }
        }

        // SAFETY: every operation is that of nested fallbacks over the same links, which keep the contract.
        unsafe impl<$($link: MemoryResource + Owns,)+ $last: MemoryResource> MemoryResource
            for FallbackChain<($($link,)+ $last)>
        {
            #[inline]
            fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
                nested!(self.links; $($index)+ $last_index).allocate(layout)
            }

            #[inline]
            unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
                // SAFETY: this function's contract.
                unsafe { nested!(self.links; $($index)+ $last_index).deallocate(block, align) };
            }

            unsafe fn reallocate(
                &self,
                block: MemoryBlock,
                new_size: usize,
                align: Alignment,
            ) -> Result<MemoryBlock, AllocError> {
                // SAFETY: this function's contract.
                unsafe { nested!(self.links; $($index)+ $last_index).reallocate(block, new_size, align) }
            }

            #[inline]
            fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
                nested!(self.links; $($index)+ $last_index).allocate_zeroed(layout)
            }

            fn identity(&self) -> ResourceId {
                nested!(self.links; $($index)+ $last_index).identity()
            }

            fn info(&self) -> ResourceInfo<'_> {
                let (nested, mut info) = (nested!(self.links; $($index)+ $last_index), ResourceInfo::new("", ThreadSafety::Shared));
                let said = nested.info();
                (info.threads, info.reuse) = (said.threads, said.reuse);
                (info.capacity, info.max_size, info.max_align) = (said.capacity, said.max_size, said.max_align);
                info.name = "fallback chain";
                info
            }
        }

        // SAFETY: each live block is one link's, which says so; a foreign block is denied by all.
        unsafe impl<$($link: Owns,)+ $last: Owns> Owns for FallbackChain<($($link,)+ $last)> {
            fn owns(&self, ptr: *const u8) -> bool {
                $(self.links.$index.owns(ptr) ||)+ self.links.$last_index.owns(ptr)
            }
        }

        impl<$($link: Collect,)+ $last: Collect> Collect for FallbackChain<($($link,)+ $last)> {
            fn collect(&self) -> usize {
                $(self.links.$index.collect() +)+ self.links.$last_index.collect()
            }
        }

        impl<$($link: Validate,)+ $last: Validate> Validate for FallbackChain<($($link,)+ $last)> {
            fn validate(&self) -> Result<(), Violation> {
                $(self.links.$index.validate()?;)+
                self.links.$last_index.validate()
            }
        }
    };
}

chain!(A 0; B 1);
chain!(A 0 B 1; C 2);
chain!(A 0 B 1 C 2; D 3);
chain!(A 0 B 1 C 2 D 3; E 4);
