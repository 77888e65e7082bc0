//! Stacks for fibers and coroutines: guarded on both sides, used again, committed where touched.
//!
//! ```text
//!   a class    │ guard │ stack 0 │ guard │ stack 1 │ guard │ … never used, no access … │      one reservation
//!                  ▲       ▲         ▲
//!                  │       │         └─ above stack 0 and below stack 1: one serves both
//!                  │       └─ top down: touched pages; the rest is addresses only
//!                  └─ no access: an overflow faults, and is reported as one
//!
//!   records    │ next  state  fiber  high water │ … │      beside the stacks, never in them
//!
//!   fiber ◄─ get ─ StackCache (per thread, bounded) ◄──► shared list (lock-free) ◄── never used
//! ```
//!
//! A [`FiberStack`] is owned: dropped, it goes back. A [`StackCache`] per worker makes [`get`](StackCache::get) and [`put`](StackCache::put) a few
//! nanoseconds; without one ([`FiberStacks::get`]) they are a compare-and-swap each on a list that all threads share.
//!
//! | operation | cost |
//! | --- | --- |
//! | get, put through a [`StackCache`] | some ten instructions, and one compare-and-swap on the stack's own record against double returns |
//! | … every half cache | one exchange with the shared list on the way there, one per stack on the way back |
//! | first use of a stack | one system call |
//! | give back on return, if configured | one system call, two if more than the kept part was touched |
//! | [`high_water`](FiberStack::high_water) | one system call per 1024 pages of stack |
//!
//! Measured by `crates/stratalloc/examples/fiber_stack_costs.rs` (Linux 6.18, two shared cores, 2026-11-21, stacks of 64 KiB): there and back through
//! a cache 10 ns, through the shared list 32 ns, with pages given back each time 470 ns; `mmap`, `mprotect` and `munmap` with the same
//! guards 2700 ns, and 5900 ns when the stack's top is touched, as every fiber does (from a cache: 13 ns).
//!
//! # Guards and the number of mappings
//!
//! A process may have 65 530 mappings (`vm.max_map_count`). How many do guarded stacks take?
//!
//! | arrangement | mappings for n stacks (of a range with that of its records) | most stacks by default |
//! | --- | --- | --- |
//! | each stack mapped by itself, a guard at both ends | 3 n (2 n where the kernel joins neighbours) | 21 000 to 32 000 |
//! | a range, neighbours share a guard ([`Guards::Mappings`]) | 2 n + 2 | 32 700 |
//! | a range, guards marked in the page tables ([`Guards::Markers`]) | 3, whatever n | memory decides |
//!
//! Markers (`MADV_GUARD_INSTALL`, Linux 6.13) make a page inaccessible without splitting its mapping. They are what [`Guards::Automatic`] takes
//! where a trial at the start shows that they work. A marker costs an entry in a page table: with stacks of 64 KiB that is one page of 4 KiB per
//! 30 stacks, which touched stacks need anyway. Fewer than two mappings per stack are not possible with `PROT_NONE` guards: a mapping has one
//! access, so each change between stack and guard begins another.
//!
//! # When to use it
//!
//! **Use it** for context-switch libraries (`corosensei` and others take stacks by address), for thread pools that bring their own stacks, for anything that
//! makes and ends many stacks. **Use something else** for a handful of stacks that live as long as the program (`mmap` does), or where tasks
//! need no stack (`async`): a live fiber takes at least one page, mostly two.
//!
//! **Threads:** every operation from every thread; a [`StackCache`] and a [`FiberStack`] are with one thread at a time, and may move.
//!
//! **Not cleared:** a stack holds what the fiber before left there. **Not shrunk unasked:** see [`GiveBack`]; mappings and addresses stay until the
//! drop of all. **Elsewhere:** only Linux has this module so far; without markers it uses `PROT_NONE`, under Miri guards are not checked.
//!
//! **With `corosensei`** a newtype of twenty lines implements its trait `Stack`: `crates/stratalloc/examples/fibers/pooled_stack.rs`, used by the example `fibers`.
//! It is no feature of this crate, because the layers depend on nothing from outside, and the trait's version would become part of
//! every release.
//!
//! **Source:** Bonwick and Adams, *Magazines and vmem*, 2001 (caches per thread that exchange half their content); the ranges after the stacks of
//! V8's and wasmtime's pooling allocators; markers: Stoakes, *Lightweight guard pages*, Linux 6.13, 2024.
//!
//! ```
//! use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig, StackCache};
//!
//! let stacks = FiberStacks::new(FiberStacksConfig::default())?;
//! let mut worker: StackCache<'_> = stacks.cache();
//! let stack = worker.get(40_000)?;
//! stack.set_fiber(7);
//! assert!(stack.top().addr().get() - stack.limit().addr().get() >= 40_000);
//! // … a fiber runs there …
//! worker.put(stack)?;
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod cache;
mod class;
mod config;
mod error;
mod overflow;
mod record;
mod resource;
mod shape;
mod stack;
mod usage;
mod validate;

use core::ptr::NonNull;

use class::Class;

pub use cache::StackCache;
pub use config::{FiberStacksConfig, GiveBack, Guards};
pub use error::{FiberStacksError, ReturnError};
pub use overflow::{OverflowReports, report_overflows};
pub use stack::FiberStack;
pub use usage::{ClassUsage, Measured};

/// The name in reports.
const NAME: &str = "fiber stacks";

/// Stacks for fibers in some sizes; see the [module](self).
// Equations per class, checked by `validate` (while no other operation runs):
// FS-1  born ≤ count
// FS-2  each index in the shared list is < born, in the state Shared, and there once
// FS-3  the others below born are Live or Cached, those from born on Fresh
// FS-4  the guards 0 ..= born are not accessible
#[derive(Debug)]
pub struct FiberStacks {
    // The first `class_count` are there, sizes ascending; at least one.
    classes: [Option<Class>; FiberStacksConfig::MAX_CLASSES],
    sizes: [usize; FiberStacksConfig::MAX_CLASSES],
    class_count: usize,
}

