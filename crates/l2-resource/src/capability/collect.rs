//! Giving empty memory back now.

/// A resource that keeps released memory for later and can be told not to.
///
/// ```
/// use std::cell::RefCell;
/// use stratalloc_resource::Collect;
///
/// /// Buffers that wait for their next use.
/// struct Spare(RefCell<Vec<Vec<u8>>>);
/// impl Collect for Spare {
///     fn collect(&self) -> usize {
///         self.0.take().iter().map(Vec::capacity).sum()
///     }
/// }
///
/// let spare = Spare(RefCell::new(vec![Vec::with_capacity(100), Vec::with_capacity(200)]));
/// assert_eq!((spare.collect(), spare.collect()), (300, 0));
/// ```
pub trait Collect {
    /// Gives all memory without live blocks back upstream, and returns how many bytes that was. See [`Collect`] for an example.
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
