//! Parts of a frame that end before the frame does.

use core::fmt;
use core::ops::Deref;

use stratalloc_resource::MemoryResource;

use super::grid::grid;
use super::policy::{Policy, Speed};
use super::values::{AllocOrInitError, or_refuse};
use super::{Frame, Marker};
use crate::Fixed;

/// A frame from a position on: values made in it live for `'s`, until the scope ends; see [`Frame::scope`].
///
/// Inner scopes borrow the outer one, not what was made in it, so older values can be used in the inner scope and after it.
///
/// ```
/// use stratalloc_strategies::frame::Frame;
///
/// let mut memory = [core::mem::MaybeUninit::uninit(); 256];
/// let mut frame: Frame = Frame::over(&mut memory);
/// let sum = frame.scope(|mut outer| {
///     let total = outer.alloc(0_u32);
///     for part in 0..100 {
///         outer.scope(|inner| {
///             let squares = inner.alloc_slice_fill_with(20, |index| index as u32 * part);
///             *total += squares.iter().sum::<u32>();
///         });
///     }
///     *total
/// });
/// assert_eq!((sum, frame.used()), (190 * 4950, 0));
/// ```
///
/// What was made in a scope cannot leave it:
/// ```compile_fail
/// # use stratalloc_strategies::frame::Frame;
/// # let mut memory = [core::mem::MaybeUninit::uninit(); 256];
/// let mut frame: Frame = Frame::over(&mut memory);
/// let value = frame.scope(|scope| scope.alloc(1));
/// ```
/// and while an inner scope is open, the outer one makes nothing that would end with the inner:
/// ```compile_fail,E0502
/// # use stratalloc_strategies::frame::Frame;
/// # let mut memory = [core::mem::MaybeUninit::uninit(); 256];
/// let mut frame: Frame = Frame::over(&mut memory);
/// frame.scope(|mut outer| outer.scope(|_inner| outer.alloc(1)));
/// ```
// Invariant SCOPE: as long as the scope lives nobody rewinds the frame to before its beginning, and whoever rewinds to a later
// position holds this value borrowed mutably while blocks come after that position. Hence no `&'s Frame` is handed out.
pub struct Scope<'s, 'm, P: Policy = Speed, U: MemoryResource = Fixed> {
    frame: &'s Frame<'m, P, U>,
}

impl<'m, P: Policy, U: MemoryResource> Frame<'m, P, U> {
    /// Calls `body` with a [`Scope`], and gives up what was made in it.
    ///
    /// ```
    /// # use stratalloc_strategies::frame::Frame;
    /// # let mut memory = [core::mem::MaybeUninit::uninit(); 256];
    /// let mut frame: Frame = Frame::over(&mut memory);
    /// let length = frame.scope(|scope| scope.alloc_fmt(format_args!("{}", 12345)).len());
    /// assert_eq!((length, frame.used()), (5, 0));
    /// ```
    pub fn scope<R>(&mut self, body: impl for<'s> FnOnce(Scope<'s, 'm, P, U>) -> R) -> R {
        let guard = self.scope_guard();
        body(Scope { frame: guard.frame })
    }

    /// Gives up what is made through the guard when the guard is dropped. Older blocks, which only raw pointers can reach now, do not
    /// grow meanwhile: as for [`rewind`](Self::rewind).
    ///
    /// ```
    /// # use stratalloc_strategies::frame::Frame;
    /// # let mut memory = [core::mem::MaybeUninit::uninit(); 256];
    /// let mut frame: Frame = Frame::over(&mut memory);
    /// {
    ///     let guard = frame.scope_guard();
    ///     guard.alloc([0_u8; 100]);
    ///     assert_eq!(guard.used(), 100);
    /// }
    /// assert_eq!(frame.used(), 0);
    /// ```
    pub fn scope_guard(&mut self) -> ScopeGuard<'_, 'm, P, U> {
        ScopeGuard { marker: self.marker(), frame: self }
    }
}

impl<'s, 'm, P: Policy, U: MemoryResource> Scope<'s, 'm, P, U> {
    /// Calls `body` with a scope inside this one, and gives up what was made in it; see [`Scope`].
    pub fn scope<R>(&mut self, body: impl for<'i> FnOnce(Scope<'i, 'm, P, U>) -> R) -> R {
        let guard = self.scope_guard();
        body(Scope { frame: guard.frame })
    }

    /// As [`Frame::scope_guard`], for a part of this scope.
    pub fn scope_guard(&mut self) -> ScopeGuard<'_, 'm, P, U> {
        ScopeGuard { marker: self.frame.marker(), frame: self.frame }
    }

    const fn frame(&self) -> &'s Frame<'m, P, U> {
        self.frame
    }

    grid! {'s}
}

/// The rest of the frame's methods, and the frame as a resource, for what lives no longer than this handle.
impl<'m, P: Policy, U: MemoryResource> Deref for Scope<'_, 'm, P, U> {
    type Target = Frame<'m, P, U>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        self.frame
    }
}

impl<P: Policy, U: MemoryResource> fmt::Debug for Scope<'_, '_, P, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("frame", self.frame).finish()
    }
}

/// A scope that ends where it is dropped; see [`Frame::scope_guard`].
pub struct ScopeGuard<'g, 'm, P: Policy = Speed, U: MemoryResource = Fixed> {
    // Invariant GUARD: the frame, or the scope that it is a part of, is borrowed mutably for 'g; `marker` was made then.
    frame: &'g Frame<'m, P, U>,
    marker: Marker,
}

impl<'m, P: Policy, U: MemoryResource> Deref for ScopeGuard<'_, 'm, P, U> {
    type Target = Frame<'m, P, U>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        self.frame
    }
}

impl<P: Policy, U: MemoryResource> Drop for ScopeGuard<'_, '_, P, U> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY:
        // * the marker is the frame's, and nobody rewound to before it meanwhile: GUARD;
        // * what came after it was borrowed from this guard, or from a scope that is over.
        unsafe { self.frame.rewind_to(&self.marker) };
    }
}

impl<P: Policy, U: MemoryResource> fmt::Debug for ScopeGuard<'_, '_, P, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeGuard").field("frame", self.frame).finish_non_exhaustive()
    }
}
