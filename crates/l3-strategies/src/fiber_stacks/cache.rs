//! [`StackCache`]: a thread's own few stacks.
//!
//! A handle, and not a thread-local variable: it needs neither `std` nor a hook at the thread's end, a process may have any number of
//! [`FiberStacks`], a scheduler has a value per worker anyway, and what a cache holds goes back at a moment that the program sees.

use core::fmt;

use super::{FiberStack, FiberStacks, FiberStacksConfig, FiberStacksError, ReturnError};

/// The stacks of one class that wait here, the hottest last.
#[derive(Clone, Copy)]
struct Waiting<const N: usize> {
    count: usize,
    indices: [u32; N],
}

/// At most `N` stacks per class for one thread, in front of shared [`FiberStacks`]: most gets and puts touch nothing that other threads touch.
///
/// ```text
///   get ◄── │ hottest … coldest │ ◄── half of it, when empty ── shared list ◄── what was never used
///   put ──► │                   │ ──► the colder half, when full ──►
/// ```
///
/// Dropped, it gives everything to the shared list. See [`FiberStacks::cache`].
pub struct StackCache<'p, const N: usize = 16> {
    stacks: &'p FiberStacks,
    waiting: [Waiting<N>; FiberStacksConfig::MAX_CLASSES],
}

impl<const N: usize> Waiting<N> {
    /// What moves at once between a cache and the shared list.
    const HALF: usize = N.div_ceil(2);

    #[inline(always)]
    fn pop(&mut self) -> Option<u32> {
        let last = self.count.checked_sub(1)?;
        self.count = last;
        Some(self.indices[last])
    }

    #[inline(always)]
    fn push(&mut self, index: u32) {
        self.indices[self.count] = index;
        self.count += 1;
    }
}

impl<'p, const N: usize> StackCache<'p, N> {
    pub(super) const fn new(stacks: &'p FiberStacks) -> Self {
        const { assert!(N > 0, "a cache without room caches nothing") };
        let empty = Waiting { count: 0, indices: [0; N] };
        Self { stacks, waiting: [empty; FiberStacksConfig::MAX_CLASSES] }
    }

    /// A stack of at least `size` bytes; as [`FiberStacks::get`].
    ///
    /// # Errors
    ///
    /// As [`FiberStacks::get`].
    #[inline]
    pub fn get(&mut self, size: usize) -> Result<FiberStack<'p>, FiberStacksError> {
        let class = self.stacks.class_for(size)?;
        let index = match self.waiting[class].pop() {
            Some(index) => index,
            None => self.refill(class)?,
        };
        Ok(FiberStack::new(self.stacks, class, index))
    }

    /// Takes a stack back for the next [`get`](Self::get). See the [module](super) for an example.
    ///
    /// # Errors
    ///
    /// [`ReturnError::Foreign`] for a stack of others, which goes back to them; [`ReturnError::NotLive`] if its address was returned before.
    #[inline]
    pub fn put(&mut self, stack: FiberStack<'_>) -> Result<(), ReturnError> {
        let (class, index) = stack.end_life(self.stacks)?;
        if self.waiting[class].count == N {
            self.spill(class, Waiting::<N>::HALF);
        }
        self.waiting[class].push(index);
        Ok(())
    }

    /// How many stacks wait here. See [`FiberStacks::cache`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.count).sum()
    }

    /// Whether none waits here. See [`FiberStacks::cache`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cache is empty: a stack, and up to half of what fits here besides. Only returned ones are taken in advance: what was never
    /// used costs a system call each.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, number: usize) -> Result<u32, FiberStacksError> {
        let class = self.stacks.class(number);
        let first = class.take()?;
        for _ in 1..Waiting::<N>::HALF {
            let Some(index) = class.take_shared() else { break };
            class.record(index).set_state(super::record::State::Cached);
            self.waiting[number].push(index);
        }
        Ok(first)
    }

    /// The `count` coldest stacks go to the shared list.
    #[cold]
    #[inline(never)]
    fn spill(&mut self, class: usize, count: usize) {
        let Waiting { count: waiting, indices } = &mut self.waiting[class];
        let count = count.min(*waiting);
        self.stacks.class(class).share_all(&indices[..count]);
        indices.copy_within(count..*waiting, 0);
        *waiting -= count;
    }
}

impl<const N: usize> Drop for StackCache<'_, N> {
    fn drop(&mut self) {
        for class in 0..self.stacks.class_count() {
            self.spill(class, N);
        }
    }
}

impl<const N: usize> fmt::Debug for StackCache<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackCache").field("capacity", &N).field("len", &self.len()).finish_non_exhaustive()
    }
}
