//! [`FiberStack`]: one stack, owned.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

use stratalloc_primitives::primitive::atomic::Ordering;

use super::class::Class;
use super::record::{Record, State};
use super::{FiberStacks, FiberStacksError, ReturnError};
use crate::misuse;

/// A stack of [`FiberStacks`], its holder's alone. Dropped, it goes back to them; by [`StackCache::put`](super::StackCache::put) to a thread's cache.
/// An example is at the [module](super).
///
/// ```text
///   lower_guard()        limit()                              top()
///   │ no access          │ grows down ◄──────────── starts here │ no access │
/// ```
///
/// The memory holds what earlier fibers left there; it reads as zero where none has been.
pub struct FiberStack<'p> {
    stacks: &'p FiberStacks,
    class: usize,
    index: u32,
}

impl<'p> FiberStack<'p> {
    /// A stack that was taken from its class for this.
    #[inline]
    pub(super) fn new(stacks: &'p FiberStacks, class: usize, index: u32) -> Self {
        let new = Self { stacks, class, index };
        new.class().hand_out(index);
        new
    }

    #[inline]
    fn class(&self) -> &'p Class {
        self.stacks.class(self.class)
    }

    #[inline]
    fn record(&self) -> &'p Record {
        self.class().record(self.index)
    }

    /// One past the highest byte, where a fiber starts; a multiple of the page size. See [`FiberStacks`].
    /// See the [module](super) for an example.
    #[inline]
    #[must_use]
    pub fn top(&self) -> NonNull<u8> {
        self.class().top(self.index)
    }

    /// The lowest byte that may be used; see [`FiberStacks`]. See the [module](super) for an example.
    #[inline]
    #[must_use]
    pub fn limit(&self) -> NonNull<u8> {
        self.class().limit(self.index)
    }

    /// Where the guard below the stack starts: what libraries call the limit that includes guard pages.
    ///
    /// ```
    /// # use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig};
    /// let stacks = FiberStacks::new(FiberStacksConfig::default().with_guard_bytes(10_000))?;
    /// let stack = stacks.get(0)?;
    /// assert!(stack.limit().addr().get() - stack.lower_guard().addr().get() >= 10_000);
    /// # Ok::<(), stratalloc_strategies::fiber_stacks::FiberStacksError>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn lower_guard(&self) -> NonNull<u8> {
        // SAFETY: a guard lies below each stack, in the same range: `Shape`.
        unsafe { self.limit().sub(self.class().shape.guard) }
    }

    /// The bytes between the guards. See [`FiberStacksConfig`](super::FiberStacksConfig).
    #[inline]
    #[must_use]
    pub fn size(&self) -> usize {
        self.class().shape.size
    }

    /// The stack's number among all of its [`FiberStacks`]; stays the same from fiber to fiber. See [`set_fiber`](Self::set_fiber).
    #[must_use]
    pub fn number(&self) -> u64 {
        self.class().number(self.index)
    }

    /// The number by which a report names the fiber that runs here; until it is returned. At first the stack's own.
    ///
    /// ```
    /// # use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig};
    /// let stacks = FiberStacks::new(FiberStacksConfig::default())?;
    /// let stack = stacks.get(0)?;
    /// assert_eq!(stack.fiber(), stack.number());
    /// stack.set_fiber(1_000_000);
    /// assert_eq!(stack.fiber(), 1_000_000);
    /// # Ok::<(), stratalloc_strategies::fiber_stacks::FiberStacksError>(())
    /// ```
    pub fn set_fiber(&self, number: u64) {
        self.record().fiber.store(number, Ordering::Relaxed);
    }

    /// See [`set_fiber`](Self::set_fiber).
    #[must_use]
    pub fn fiber(&self) -> u64 {
        self.record().fiber.load(Ordering::Relaxed)
    }

    /// The most bytes of the stack that were ever used, in whole pages: by all fibers that it has had, since it was made.
    ///
    /// The kernel is asked which pages are resident, so pages that it has swapped out are missed. One system call per 1024 pages of
    /// stack; any thread may ask while the fiber runs.
    ///
    /// ```
    /// # use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig};
    /// let stacks = FiberStacks::new(FiberStacksConfig::default())?;
    /// let stack = stacks.get(0)?;
    /// // SAFETY: the stack is ours, and nothing runs there.
    /// unsafe { stack.top().sub(10_000).write(1) };
    /// assert!(stack.high_water()? >= 10_000);
    /// # Ok::<(), stratalloc_strategies::fiber_stacks::FiberStacksError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`FiberStacksError::System`] if the kernel does not say.
    pub fn high_water(&self) -> Result<usize, FiberStacksError> {
        self.class().high_water(self.index)
    }

    /// Gives the stack up to code that knows addresses only; returned by [`FiberStacks::put_at`]. The top.
    /// See [`FiberStacks::put_at`] for an example.
    #[must_use = "the stack is lost unless its address is returned"]
    pub fn into_top(self) -> NonNull<u8> {
        ManuallyDrop::new(self).top()
    }

    /// Class and index, if it is one of `stacks`; ends the stack's life, or says that there was none.
    #[inline]
    pub(super) fn end_life(self, stacks: &FiberStacks) -> Result<(usize, u32), ReturnError> {
        if !ptr::eq(self.stacks, stacks) {
            // Dropped: it goes to its own.
            return Err(ReturnError::Foreign);
        }
        let this = ManuallyDrop::new(self);
        stacks.end_life(this.class, this.index).map(|()| (this.class, this.index))
    }
}

impl FiberStacks {
    /// A stack's holder gives it up.
    #[inline]
    pub(super) fn end_life(&self, class: usize, index: u32) -> Result<(), ReturnError> {
        let class = self.class(class);
        if !class.record(index).end_life(State::Cached) {
            return Err(ReturnError::NotLive);
        }
        class.on_return(index);
        Ok(())
    }
}

impl Drop for FiberStack<'_> {
    fn drop(&mut self) {
        match self.stacks.end_life(self.class, self.index) {
            Ok(()) => self.class().share(self.index),
            // Somebody returned it by its address, too.
            Err(_) => {
                misuse::report(super::NAME, misuse::MisuseKind::DoubleRelease, self.limit().addr().get())
            }
        }
    }
}

impl fmt::Debug for FiberStack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FiberStack")
            .field("number", &self.number())
            .field("fiber", &self.fiber())
            .field("limit", &self.limit())
            .field("top", &self.top())
            .finish()
    }
}
