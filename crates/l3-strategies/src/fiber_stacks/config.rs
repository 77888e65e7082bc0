//! Which stacks there are, how they are guarded, and what is kept of one that comes back.

use stratalloc_primitives::units::{KIB, MIB};

/// How guard pages are made. See [`FiberStacksConfig`] for an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guards {
    /// [`Markers`](Self::Markers) where they work, which is tried when the stacks are made, else [`Mappings`](Self::Mappings).
    #[default]
    Automatic,
    /// By marks in the page tables (`MADV_GUARD_INSTALL`, Linux 6.13): all stacks of a class lie in one mapping.
    Markers,
    /// By taking the access away (`PROT_NONE`): two mappings for each stack that was ever used.
    Mappings,
}

/// When a stack that comes back gives pages back to the system. See [`FiberStacksConfig`] for an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GiveBack {
    /// Only when asked ([`Collect`](stratalloc_resource::Collect)): no system call in steady state.
    #[default]
    Never,
    /// When it leaves a thread's cache, or returns without one: hot stacks stay as they are, cold ones become small.
    WhenShared,
    /// At each return: one system call, two if more than the kept part was touched.
    Always,
}

/// The stacks of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClassConfig {
    pub(super) size: usize,
    pub(super) count: usize,
}

/// What [`FiberStacks`](super::FiberStacks) are made from.
///
/// ```
/// use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig, GiveBack, Guards};
///
/// let config = FiberStacksConfig::new()
///     .with_class(16 << 10, 1000)
///     .with_class(1 << 20, 10)
///     .with_guard_bytes(64 << 10)
///     .with_guards(Guards::Mappings) // whatever the kernel knows
///     .with_give_back(GiveBack::WhenShared, 8 << 10);
/// let stacks = FiberStacks::new(config)?;
/// assert_eq!(stacks.get(20_000)?.size(), 1 << 20);
/// # Ok::<(), stratalloc_strategies::fiber_stacks::FiberStacksError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiberStacksConfig {
    pub(super) classes: [ClassConfig; Self::MAX_CLASSES],
    pub(super) class_count: usize,
    pub(super) guard_bytes: usize,
    pub(super) guards: Guards,
    pub(super) give_back: GiveBack,
    pub(super) kept_bytes: usize,
}

impl FiberStacksConfig {
    /// The most size classes; see [`with_class`](Self::with_class).
    ///
    /// ```
    /// use stratalloc_strategies::fiber_stacks::{FiberStacks, FiberStacksConfig, FiberStacksError};
    ///
    /// let class = |config: FiberStacksConfig, order: usize| config.with_class(4096 << order, 1);
    /// let most = (0..FiberStacksConfig::MAX_CLASSES).fold(FiberStacksConfig::new(), class);
    /// assert!(FiberStacks::new(most).is_ok());
    /// assert_eq!(FiberStacks::new(class(most, 20)).unwrap_err(), FiberStacksError::BadConfig);
    /// ```
    pub const MAX_CLASSES: usize = 8;

    /// No class yet, guards of one page, nothing given back unasked; see [`FiberStacksConfig`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            classes: [ClassConfig { size: 0, count: 0 }; Self::MAX_CLASSES],
            class_count: 0,
            guard_bytes: 1,
            guards: Guards::Automatic,
            give_back: GiveBack::Never,
            kept_bytes: 16 * KIB,
        }
    }

    /// At most `count` stacks of `size` bytes; see [`FiberStacksConfig`].
    ///
    /// Sizes are rounded up to whole pages when the stacks are made, and must ascend from call to call. Address space for all of them is
    /// reserved then; memory comes when a stack is touched. Stacks that wait in the caches of threads count, too.
    #[must_use]
    pub const fn with_class(mut self, size: usize, count: usize) -> Self {
        // One too many is counted, and refused when the stacks are made.
        if self.class_count < Self::MAX_CLASSES {
            self.classes[self.class_count] = ClassConfig { size, count };
        }
        self.class_count += 1;
        self
    }

    /// How long a guard is, rounded up to whole pages; at least one page, which is also the default. See [`FiberStacksConfig`].
    ///
    /// Code compiled by Rust touches each page of a large stack frame in order, so one page stops it. C does so with
    /// `-fstack-clash-protection` only: a guard as large as its largest frame stops the rest.
    #[must_use]
    pub const fn with_guard_bytes(mut self, bytes: usize) -> Self {
        self.guard_bytes = bytes;
        self
    }

    /// How guards are made. By default by [`Guards::Automatic`]. See [`FiberStacksConfig`].
    #[must_use]
    pub const fn with_guards(mut self, guards: Guards) -> Self {
        self.guards = guards;
        self
    }

    /// When stacks that come back give back what lies deeper than `kept` bytes, rounded up to whole pages; any number is allowed. By default
    /// [`GiveBack::Never`], and 16 KiB for who asks. See [`FiberStacksConfig`].
    #[must_use]
    pub const fn with_give_back(mut self, when: GiveBack, kept: usize) -> Self {
        self.give_back = when;
        self.kept_bytes = kept;
        self
    }
}

impl Default for FiberStacksConfig {
    /// 64 KiB × 16 384, 256 KiB × 2048 and 1 MiB × 256: about 1.8 GiB of addresses, a sixteenth of that where addresses have 32 bits.
    fn default() -> Self {
        let share = if usize::BITS < 64 { 16 } else { 1 };
        Self::new()
            .with_class(64 * KIB, 16_384 / share)
            .with_class(256 * KIB, 2048 / share)
            .with_class(MIB, 256 / share)
    }
}
