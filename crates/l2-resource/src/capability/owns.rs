//! Telling one's own blocks from foreign ones.

/// A resource that recognises its blocks by address.
///
/// ```
/// use stratalloc_resource::Owns;
///
/// /// Hands out pieces of one array.
/// struct Pieces(Box<[u8]>);
/// // SAFETY: every live block of a value lies in its array, which is nobody else's.
/// unsafe impl Owns for Pieces {
///     fn owns(&self, ptr: *const u8) -> bool {
///         self.0.as_ptr_range().contains(&ptr)
///     }
/// }
///
/// let (one, other) = (Pieces(vec![0; 100].into()), Pieces(vec![0; 100].into()));
/// assert!(one.owns(&one.0[50]) && !one.owns(&other.0[50]) && !one.owns(core::ptr::null()));
/// ```
///
/// # Safety
///
/// Compositions route a release by this answer, so a wrong one is a release to the wrong resource:
///
/// * for the address of each live block of this resource the answer is `true`;
/// * for the address of each live block of a resource that is not equal to it the answer is `false`;
/// * for any other address, dangling and null included, the answer may be either, but giving it reads nothing there.
///
/// The answer is a value at once, callable from any thread that may call the resource.
pub unsafe trait Owns {
    /// Whether the block at `ptr` came from this resource. See [`Owns`] for an example.
    fn owns(&self, ptr: *const u8) -> bool;
}

// SAFETY: a reference answers as the resource it points to, which keeps this contract.
unsafe impl<R: Owns + ?Sized> Owns for &R {
    fn owns(&self, ptr: *const u8) -> bool {
        (**self).owns(ptr)
    }
}
