//! Two resources, chosen by size.
//!
//! ```text
//!   size ≤ N ──► A, whose blocks end at N bytes at most            size > N ──► B
//!   release:     len ≤ N ──► A                                                  len > N ──► B
//! ```
//!
//! A block of `A` is never longer than `N`, and every length that a block of `B` may be handed back with is: the length alone says where
//! a release belongs, so nobody has to know its blocks.
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate`, `deallocate` | one comparison, and what the side costs |
//! | `reallocate` | the side's; across the border a move |
//! | memory | none; what `A` rounds up beyond `N` is not told |
//!
//! **Threads.** What both allow.
//!
//! **When to use it.** Pools or a buddy system for small blocks, TLSF or the system for large ones.
//!
//! **When not.** It never asks the other side: where one may run full, put a [`Fallback`](crate::Fallback) around it or on that side.

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Validate,
    Violation,
};

use crate::info::{both, limited, reach};
use crate::moving::move_between;

/// `A` for requests of up to `N` bytes, `B` for larger ones; see the [module](self).
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use stratalloc_modifiers::Segregate;
/// use stratalloc_resource::{Alignment, MemoryResource, Owns};
/// use stratalloc_strategies::buddy::Buddy;
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let (mut small, mut large) = ([MaybeUninit::uninit(); 4096], [MaybeUninit::uninit(); 65536]);
/// let split: Segregate<256, Buddy<'_>, Tlsf<'_>> = Segregate::new(Buddy::over(&mut small)?, Tlsf::over(&mut large)?);
/// let block = split.allocate(Layout::new::<[u8; 200]>())?;
/// assert!(split.small().owns(block.as_ptr()));
/// // SAFETY: live, with this alignment; it moves to the other side.
/// let block = unsafe { split.reallocate(block, 1000, Alignment::ONE)? };
/// assert!(split.large().owns(block.as_ptr()));
/// // SAFETY: live, with this alignment; not used any more.
/// unsafe { split.deallocate(block, Alignment::ONE) };
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Segregate<const N: usize, A, B> {
    small: A,
    large: B,
}

/// The kind of the identity for each border, which is composed of the sides'.
struct SegregateKind<const N: usize>;

impl<const N: usize, A, B> Segregate<N, A, B> {
    /// `small` up to `N` bytes, `large` above. See [`Segregate`] for an example.
    #[must_use]
    pub const fn new(small: A, large: B) -> Self {
        Self { small, large }
    }

    /// The resource for requests of up to `N` bytes. See [`Segregate`] for an example.
    #[must_use]
    pub const fn small(&self) -> &A {
        &self.small
    }

    /// The resource for requests above `N` bytes. See [`Segregate`] for an example.
    #[must_use]
    pub const fn large(&self) -> &B {
        &self.large
    }
}

/// A block of the small side as the caller may know it.
fn shown<const N: usize>(block: MemoryBlock) -> MemoryBlock {
    MemoryBlock::new(block.as_non_null(), block.len().min(N))
}

// SAFETY:
// * Fit: a request of at most N bytes gets a block of at least that and, as shown, at most N, so every length it may come back with is
//   handed to A; requests above N and their blocks are longer, so they are handed to B. A shorter length fits A's block by Fit;
// * Disjoint, Stable, Threads: the sides' own;
// * Errors: a block that cannot cross the border stays where it is;
// * Identity: composed of both and N, so equal ones route alike.
unsafe impl<const N: usize, A: MemoryResource, B: MemoryResource> MemoryResource for Segregate<N, A, B> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        if layout.size() <= N {
            self.small.allocate(layout).map(shown::<N>)
        } else {
            self.large.allocate(layout)
        }
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        if block.len() <= N {
            // SAFETY: the small side's: Fit.
            unsafe { self.small.deallocate(block, align) };
        } else {
            // SAFETY: the large side's: Fit.
            unsafe { self.large.deallocate(block, align) };
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        match (block.len() <= N, new_size <= N) {
            // SAFETY: the small side's: Fit; likewise below.
            (true, true) => unsafe { self.small.reallocate(block, new_size, align) }.map(shown::<N>),
            // SAFETY: as above.
            (false, false) => unsafe { self.large.reallocate(block, new_size, align) },
            // SAFETY: as above.
            (true, false) => unsafe { move_between(&self.small, &self.large, block, new_size, align) },
            (false, true) => {
                // SAFETY: as above.
                unsafe { move_between(&self.large, &self.small, block, new_size, align) }.map(shown::<N>)
            }
        }
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        if layout.size() <= N {
            self.small.allocate_zeroed(layout).map(shown::<N>)
        } else {
            self.large.allocate_zeroed(layout)
        }
    }

    fn identity(&self) -> ResourceId {
        ResourceId::composed::<SegregateKind<N>>(&[self.small.identity(), self.large.identity()])
    }

    fn info(&self) -> ResourceInfo<'_> {
        let (a, b) = (self.small.info(), self.large.info());
        let (of_a, of_b) = (reach(&a), reach(&b));
        // Small requests have only their side, so its limits bind too: below N, nothing larger than it can serve is served.
        let max_size = match of_a.0 {
            Some(size) if size < N => Some(size),
            _ => of_b.0.map(|size| size.max(N)),
        };
        let max_align = of_a.1.into_iter().chain(of_b.1).min();
        // If one side is bounded, requests may be refused, but no number of bytes says when.
        let capacity = match (a.capacity, b.capacity) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(usize::MAX).saturating_add(b.unwrap_or(usize::MAX))),
        };
        limited(both("segregate", &a, &b), capacity, (max_size, max_align))
    }
}

// SAFETY: each live block is one side's, which says so; a foreign block is denied by both.
unsafe impl<const N: usize, A: Owns, B: Owns> Owns for Segregate<N, A, B> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.small.owns(ptr) || self.large.owns(ptr)
    }
}

impl<const N: usize, A: Collect, B: Collect> Collect for Segregate<N, A, B> {
    fn collect(&self) -> usize {
        self.small.collect() + self.large.collect()
    }
}

impl<const N: usize, A: Validate, B: Validate> Validate for Segregate<N, A, B> {
    fn validate(&self) -> Result<(), Violation> {
        self.small.validate()?;
        self.large.validate()
    }
}
