//! Failures as numbers.

use core::ffi::CStr;

use crate::{AllocError, MemoryTag};

/// What a function of the table answers: 0, or why not.
///
/// The low eight bits are the kind; above them stands the tag of [`OVER_BUDGET`](Self::OVER_BUDGET). A number and no enumeration:
/// what comes from elsewhere may be one that this version does not know.
///
/// ```
/// use stratalloc_resource::abi::ErrorCode;
/// use stratalloc_resource::{AllocError, MemoryTag};
///
/// let refused = ErrorCode::from(AllocError::OverBudget(MemoryTag::new(7)));
/// assert_eq!((refused.kind(), refused.get()), (ErrorCode::OVER_BUDGET, 4 + 7 * 256));
/// assert_eq!(refused.alloc_error(), Some(AllocError::OverBudget(MemoryTag::new(7))));
/// assert_eq!(refused.text(), c"the tag is over its budget");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct ErrorCode(i32);

/// Names the codes, their numbers and their sentences, once.
macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        impl ErrorCode {
            $(
                #[doc = concat!("`", stringify!($number), "`: ", $text, ".")]
                pub const $name: Self = Self($number);
            )*

            /// All kinds, with the names that the header gives them after `STRATALLOC_`.
            pub const ALL: &[(&str, Self)] = &[$((stringify!($name), Self::$name)),*];

            /// A sentence for people, in English, without the tag.
            #[must_use]
            pub const fn text(self) -> &'static CStr {
                match self.kind().0 {
                    $($number => const {
                        match CStr::from_bytes_with_nul(concat!($text, "\0").as_bytes()) {
                            Ok(text) => text,
                            Err(_) => c"",
                        }
                    },)*
                    _ => c"an error that this version does not know",
                }
            }
        }
    };
}

codes! {
    OK = 0, "no error";
    OUT_OF_MEMORY = 1, "out of memory";
    SIZE_OVERFLOW = 2, "the size does not fit an address space";
    BAD_ALIGNMENT = 3, "the alignment is no power of two, or larger than the resource supports";
    OVER_BUDGET = 4, "the tag is over its budget";
    CAPACITY_EXHAUSTED = 5, "the fixed capacity is exhausted";
    NOT_OWNED = 6, "the block belongs to another resource";
    UNSUPPORTED = 7, "the resource does not serve such requests";
    INVALID_ARGUMENT = 16, "an argument is null or out of its range";
    BAD_VERSION = 17, "the table or structure is of a version that is not known";
    WRONG_KIND = 18, "the resource is of another kind";
    BROKEN_INVARIANT = 19, "the resource's own state is broken";
    FOREIGN_BLOCK = 32, "the block came from elsewhere";
    DOUBLE_RELEASE = 33, "the block is not live: it was released before, or never handed out";
    INTERIOR_POINTER = 34, "no block starts there: the pointer leads into one";
    WRONG_SIZE = 35, "the block never had this length";
    WRONG_ALIGNMENT = 36, "the block was requested with another alignment";
    OUT_OF_ORDER = 37, "a younger block is still live";
    STALE_MARKER = 38, "the marker is of another resource, or of memory that was given up since";
    OVERWRITTEN = 39, "bytes beside the block, or of a released one, were overwritten";
}

impl ErrorCode {
    /// The code with this number.
    #[must_use]
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number. See [`ErrorCode`] for an example.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The code without a tag, as the constants are. See [`ErrorCode`] for an example.
    #[must_use]
    pub const fn kind(self) -> Self {
        Self(self.0 & 0xFF)
    }

    /// The failure; `None` for [`OK`](Self::OK). A misuse, and whatever is not known here, is a refusal in Rust's terms:
    /// [`NotOwned`](AllocError::NotOwned) or [`Unsupported`](AllocError::Unsupported). See [`ErrorCode`] for an example.
    #[must_use]
    pub const fn alloc_error(self) -> Option<AllocError> {
        Some(match self.kind() {
            Self::OK => return None,
            Self::OUT_OF_MEMORY => AllocError::OutOfMemory,
            Self::SIZE_OVERFLOW => AllocError::SizeOverflow,
            Self::BAD_ALIGNMENT => AllocError::BadAlignment,
            #[expect(clippy::cast_possible_truncation, reason = "a tag has 16 bits; the rest is not ours")]
            Self::OVER_BUDGET => AllocError::OverBudget(MemoryTag::new((self.0 >> 8) as u16)),
            Self::CAPACITY_EXHAUSTED => AllocError::CapacityExhausted,
            Self(6 | 32..=39) => AllocError::NotOwned,
            _ => AllocError::Unsupported,
        })
    }
}

impl From<AllocError> for ErrorCode {
    fn from(error: AllocError) -> Self {
        match error {
            AllocError::OutOfMemory => Self::OUT_OF_MEMORY,
            AllocError::SizeOverflow => Self::SIZE_OVERFLOW,
            AllocError::BadAlignment => Self::BAD_ALIGNMENT,
            AllocError::OverBudget(tag) => Self(Self::OVER_BUDGET.0 | i32::from(tag.number()) << 8),
            AllocError::CapacityExhausted => Self::CAPACITY_EXHAUSTED,
            AllocError::NotOwned => Self::NOT_OWNED,
            AllocError::Unsupported => Self::UNSUPPORTED,
        }
    }
}

impl From<Result<(), ErrorCode>> for ErrorCode {
    fn from(outcome: Result<(), Self>) -> Self {
        outcome.err().unwrap_or(Self::OK)
    }
}
