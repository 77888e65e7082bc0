//! One resource, and another where it refuses.
//!
//! ```text
//!   allocate ──► A ── refuses ──► B ── refuses ──► …            release ──► A.owns(block)? ── no ──► B.owns(block)? ── no ──► last
//!                └─ block          └─ block                                  └─ A                     └─ B
//! ```
//!
//! | operation | cost |
//! | --- | --- |
//! | `allocate` | that of the first link that serves it, and of each refusal before |
//! | `deallocate` | one [`Owns`] per link before the block's own |
//! | `reallocate` | the owner's; where it refuses, the other links are asked in order, and the block moves |
//! | memory | none |
//!
//! **Threads.** What all links allow.
//!
//! **When to use it.** A fast or bounded resource for what usually fits, a large one for the rest: `Fallback<Tlsf, System>`.
//!
//! **When not.** When the first link is full for long, every request asks it in vain; and a release asks it too, so a link whose `Owns` is
//! O(pools) should have few. Whoever knows from the size where a block belongs takes [`Segregate`](crate::Segregate), which need not ask.
//!
//! **Misuse.** A link must not draw its memory from a link before it: both would then claim the same addresses, and releases would go to the
//! wrong one. A foreign block goes to the last link, which reports it if it can.
//!
//! After A. Alexandrescu's composable allocators (*std::allocator is to allocation what std::vector is to vexation*, 2015).

mod chain;
mod error;

use core::alloc::Layout;

use stratalloc_resource::{
    Alignment, AllocError, Collect, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, Validate,
    Violation,
};

use crate::info::{both, limited, reach};
use crate::moving::move_between;

pub use chain::FallbackChain;
pub use error::{ChainError, LinkFailure};

/// `A`, and where it refuses, `B`; see the [module](self).
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use stratalloc_modifiers::Fallback;
/// use stratalloc_resource::{Alignment, FromGlobal, MemoryResource, Owns};
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let mut memory = [MaybeUninit::uninit(); 4096];
/// let tlsf: Tlsf<'_> = Tlsf::over(&mut memory)?;
/// let both = Fallback::new(tlsf, FromGlobal::new(&std::alloc::System));
/// let small = both.allocate(Layout::new::<[u8; 100]>())?;
/// let large = both.allocate(Layout::new::<[u8; 100_000]>())?;
/// assert!(both.first().owns(small.as_ptr()) && !both.first().owns(large.as_ptr()));
/// for block in [small, large] {
///     // SAFETY: live, with this alignment; not used any more.
///     unsafe { both.deallocate(block, Alignment::ONE) };
/// }
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
///
/// The first has to know its blocks, or nobody could say where a release belongs:
///
/// ```compile_fail,E0277
/// use stratalloc_modifiers::Fallback;
/// use stratalloc_resource::{FromGlobal, MemoryResource};
///
/// let system = FromGlobal::new(&std::alloc::System);
/// Fallback::new(system, system).info();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Fallback<A, B> {
    first: A,
    second: B,
}

/// The kind of the identity, which is composed of the links'.
struct FallbackKind;

impl<A, B> Fallback<A, B> {
    /// `second` where `first` refuses. See [`Fallback`] for an example.
    #[must_use]
    pub const fn new(first: A, second: B) -> Self {
        Self { first, second }
    }

    /// Which is asked first. See [`Fallback`] for an example.
    #[must_use]
    pub const fn first(&self) -> &A {
        &self.first
    }

    /// Which is asked where the first refuses.
    ///
    /// ```
    /// use stratalloc_modifiers::Fallback;
    ///
    /// assert_eq!(Fallback::new("quick", "large").second(), &"large");
    /// ```
    #[must_use]
    pub const fn second(&self) -> &B {
        &self.second
    }

    /// Both, to change them: a frame is reset this way.
    ///
    /// ```
    /// use stratalloc_modifiers::Fallback;
    ///
    /// let mut both = Fallback::new(1, 2);
    /// *both.parts_mut().0 = 3;
    /// assert_eq!(both.first(), &3);
    /// ```
    pub const fn parts_mut(&mut self) -> (&mut A, &mut B) {
        (&mut self.first, &mut self.second)
    }
}

