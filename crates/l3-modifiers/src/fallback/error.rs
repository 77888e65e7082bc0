//! What a chain says when it runs dry.

use core::fmt;

use stratalloc_resource::AllocError;

/// One link's refusal.
///
/// An example is at [`ChainError::links`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFailure<'a> {
    /// The link's [name](stratalloc_resource::ResourceInfo::name).
    pub name: &'a str,
    /// Why it refused.
    pub error: AllocError,
}

/// Every link of a chain refused, and why.
///
/// ```
/// use core::alloc::Layout;
/// use stratalloc_modifiers::{ChainError, FallbackChain};
/// use stratalloc_resource::AllocError;
/// use stratalloc_strategies::buddy::Buddy;
/// use stratalloc_strategies::tlsf::Tlsf;
///
/// let chain = FallbackChain::new((Tlsf::<'_, 24, 32>::new(), Buddy::<'_, 26, 64>::new()));
/// let dry = chain.try_allocate(Layout::new::<u64>()).unwrap_err();
/// assert!(dry.links().all(|link| link.error == AllocError::CapacityExhausted));
/// assert!(dry.links().count() == 2 && ChainError::LINKS == 5);
/// assert_eq!(AllocError::from(dry), AllocError::CapacityExhausted);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainError<'a> {
    // The first `len` of both are filled. (Pairs would take a third more, in every result.)
    names: [&'a str; ChainError::LINKS],
    errors: [AllocError; ChainError::LINKS],
    len: usize,
}

impl<'a> ChainError<'a> {
    /// The most links that a chain can have. See [`ChainError`] for an example.
    pub const LINKS: usize = 5;

    pub(super) const fn new() -> Self {
        Self { names: [""; Self::LINKS], errors: [AllocError::OutOfMemory; Self::LINKS], len: 0 }
    }

    pub(super) fn push(&mut self, name: &'a str, error: AllocError) {
        // Chains are not longer: `FallbackChain` takes tuples of up to LINKS.
        if self.len < Self::LINKS {
            self.names[self.len] = name;
            self.errors[self.len] = error;
            self.len += 1;
        }
    }

    /// The links in the order in which they were asked.
    ///
    /// ```
    /// # use core::alloc::Layout;
    /// # use stratalloc_modifiers::FallbackChain;
    /// # use stratalloc_strategies::tlsf::Tlsf;
    /// let chain = FallbackChain::new((Tlsf::<'_, 24, 32>::new(), Tlsf::<'_, 8, 8>::new()));
    /// let dry = chain.try_allocate(Layout::new::<u64>()).unwrap_err();
    /// assert!(dry.links().map(|link| link.name).eq(["tlsf", "tlsf"]));
    /// ```
    pub fn links(&self) -> impl Iterator<Item = LinkFailure<'a>> + '_ {
        let pairs = self.names.iter().zip(self.errors).take(self.len);
        pairs.map(|(name, error)| LinkFailure { name, error })
    }
}

impl From<ChainError<'_>> for AllocError {
    /// The last link's reason to which waiting may help, else the last link's reason.
    fn from(chain: ChainError<'_>) -> Self {
        chain.links().map(|link| link.error).reduce(super::summary).unwrap_or(Self::OutOfMemory)
    }
}

impl fmt::Display for ChainError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every link refused")?;
        for (index, LinkFailure { name, error }) in self.links().enumerate() {
            let lead = if index == 0 { ":" } else { ";" };
            write!(f, "{lead} {} {name}: {error}", index + 1)?;
        }
        Ok(())
    }
}

impl core::error::Error for ChainError<'_> {}
