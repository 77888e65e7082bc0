//! [`Line`]: what threads write often, away from what they read.

use core::fmt;
use core::ops::Deref;

/// A value on cache lines that hold nothing else: who writes to it takes no other value from anybody's cache.
#[repr(align(64))]
pub(crate) struct Line<T>(pub(crate) T);

impl<T> Deref for Line<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Line<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
