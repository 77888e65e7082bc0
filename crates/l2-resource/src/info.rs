//! What a resource says about itself.

use core::fmt;

use crate::Alignment;

/// Who may call a resource, beyond what its type already says. See [`ResourceInfo`] for an example.
///
/// The compiler enforces `Sync`; this value tells the same to code that only sees `dyn MemoryResource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreadSafety {
    /// One thread at a time; the type is not `Sync`.
    Confined,
    /// Every operation from every thread at once; the type is `Sync`.
    Shared,
}

/// Which releases make memory available again. See [`ResourceInfo`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reuse {
    /// Each released block can serve a later request: pools, heaps.
    EachBlock,
    /// A block is reused once every younger block is released: stacks.
    LastFirst,
    /// Nothing is reused before the resource is reset as a whole: frames.
    AllTogether,
}

/// Name, limits and habits of a resource, as [`info`](crate::MemoryResource::info) tells them.
///
/// Made with [`new`](Self::new) and refined by the `with_` methods, so that a new field breaks nobody:
///
/// ```
/// use stratalloc_resource::{Alignment, ResourceInfo, Reuse, SizeClasses, ThreadSafety};
///
/// let info = ResourceInfo::new("frame", ThreadSafety::Confined)
///     .with_reuse(Reuse::AllTogether)
///     .with_capacity(64 * 1024);
/// assert_eq!(info.capacity, Some(64 * 1024));
///
/// let pool = ResourceInfo::new("pool", ThreadSafety::Shared)
///     .with_size_classes(SizeClasses::slice(&[48]))
///     .with_max_size(48)
///     .with_max_align(Alignment::constant::<16>());
/// assert_eq!((pool.size_classes.len(), pool.size_classes.get(0), pool.max_size), (1, Some(48), Some(48)));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ResourceInfo<'a> {
    /// A short lower-case name for reports.
    pub name: &'a str,
    /// Whether threads may share it.
    pub threads: ThreadSafety,
    /// Which releases make memory available again.
    pub reuse: Reuse,
    /// The block lengths that it hands out, if there is a fixed set.
    pub size_classes: SizeClasses<'a>,
    /// The most bytes that can be live at one time; `None` where only the system sets a limit.
    pub capacity: Option<usize>,
    /// The largest size that can ever be served, if smaller than the capacity.
    pub max_size: Option<usize>,
    /// The largest alignment that can ever be served, if there is one.
    pub max_align: Option<Alignment>,
}

impl<'a> ResourceInfo<'a> {
    /// An unlimited resource without size classes that reuses each block. See [`ResourceInfo`] for an example.
    #[must_use]
    pub const fn new(name: &'a str, threads: ThreadSafety) -> Self {
        Self {
            name,
            threads,
            reuse: Reuse::EachBlock,
            size_classes: SizeClasses::NONE,
            capacity: None,
            max_size: None,
            max_align: None,
        }
    }

    /// The same with another habit of reuse. See [`ResourceInfo`] for an example.
    #[must_use]
    pub const fn with_reuse(mut self, reuse: Reuse) -> Self {
        self.reuse = reuse;
        self
    }

    /// The same with these block lengths, ascending. See [`ResourceInfo`] for an example.
    #[must_use]
    pub const fn with_size_classes(mut self, classes: SizeClasses<'a>) -> Self {
        self.size_classes = classes;
        self
    }

    /// The same with a limit on the bytes that are live at one time. See [`ResourceInfo`] for an example.
    #[must_use]
    pub const fn with_capacity(mut self, bytes: usize) -> Self {
        self.capacity = Some(bytes);
        self
    }

    /// The same with a limit on one request. See [`ResourceInfo`] for an example.
    #[must_use]
    pub const fn with_max_size(mut self, bytes: usize) -> Self {
        self.max_size = Some(bytes);
        self
    }

    /// The same with a limit on the alignment. See [`ResourceInfo`] for an example.
    #[must_use]
    pub const fn with_max_align(mut self, align: Alignment) -> Self {
        self.max_align = Some(align);
        self
    }
}

/// The block lengths of a resource with size classes, ascending.
///
/// Either a slice or a function from index to length, because some resources keep no table of bytes: they compute a
/// class from its index, or store it in other units.
///
/// ```
/// use stratalloc_resource::SizeClasses;
///
/// let doubling = SizeClasses::computed(3, |index| 16 << index);
/// assert!(doubling.iter().eq([16, 32, 64]));
/// assert!(SizeClasses::slice(&[24, 48]).iter().eq([24, 48]));
/// assert!(SizeClasses::NONE.is_empty());
/// ```
#[derive(Clone, Copy)]
pub struct SizeClasses<'a> {
    source: Source<'a>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Slice(&'a [usize]),
    Computed { count: usize, length: fn(usize) -> usize },
}

impl<'a> SizeClasses<'a> {
    /// No fixed set of lengths. See [`SizeClasses`] for an example.
    pub const NONE: SizeClasses<'static> = SizeClasses { source: Source::Slice(&[]) };

    /// The lengths in this slice. See [`SizeClasses`] for an example.
    #[must_use]
    pub const fn slice(lengths: &'a [usize]) -> Self {
        Self { source: Source::Slice(lengths) }
    }

    /// `count` classes, the one at `index` of `length(index)` bytes. See [`SizeClasses`] for an example.
    #[must_use]
    pub const fn computed(count: usize, length: fn(usize) -> usize) -> Self {
        Self { source: Source::Computed { count, length } }
    }

    /// How many there are. See [`ResourceInfo`] for an example.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.source {
            Source::Slice(lengths) => lengths.len(),
            Source::Computed { count, .. } => count,
        }
    }

    /// Whether there are none. See [`SizeClasses`] for an example.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of the class at `index`, if there is one. See [`ResourceInfo`] for an example.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<usize> {
        match self.source {
            Source::Slice(lengths) => lengths.get(index).copied(),
            Source::Computed { count, length } => (index < count).then(|| length(index)),
        }
    }

    /// The lengths from the smallest to the largest. See [`SizeClasses`] for an example.
    pub fn iter(&self) -> impl Iterator<Item = usize> + use<'a> {
        let classes = *self;
        (0..classes.len()).map_while(move |index| classes.get(index))
    }
}

impl fmt::Debug for SizeClasses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
