//! A pooled, guarded stack as `corosensei` wants one: all that it takes to bring the two together.

use corosensei::stack::{Stack, StackPointer};
use stratalloc::strategies::fiber_stacks::FiberStack;

/// A stack of [`FiberStacks`](stratalloc::strategies::fiber_stacks::FiberStacks) for a coroutine.
#[derive(Debug)]
pub(crate) struct PooledStack<'p>(pub(crate) FiberStack<'p>);

// SAFETY: a stack of at least a page (`MIN_STACK_SIZE` where pages have 4 KiB, which is the smallest), its holder's alone, with a guard below;
// the base is a multiple of the page size, and the limit includes the guard.
unsafe impl Stack for PooledStack<'_> {
    #[inline]
    fn base(&self) -> StackPointer {
        self.0.top().addr()
    }

    #[inline]
    fn limit(&self) -> StackPointer {
        self.0.lower_guard().addr()
    }
}
