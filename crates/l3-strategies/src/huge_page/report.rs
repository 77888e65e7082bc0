//! What was got, and why it is not better.

use core::fmt;

use stratalloc_platform::thp::Mapped;
use stratalloc_platform::vm::OsError;

/// A kind of pages. See [`HugePageConfig`](super::HugePageConfig) for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Huge pages of this many bytes that somebody has set aside (`hugetlb`): certain, never split, never swapped.
    Explicit(usize),
    /// Small pages that the kernel replaces by a huge one where it finds a piece of physical memory (THP).
    Transparent,
    /// Small pages.
    Plain,
}

/// A number of bytes in the largest binary unit that divides it.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let fitting = units.iter().find(|(shift, _)| self.0 != 0 && self.0.trailing_zeros() >= *shift);
        let (shift, unit) = fitting.copied().unwrap_or((0, "bytes"));
        write!(f, "{} {unit}", self.0 >> shift)
    }
}

impl fmt::Display for PageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit(size) => write!(f, "explicit {} pages", Bytes(*size)),
            Self::Transparent => f.write_str("transparent huge pages"),
            Self::Plain => f.write_str("plain pages"),
        }
    }
}

/// Why a kind of pages was not used.
///
/// ```
/// use stratalloc_strategies::huge_page::WhyNot;
///
/// let reason = WhyNot::TooFewFree { needed: 50, free: 3 };
/// assert_eq!(reason.to_string(), "50 are needed and 3 are free (vm.nr_hugepages sets more aside)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyNot {
    /// The configuration does not allow them.
    NotAsked,
    /// More than half of the memory would be left over, or there is no room for one such page.
    RequestTooSmall,
    /// This kernel or this processor has no pages of that size.
    NoSuchPages,
    /// The kernel's pool has not enough.
    TooFewFree {
        /// Pages that the request takes.
        needed: usize,
        /// Pages that nobody has or was promised.
        free: usize,
    },
    /// Transparent huge pages are switched off on this machine.
    SwitchedOff,
    /// The kernel refused for another reason.
    Refused(OsError),
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("not asked for"),
            Self::RequestTooSmall => f.write_str("the request is too small for such pages"),
            Self::NoSuchPages => f.write_str("this machine has no pages of that size"),
            Self::TooFewFree { needed, free } => {
                write!(f, "{needed} are needed and {free} are free (vm.nr_hugepages sets more aside)")
            }
            Self::SwitchedOff => {
                f.write_str("switched off (/sys/kernel/mm/transparent_hugepage/enabled says never)")
            }
            Self::Refused(error) => write!(f, "the kernel refused: {error}"),
        }
    }
}

impl core::error::Error for WhyNot {}

/// A kind of pages that is better than the one that was got, and why it was not that.
/// See [`HugePageConfig::with_gigantic`](super::HugePageConfig::with_gigantic) for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declined {
    /// The better kind.
    pub kind: PageKind,
    /// What was against it.
    pub why: WhyNot,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.why)
    }
}

/// What the kernel says about the memory at this moment; [`Display`](fmt::Display) makes a text of a few lines of it.
///
/// ```
/// use stratalloc_strategies::huge_page::{HugePageConfig, HugePages};
///
/// let pages = HugePages::new(HugePageConfig::new(4 << 20).populated())?;
/// let report = pages.report();
/// assert!(report.resident().is_none_or(|bytes| bytes >= 4 << 20));
/// assert!(report.huge() <= report.resident(), "what is huge is resident");
/// assert!(report.to_string().contains(&report.kind().to_string()));
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HugePageReport {
    pub(super) kind: PageKind,
    pub(super) bytes: usize,
    pub(super) mapped: Option<Mapped>,
    pub(super) declined: [Option<Declined>; 3],
}

impl HugePageReport {
    /// Bytes that are in huge pages now; `None` if the kernel does not say. See [`HugePageReport`] for an example.
    #[must_use]
    pub fn huge(&self) -> Option<usize> {
        self.count(|mapped| mapped.huge())
    }

    /// Bytes behind which there is physical memory now; `None` if the kernel does not say. See [`HugePageReport`] for an example.
    #[must_use]
    pub fn resident(&self) -> Option<usize> {
        self.count(|mapped| mapped.resident)
    }

    fn count(&self, which: impl FnOnce(Mapped) -> u64) -> Option<usize> {
        usize::try_from(which(self.mapped?)).ok()
    }

    /// The kind of pages that was got: what may be, where [`huge`](Self::huge) is what is. See [`HugePageReport`] for an example.
    #[must_use]
    pub const fn kind(&self) -> PageKind {
        self.kind
    }
}

impl fmt::Display for HugePageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", Bytes(self.bytes), self.kind)?;
        match self.huge().zip(self.resident()) {
            Some((huge, resident)) => {
                write!(f, "; {} are huge of {} resident", Bytes(huge), Bytes(resident))?
            }
            None => f.write_str("; the kernel does not say how many are huge")?,
        }
        self.declined.iter().flatten().try_for_each(|declined| write!(f, "\nnot {declined}"))
    }
}
