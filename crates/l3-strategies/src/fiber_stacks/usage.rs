//! What there is, and what it costs in memory.

use stratalloc_primitives::lockfree::link;
use stratalloc_primitives::primitive::atomic::Ordering;
use stratalloc_resource::Collect;

use super::FiberStacks;
use super::class::Class;
use super::record::State;

/// The stacks of one size. Counted while other threads go on, the numbers may be those of different moments.
/// See [`FiberStacks::cache`] for an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassUsage {
    /// Bytes of each.
    pub size: usize,
    /// The most there can be.
    pub count: usize,
    /// Those with a fiber.
    pub live: usize,
    /// Those in threads' caches.
    pub cached: usize,
    /// Those that wait for any thread.
    pub shared: usize,
    /// The deepest use of any, in bytes, as far as somebody asked or pages were given back. See [`FiberStacks::measure`].
    pub high_water: usize,
    /// Mappings of the process that the class takes, at most: three (accessible stacks, those never used, the records), or with guards by
    /// mappings two and two more for each stack ever used. The kernel joins neighbours that are alike.
    pub mappings: usize,
}

/// What the kernel says about stacks; see [`FiberStacks::measure`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Bytes of memory behind all stacks.
    pub resident: usize,
    /// The deepest use of any stack, in bytes of whole pages.
    pub high_water: usize,
}

fn usage(class: &Class) -> ClassUsage {
    let born = class.born();
    let records = class.records().iter().take(born);
    let mappings = if class.has_markers { 3 } else { 2 * born + 2 };
    let (size, count) = (class.shape.size, class.shape.count);
    let start = ClassUsage { size, count, mappings, ..ClassUsage::default() };
    records.fold(start, |mut usage, record| {
        match record.state() {
            State::Fresh => {}
            State::Live => usage.live += 1,
            State::Cached => usage.cached += 1,
            State::Shared => usage.shared += 1,
        }
        usage.high_water = usage.high_water.max(record.high_water());
        usage
    })
}

impl FiberStacks {
    /// Counts the stacks of each class. O(stacks ever used), no system call.
    ///
    /// ```
    /// # use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig};
    /// let stacks = FiberStacks::new(FiberStacksConfig::new().with_class(64 << 10, 100))?;
    /// let (first, second) = (stacks.get(0)?, stacks.get(0)?);
    /// drop(first);
    /// let usage = stacks.usage().next().unwrap();
    /// assert_eq!((usage.live, usage.shared, usage.count), (1, 1, 100));
    /// # drop(second);
    /// # Ok::<(), stratalloc_strategies::fiber_stacks::FiberStacksError>(())
    /// ```
    pub fn usage(&self) -> impl Iterator<Item = ClassUsage> + '_ {
        self.classes().map(usage)
    }

    /// Asks the kernel about every stack that was ever used, and remembers what it says. Two system calls per stack.
    ///
    /// ```
    /// # use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig};
    /// let stacks = FiberStacks::new(FiberStacksConfig::default())?;
    /// let stack = stacks.get(0)?;
    /// // SAFETY: the stack is ours, and nothing runs there.
    /// unsafe { stack.top().sub(10_000).write(1) };
    /// let measured = stacks.measure();
    /// assert!(measured.high_water >= 10_000 && measured.resident > 0);
    /// # Ok::<(), stratalloc_strategies::fiber_stacks::FiberStacksError>(())
    /// ```
    #[must_use]
    pub fn measure(&self) -> Measured {
        let born = |class: &Class| u32::try_from(class.born()).unwrap_or(0);
        let stacks = self.classes().flat_map(|class| (0..born(class)).map(move |index| (class, index)));
        stacks.fold(Measured::default(), |measured, (class, index)| Measured {
            resident: measured.resident + class.resident(index),
            high_water: measured.high_water.max(class.high_water(index).unwrap_or(0)),
        })
    }
}

impl Collect for FiberStacks {
    /// Gives the memory of the stacks on the shared list back to the system; their addresses stay reserved. Stacks in caches stay as they are.
    /// While it works, other threads find the list empty: they take fresh stacks, or are refused if there are none.
    fn collect(&self) -> usize {
        self.classes().map(collect).sum()
    }
}

fn collect(class: &Class) -> usize {
    let next = |index| class.record(index).next.load(Ordering::Relaxed);
    let mut waiting = class.changing.shared.take_all();
    let mut given = 0;
    while let Some(index) = waiting {
        waiting = link::index(next(index));
        let before = class.resident(index);
        class.shrink(index, 0);
        given += before.saturating_sub(class.resident(index));
        class.push(index);
    }
    given
}
