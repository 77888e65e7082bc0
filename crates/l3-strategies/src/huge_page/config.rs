//! What is wanted.

use stratalloc_platform::page;

use super::report::PageKind;

/// A kind of pages that has to be asked for: [`PageKind`] without the plain ones, which there always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Huge {
    Explicit(usize),
    Transparent,
}

impl Huge {
    pub(super) const fn kind(self) -> PageKind {
        match self {
            Self::Explicit(size) => PageKind::Explicit(size),
            Self::Transparent => PageKind::Transparent,
        }
    }
}

/// How much memory, and which kinds of pages may be tried for it.
///
/// ```
/// use stratalloc_strategies::huge_page::{HugePageConfig, HugePages, PageKind};
///
/// let plain = HugePages::new(HugePageConfig::new(1 << 20).without_explicit().without_transparent())?;
/// assert_eq!(plain.kind(), PageKind::Plain);
/// assert_eq!(plain.declined().count(), 2, "not asked for, says the report");
/// # Ok::<(), stratalloc_resource::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HugePageConfig {
    pub(super) bytes: usize,
    pub(super) gigantic: bool,
    pub(super) explicit: bool,
    pub(super) transparent: bool,
    pub(super) populate: bool,
}

impl HugePageConfig {
    /// At least `bytes`, in explicit huge pages of the usual size (2 MiB on most machines), else transparent ones, else plain ones.
    /// See [`HugePageConfig`] for an example.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { bytes, gigantic: false, explicit: true, transparent: true, populate: false }
    }

    /// Tries explicit pages of 1 GiB first; the memory is then rounded up to whole ones. There are none unless the machine was told at
    /// its start.
    ///
    /// ```
    /// use stratalloc_strategies::huge_page::{HugePageConfig, HugePages, PageKind};
    ///
    /// let pages = HugePages::new(HugePageConfig::new(1 << 20).with_gigantic())?;
    /// let got = pages.kind() == PageKind::Explicit(1 << 30);
    /// let told = pages.declined().any(|declined| declined.kind == PageKind::Explicit(1 << 30));
    /// assert!(got != told, "had, or told why not");
    /// # Ok::<(), stratalloc_resource::AllocError>(())
    /// ```
    #[must_use]
    pub const fn with_gigantic(mut self) -> Self {
        self.gigantic = true;
        self
    }

    /// Leaves the machine's pool of explicit huge pages alone. See [`HugePageConfig`] for an example.
    #[must_use]
    pub const fn without_explicit(mut self) -> Self {
        self.explicit = false;
        self
    }

    /// Does not ask for transparent huge pages. (Where the kernel gives them to everybody, it does here too.)
    /// See [`HugePageConfig`] for an example.
    #[must_use]
    pub const fn without_transparent(mut self) -> Self {
        self.transparent = false;
        self
    }

    /// Makes all of it resident now, so that no access takes a page fault later, and the report is final.
    /// See [`HugePageReport`](super::HugePageReport) for an example.
    #[must_use]
    pub const fn populated(mut self) -> Self {
        self.populate = true;
        self
    }

    /// The kinds of huge pages in the order in which they are tried, and whether they may be.
    pub(super) fn kinds(&self) -> [(Huge, bool); 3] {
        // Without an address space for 1 GiB pages there are none.
        let gigantic = 1_usize << 30;
        [
            (Huge::Explicit(gigantic), self.gigantic),
            (Huge::Explicit(page::huge_size()), self.explicit),
            (Huge::Transparent, self.transparent),
        ]
    }
}
