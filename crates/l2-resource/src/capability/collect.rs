//! Giving empty memory back now.

/// A resource that keeps released memory for later and can be told not to.
pub trait Collect {
    /// Gives all memory without live blocks back upstream, and returns how many bytes that was.
    ///
    /// Live blocks stay where they are. A second call right after returns 0. Never fails; what cannot be given
    /// back stays kept.
    fn collect(&self) -> usize;
}

impl<R: Collect + ?Sized> Collect for &R {
    fn collect(&self) -> usize {
        (**self).collect()
    }
}
