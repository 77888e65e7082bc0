//! What is checked, by name.

use core::fmt;

use crate::clause::clause;

/// Writes the enum and its table in one place, so that no property lacks an id, a section or its sentence.
macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $section:literal, $quote:expr;)*) => {
        /// One property that the kit checks.
        ///
        /// Each has a deliberately broken resource in `tests/broken_*.rs` on which the kit has been seen to fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Property {
            $($(#[$doc])* $name,)*
        }

        impl Property {
            /// All of them.
            pub const ALL: &'static [Property] = &[$(Property::$name,)*];

            /// The name in messages.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Property::$name => $id,)* }
            }

            /// The section of the contract that it belongs to: of [`MemoryResource`](crate::MemoryResource), of a
            /// capability, or `C` for the malloc family.
            #[must_use]
            pub const fn section(self) -> &'static str {
                match self { $(Property::$name => $section,)* }
            }

            /// The sentence of the contract that is broken if the property does not hold.
            #[must_use]
            pub const fn quote(self) -> &'static str {
                match self { $(Property::$name => $quote,)* }
            }
        }
    };
}

properties! {
    /// Blocks are at least as long as requested.
    FitLength = "fit-length", "Fit", clause!(fit_length);
    /// Blocks are aligned as requested.
    FitAlignment = "fit-alignment", "Fit", clause!(fit_alignment);
    /// Requested and real length are equally good for a release.
    FitRelease = "fit-release", "Fit", clause!(fit_release);
    /// Zero bytes can be requested.
    FitZero = "fit-zero", "Fit", clause!(fit_zero);
    /// Live blocks do not overlap.
    Disjoint = "disjoint", "Disjoint", clause!(disjoint);
    /// Live blocks keep their contents.
    Stable = "stable", "Stable", clause!(stable);
    /// Growing keeps the contents.
    ReallocateGrow = "reallocate-grow", "Stable", clause!(stable_reallocate);
    /// Shrinking keeps the remaining contents.
    ReallocateShrink = "reallocate-shrink", "Stable", clause!(stable_reallocate);
    /// A resized block is long enough.
    ReallocateLength = "reallocate-length", "Fit", clause!(fit_length);
    /// A resized block keeps its alignment.
    ReallocateAlignment = "reallocate-alignment", "Fit", clause!(fit_alignment);
    /// Zeroed blocks are zero.
    Zeroed = "zeroed", "Stable", clause!(stable_zeroed);
    /// All of the above with several threads at once.
    ThreadsParallel = "threads-parallel", "Threads", clause!(threads_parallel);
    /// All of the above when one thread requests and another releases.
    ThreadsRemote = "threads-remote", "Threads", clause!(threads_remote);
    /// Nothing unwinds.
    ErrorsValue = "errors-value", "Errors", clause!(errors_value);
    /// Ordinary requests are served.
    Served = "served", "Errors", clause!(errors_served);
    /// Requests beyond any address space are refused.
    HugeRequest = "huge-request", "Errors", clause!(errors_huge);
    /// Growth beyond any address space is refused.
    HugeReallocate = "huge-reallocate", "Errors", clause!(errors_huge);
    /// A failed reallocation leaves the block alone.
    FailureIntact = "failure-intact", "Errors", clause!(errors_intact);
    /// The stated capacity is kept, and its end is told.
    Capacity = "capacity", "Errors", clause!(errors_capacity);
    /// Exhaustion loses nothing.
    Recovery = "recovery", "Errors", clause!(errors_recovery);
    /// A resource equals itself.
    EqualReflexive = "equal-reflexive", "Identity", clause!(equal_reflexive);
    /// Equality works both ways.
    EqualSymmetric = "equal-symmetric", "Identity", clause!(equal_symmetric);
    /// The identity does not change.
    EqualStable = "equal-stable", "Identity", clause!(equal_stable);
    /// Equal resources release each other's blocks.
    EqualRelease = "equal-release", "Identity", clause!(equal_release);
    /// `info` makes sense.
    Info = "info", "Identity", clause!(info_truthful);
    /// `Owns` knows its blocks and no others.
    Owns = "owns", "Owns",
        "For the address of each live block of this resource the answer is `true`, for that of another's `false`.";
    /// `Validate` finds nothing wrong in a sound resource.
    Validate = "validate", "Validate", "The equations hold whenever no operation runs.";
    /// `malloc(0)`.
    CZero = "c-zero", "C", "A request of 0 bytes returns a unique pointer that is not null.";
    /// More than `PTRDIFF_MAX`.
    CHuge = "c-huge", "C", "A request of more than `PTRDIFF_MAX` bytes returns null and sets `errno` to `ENOMEM`.";
    /// Products that overflow.
    COverflow = "c-overflow", "C",
        "`calloc` and `reallocarray` whose product overflows return null and set `errno` to `ENOMEM`.";
    /// `free` and `errno`.
    CFreeErrno = "c-free-errno", "C", "`free` keeps `errno`, also for null.";
    /// `realloc(NULL, n)`.
    CReallocNull = "c-realloc-null", "C", "`realloc` of null is `malloc`.";
    /// `realloc(p, 0)`.
    CReallocZero = "c-realloc-zero", "C", "`realloc` of a block to 0 bytes does what the family declares.";
    /// `posix_memalign` as it should be.
    CPosixMemalign = "c-posix-memalign", "C",
        "`posix_memalign` returns 0, stores an aligned pointer, and does not touch `errno`.";
    /// `posix_memalign` with a bad alignment.
    CPosixInvalid = "c-posix-invalid", "C",
        "`posix_memalign` with an alignment that is no power of two or no multiple of a pointer's size returns \
         `EINVAL`, and touches neither the out-parameter nor `errno`.";
    /// `posix_memalign` without memory.
    CPosixNoMemory = "c-posix-no-memory", "C",
        "`posix_memalign` that finds no memory returns `ENOMEM`, does not touch the out-parameter, and leaves `errno` \
         alone (POSIX) or at `ENOMEM` (glibc).";
    /// `memalign` with any alignment.
    CMemalign = "c-memalign", "C", "`memalign` rounds an alignment that is no power of two up to the next.";
    /// `aligned_alloc` with any size.
    CAlignedAlloc = "c-aligned-alloc", "C",
        "`aligned_alloc` serves sizes that are no multiple of the alignment; an alignment that is no power of two is \
         rounded up or refused with `EINVAL`.";
    /// `valloc` and `pvalloc`.
    CPages = "c-pages", "C", "`valloc` and `pvalloc` align to pages, and `pvalloc` rounds the size up to whole pages.";
    /// `malloc_usable_size(NULL)`.
    CUsableNull = "c-usable-null", "C", "The usable size of null is 0.";
    /// `free_sized`, `free_aligned_sized`, `cfree`.
    CFreeSized = "c-free-sized", "C", "`free_sized`, `free_aligned_sized` and `cfree` release as `free` does.";
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// Which properties have been exercised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PropertySet {
    bits: u64,
}

const _: () = assert!(Property::ALL.len() <= 64);

impl PropertySet {
    pub(super) const fn insert(&mut self, property: Property) {
        self.bits |= 1 << property as u32;
    }

    pub(super) const fn union(&mut self, other: Self) {
        self.bits |= other.bits;
    }

    pub(super) const fn contains(self, property: Property) -> bool {
        self.bits & (1 << property as u32) != 0
    }
}