impl FiberStacks {
    /// Reserves addresses for all stacks of the configuration; memory comes when they are touched. See the [module](self) for an example.
    ///
    /// # Errors
    ///
    /// [`FiberStacksError::BadConfig`]; [`NoMarkers`](FiberStacksError::NoMarkers); [`System`](FiberStacksError::System) if the system has not so many
    /// addresses, or a limit (`RLIMIT_AS`) forbids them.
    pub fn new(config: FiberStacksConfig) -> Result<Self, FiberStacksError> {
        let wanted = config.classes.get(..config.class_count).ok_or(FiberStacksError::BadConfig)?;
        let mut new = Self { classes: Default::default(), sizes: [0; _], class_count: 0 };
        let mut stacks = 0;
        for &class in wanted {
            let made = Class::new(class, &config, stacks)?;
            if new.sizes().last().is_some_and(|&last| last >= made.shape.size) {
                return Err(FiberStacksError::BadConfig);
            }
            stacks += made.shape.count as u64;
            new.sizes[new.class_count] = made.shape.size;
            new.classes[new.class_count] = Some(made);
            new.class_count += 1;
        }
        if new.class_count == 0 { Err(FiberStacksError::BadConfig) } else { Ok(new) }
    }

    fn class_count(&self) -> usize {
        self.class_count
    }

    /// The sizes of the classes.
    fn sizes(&self) -> &[usize] {
        &self.sizes[..self.class_count]
    }

    fn classes(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter().flatten()
    }

    #[inline]
    fn class(&self, number: usize) -> &Class {
        // Numbers come from `class_for`, and from stacks of this value.
        self.classes[number].as_ref().expect("a class that is there")
    }

    /// The smallest class whose stacks have `size` bytes.
    #[inline]
    fn class_for(&self, size: usize) -> Result<usize, FiberStacksError> {
        self.sizes().iter().position(|&class| size <= class).ok_or(FiberStacksError::TooLarge)
    }

    /// A stack of at least `size` bytes, from the shared list; see [`cache`](Self::cache) for the faster way.
    ///
    /// Code that is hardly more than a function call needs some 100 bytes, formatting and printing some KiB, a panic with a backtrace 20 KiB and more.
    ///
    /// ```
    /// # use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig, FiberStacksError};
    /// let stacks = FiberStacks::new(FiberStacksConfig::new().with_class(16 << 10, 1))?;
    /// let stack = stacks.get(10_000)?;
    /// assert_eq!(stacks.get(0).unwrap_err(), FiberStacksError::Exhausted);
    /// assert_eq!(stacks.get(20_000).unwrap_err(), FiberStacksError::TooLarge);
    /// # drop(stack);
    /// # Ok::<(), FiberStacksError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`FiberStacksError::TooLarge`], [`Exhausted`](FiberStacksError::Exhausted); [`System`](FiberStacksError::System) if a stack that was never
    /// used cannot be made accessible. The stacks are then as they were.
    pub fn get(&self, size: usize) -> Result<FiberStack<'_>, FiberStacksError> {
        let class = self.class_for(size)?;
        let index = self.class(class).take()?;
        Ok(FiberStack::new(self, class, index))
    }

    /// Takes back a stack by its address; see [`FiberStack::into_top`].
    ///
    /// ```
    /// # use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig, ReturnError};
    /// let stacks = FiberStacks::new(FiberStacksConfig::default())?;
    /// let top = stacks.get(0)?.into_top();
    /// // SAFETY: nothing runs there.
    /// assert_eq!(unsafe { stacks.put_at(top) }, Ok(()));
    /// // SAFETY: as above.
    /// assert_eq!(unsafe { stacks.put_at(top) }, Err(ReturnError::NotLive));
    /// # Ok::<(), stratalloc_strategies::fiber_stacks::FiberStacksError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReturnError::Foreign`], [`NotAStack`](ReturnError::NotAStack), [`NotLive`](ReturnError::NotLive): always noticed, but for a stack that was
    /// handed out again after the first return.
    ///
    /// # Safety
    ///
    /// If a live stack ends at `top`, it was given up by `into_top`, and nobody uses it any more.
    pub unsafe fn put_at(&self, top: NonNull<u8>) -> Result<(), ReturnError> {
        let top = top.addr().get();
        // A top is the first address of the guard above, so it lies in the range of its class.
        let of_range = |(_, class): &(usize, &Class)| class.shape.contains(top);
        let (number, class) = self.classes().enumerate().find(of_range).ok_or(ReturnError::Foreign)?;
        let index = class.shape.index_of_top(top).and_then(|index| u32::try_from(index).ok());
        let index = index.ok_or(ReturnError::NotAStack)?;
        self.end_life(number, index)?;
        class.share(index);
        Ok(())
    }

    /// A cache for one thread, of at most `N` stacks per class. Stacks that wait there are missing elsewhere: leave room for them in the
    /// number of stacks.
    ///
    /// ```
    /// # use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig};
    /// let stacks = FiberStacks::new(FiberStacksConfig::default())?;
    /// let mut worker = stacks.cache::<32>();
    /// let stack = worker.get(10_000)?;
    /// assert!(worker.is_empty());
    /// worker.put(stack)?;
    /// assert_eq!(worker.len(), 1);
    /// drop(worker);
    /// assert_eq!(stacks.usage().next().unwrap().shared, 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cache<const N: usize>(&self) -> StackCache<'_, N> {
        StackCache::new(self)
    }
}