impl<A: MemoryResource + Owns, B: MemoryResource> Fallback<A, B> {
    /// As [`allocate`](MemoryResource::allocate), but the error tells what each link said.
    ///
    /// ```
    /// use core::alloc::Layout;
    /// use core::mem::MaybeUninit;
    /// use stratalloc_modifiers::Fallback;
    /// use stratalloc_strategies::buddy::Buddy;
    /// use stratalloc_strategies::tlsf::Tlsf;
    ///
    /// let (mut one, mut other) = ([MaybeUninit::uninit(); 1024], [MaybeUninit::uninit(); 1024]);
    /// let both = Fallback::new(Tlsf::<'_, 24, 32>::over(&mut one)?, Buddy::<'_, 4, 64>::over(&mut other)?);
    /// let dry = both.try_allocate(Layout::new::<[u8; 2000]>()).unwrap_err();
    /// assert_eq!(
    ///     dry.to_string(),
    ///     "every link refused: 1 tlsf: the fixed capacity is exhausted; 2 buddy: the resource does not serve such requests"
    /// );
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If both refuse, both reasons.
    pub fn try_allocate(&self, layout: Layout) -> Result<MemoryBlock, ChainError<'_>> {
        let mut error = ChainError::new();
        match self.first.allocate(layout) {
            Ok(block) => return Ok(block),
            Err(refusal) => error.push(self.first.info().name, refusal),
        }
        self.second.allocate(layout).map_err(|refusal| {
            error.push(self.second.info().name, refusal);
            error
        })
    }
}

/// What both said, as one error: that something may come free, if one of them said so; else the last word.
fn summary(first: AllocError, second: AllocError) -> AllocError {
    if first.is_transient() && !second.is_transient() { first } else { second }
}

// SAFETY:
// * Fit, Disjoint, Stable: each block is one of a link, which keeps the contract, and goes back to the link that owns it: `Owns`;
// * Threads: `Sync` only if both are;
// * Errors: a failed `reallocate` of one link leaves the block live there, and it moves only when another link has room;
// * Identity: composed of both, so equal compositions have equal links.
unsafe impl<A: MemoryResource + Owns, B: MemoryResource> MemoryResource for Fallback<A, B> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.first
            .allocate(layout)
            .or_else(|first| self.second.allocate(layout).map_err(|second| summary(first, second)))
    }

    #[inline]
    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        if self.first.owns(block.as_ptr()) {
            // SAFETY: its own block: this function's contract, `Owns`.
            unsafe { self.first.deallocate(block, align) };
        } else {
            // SAFETY: not the first's, hence the second's.
            unsafe { self.second.deallocate(block, align) };
        }
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        if self.first.owns(block.as_ptr()) {
            // SAFETY: its own block: this function's contract, `Owns`.
            unsafe { self.first.reallocate(block, new_size, align) }.or_else(|first| {
                // SAFETY: still live in the first, since it refused.
                unsafe { move_between(&self.first, &self.second, block, new_size, align) }
                    .map_err(|second| summary(first, second))
            })
        } else {
            // SAFETY: not the first's, hence the second's.
            unsafe { self.second.reallocate(block, new_size, align) }.or_else(|second| {
                // SAFETY: still live in the second, since it refused.
                unsafe { move_between(&self.second, &self.first, block, new_size, align) }
                    .map_err(|first| summary(first, second))
            })
        }
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.first
            .allocate_zeroed(layout)
            .or_else(|first| self.second.allocate_zeroed(layout).map_err(|second| summary(first, second)))
    }

    fn identity(&self) -> ResourceId {
        ResourceId::composed::<FallbackKind>(&[self.first.identity(), self.second.identity()])
    }

    fn info(&self) -> ResourceInfo<'_> {
        let (a, b) = (self.first.info(), self.second.info());
        // A request that is within the limits of one link is served; both limits have to be the same link's.
        let (of_a, of_b) = (reach(&a), reach(&b));
        let rank = |size: Option<usize>| size.unwrap_or(usize::MAX);
        let limits = if rank(of_a.0) > rank(of_b.0) { of_a } else { of_b };
        let capacity = a.capacity.zip(b.capacity).map(|(a, b)| a.saturating_add(b));
        limited(both("fallback", &a, &b), capacity, limits)
    }
}

// SAFETY: each live block is one link's, which says so; a foreign block is denied by both.
unsafe impl<A: Owns, B: Owns> Owns for Fallback<A, B> {
    fn owns(&self, ptr: *const u8) -> bool {
        self.first.owns(ptr) || self.second.owns(ptr)
    }
}

impl<A: Collect, B: Collect> Collect for Fallback<A, B> {
    fn collect(&self) -> usize {
        self.first.collect() + self.second.collect()
    }
}

impl<A: Validate, B: Validate> Validate for Fallback<A, B> {
    fn validate(&self) -> Result<(), Violation> {
        self.first.validate()?;
        self.second.validate()
    }
}
