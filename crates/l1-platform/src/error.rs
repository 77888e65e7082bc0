//! What the operating system says when it refuses.

use core::fmt;
use core::num::NonZero;

/// An error number of the operating system (on Linux: the `errno` value, which itself is left alone; on Windows: a number of
/// `GetLastError`, where several that mean the same have become one).
///
/// A `Result<(), OsError>` is as small as the number. Upper layers ask by meaning ([`is_out_of_memory`],
/// [`is_occupied`], [`is_unsupported`]), not by number, so that they read the same on every system.
///
/// [`is_out_of_memory`]: OsError::is_out_of_memory
/// [`is_occupied`]: OsError::is_occupied
/// [`is_unsupported`]: OsError::is_unsupported
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OsError(NonZero<i32>);

/// `EPERM`, `ENOMEM`, `EEXIST`, `EINVAL`, `ENOSYS`.
#[cfg(not(windows))]
mod number {
    pub(super) const NOT_PERMITTED: i32 = 1;
    pub(super) const OUT_OF_MEMORY: i32 = 12;
    pub(super) const OCCUPIED: i32 = 17;
    pub(super) const INVALID: i32 = 22;
    pub(super) const UNSUPPORTED: i32 = 38;
}

/// `ERROR_ACCESS_DENIED`, `ERROR_NOT_ENOUGH_MEMORY`, `ERROR_ALREADY_EXISTS`, `ERROR_INVALID_PARAMETER`, `ERROR_NOT_SUPPORTED`.
#[cfg(windows)]
mod number {
    pub(super) const NOT_PERMITTED: i32 = 5;
    pub(super) const OUT_OF_MEMORY: i32 = 8;
    pub(super) const OCCUPIED: i32 = 183;
    pub(super) const INVALID: i32 = 87;
    pub(super) const UNSUPPORTED: i32 = 50;
}

/// Its own constant because the constructor falls back on it.
const INVALID: NonZero<i32> = NonZero::new(number::INVALID).unwrap();

impl OsError {
    /// This process may not ask for it (`EPERM`): a filter of system calls, as containers have, for instance.
    pub const NOT_PERMITTED: Self = Self::new(number::NOT_PERMITTED);
    /// No memory, address space or mapping left (`ENOMEM`).
    pub const OUT_OF_MEMORY: Self = Self::new(number::OUT_OF_MEMORY);
    /// The range is mapped already (`EEXIST`).
    pub const OCCUPIED: Self = Self::new(number::OCCUPIED);
    /// The system does not accept these arguments, or does not know the request (`EINVAL`).
    pub const INVALID: Self = Self(INVALID);
    /// The system does not have this call (`ENOSYS`).
    pub const UNSUPPORTED: Self = Self::new(number::UNSUPPORTED);

    /// The error with this number; zero, which is no error, becomes [`INVALID`](Self::INVALID).
    const fn new(code: i32) -> Self {
        match NonZero::new(code) {
            Some(code) => Self(code),
            None => Self(INVALID),
        }
    }

    /// From Linux' negated answer, which lies in `1..=4095`.
    #[cfg(any(test, not(windows)))]
    pub(crate) fn from_kernel(code: usize) -> Self {
        Self::new(i32::try_from(code).unwrap_or(0))
    }

    /// From what Windows says: the numbers for one meaning become that meaning's.
    #[cfg(windows)]
    pub(crate) fn from_windows(code: u32) -> Self {
        match code {
            // Also: a privilege is not held.
            5 | 1314 => Self::NOT_PERMITTED,
            // Memory, system resources, quota of the working set, commitment (limit, or page file too small), any quota.
            8 | 14 | 1450 | 1453 | 1455 | 1816 => Self::OUT_OF_MEMORY,
            // Files.
            80 | 183 => Self::OCCUPIED,
            // No such function, or not on this system.
            1 | 50 | 120 => Self::UNSUPPORTED,
            _ => Self::new(i32::try_from(code).unwrap_or(0)),
        }
    }

    /// The number, as the operating system counts.
    #[must_use]
    pub const fn code(self) -> i32 {
        self.0.get()
    }

    /// Memory, address space or mappings have run out: releasing some may help.
    #[must_use]
    pub fn is_out_of_memory(self) -> bool {
        self == Self::OUT_OF_MEMORY
    }

    /// Something lies at that address already.
    #[must_use]
    pub fn is_occupied(self) -> bool {
        self == Self::OCCUPIED
    }

    /// This system will not do it, now or later: do not ask again.
    #[must_use]
    pub fn is_unsupported(self) -> bool {
        self == Self::UNSUPPORTED || self == Self::INVALID
    }
}

impl fmt::Debug for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OsError({self})")
    }
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::NOT_PERMITTED => "not permitted",
            Self::OUT_OF_MEMORY => "out of memory or address space",
            Self::OCCUPIED => "address range occupied",
            Self::INVALID => "invalid or unknown request",
            Self::UNSUPPORTED => "not supported by this system",
            _ => "refused by the operating system",
        };
        write!(f, "{name} (error {})", self.code())
    }
}

impl core::error::Error for OsError {}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use super::*;

    #[test]
    fn each_meaning_has_its_sentence_and_shows_its_number() {
        let meanings = [
            (OsError::NOT_PERMITTED, "not permitted"),
            (OsError::OUT_OF_MEMORY, "out of memory or address space"),
            (OsError::OCCUPIED, "address range occupied"),
            (OsError::INVALID, "invalid or unknown request"),
            (OsError::UNSUPPORTED, "not supported by this system"),
            (OsError::from_kernel(4000), "refused by the operating system"),
        ];
        for (error, sentence) in meanings {
            assert_eq!(alloc::format!("{error}"), alloc::format!("{sentence} (error {})", error.code()));
        }
    }

    #[cfg(windows)]
    #[test]
    fn numbers_that_say_the_same_become_one() {
        const COMMITMENT_LIMIT: u32 = 1455;
        const SHARING_VIOLATION: u32 = 32;
        assert_eq!(OsError::from_windows(COMMITMENT_LIMIT), OsError::OUT_OF_MEMORY);
        assert_eq!(OsError::from_windows(87), OsError::INVALID);
        assert_eq!(OsError::from_windows(SHARING_VIOLATION).code(), 32);
        assert_eq!(OsError::from_windows(0), OsError::INVALID, "no error is a mistake");
    }
}
