//! What the operating system says when it refuses.

use core::fmt;
use core::num::NonZero;

/// An error number of the operating system (on Linux: the `errno` value, which itself is left alone).
///
/// A `Result<(), OsError>` is as small as the number. Upper layers ask by meaning ([`is_out_of_memory`],
/// [`is_occupied`], [`is_unsupported`]), not by number, so that they read the same on every system.
///
/// [`is_out_of_memory`]: OsError::is_out_of_memory
/// [`is_occupied`]: OsError::is_occupied
/// [`is_unsupported`]: OsError::is_unsupported
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OsError(NonZero<i32>);

/// Its own constant because the constructor falls back on it.
const EINVAL: NonZero<i32> = NonZero::new(22).unwrap();

impl OsError {
    /// This process may not ask for it (`EPERM`): a filter of system calls, as containers have, for instance.
    pub const NOT_PERMITTED: Self = Self::new(1);
    /// No memory, address space or mapping left (`ENOMEM`).
    pub const OUT_OF_MEMORY: Self = Self::new(12);
    /// The range is mapped already (`EEXIST`).
    pub const OCCUPIED: Self = Self::new(17);
    /// The system does not accept these arguments, or does not know the request (`EINVAL`).
    pub const INVALID: Self = Self(EINVAL);
    /// The system does not have this call (`ENOSYS`).
    pub const UNSUPPORTED: Self = Self::new(38);

    /// The error with this number; zero, which is no error, becomes [`INVALID`](Self::INVALID).
    const fn new(code: i32) -> Self {
        match NonZero::new(code) {
            Some(code) => Self(code),
            None => Self(EINVAL),
        }
    }

    /// From the kernel's negated answer, which lies in `1..=4095`.
    pub(crate) fn from_kernel(code: usize) -> Self {
        Self::new(i32::try_from(code).unwrap_or(0))
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
