//! What can go wrong, as values.

use core::fmt;

use stratalloc_platform::vm::OsError;
use stratalloc_resource::AllocError;

/// Why there is no stack. See [`FiberStacks::get`](super::FiberStacks::get) for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FiberStacksError {
    /// The configuration has no class or more than eight, a class without stacks or not above the one before, or does not fit
    /// an address space.
    BadConfig,
    /// No class has stacks of that size.
    TooLarge,
    /// All stacks of the class are live, or wait in the caches of threads.
    Exhausted,
    /// The configuration asks for guards by markers, and this system has none.
    NoMarkers,
    /// The operating system refused: memory, address space or, with guards by mappings, their number has run out
    /// (`vm.max_map_count`; each stack that was ever used takes two).
    System(OsError),
}

impl fmt::Display for FiberStacksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadConfig => f.write_str("these classes of fiber stacks cannot be made"),
            Self::TooLarge => f.write_str("no class of fiber stacks is large enough"),
            Self::Exhausted => f.write_str("all fiber stacks of the class are in use"),
            Self::NoMarkers => f.write_str("this system has no guard markers (Linux 6.13)"),
            Self::System(error) if error.is_out_of_memory() => {
                write!(f, "{error}, or too many mappings (vm.max_map_count)")
            }
            Self::System(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for FiberStacksError {}

impl FiberStacksError {
    /// What the contract of resources says in its place. (No `From`: the compiler would no longer know what `?` means elsewhere.)
    pub(super) const fn as_alloc_error(self) -> AllocError {
        match self {
            Self::Exhausted => AllocError::CapacityExhausted,
            Self::System(_) => AllocError::OutOfMemory,
            Self::BadConfig | Self::TooLarge | Self::NoMarkers => AllocError::Unsupported,
        }
    }
}

/// Why a stack is not taken back. The stacks are as they were. See [`FiberStacks::put_at`](super::FiberStacks::put_at) for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReturnError {
    /// It is not one of these stacks.
    Foreign,
    /// The address lies among these stacks, but no stack ends there.
    NotAStack,
    /// The stack is not live: it was returned before, or never handed out.
    NotLive,
}

impl fmt::Display for ReturnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "the stack is not one of these fiber stacks",
            Self::NotAStack => "no fiber stack ends at that address",
            Self::NotLive => "the fiber stack is returned, but not live",
        })
    }
}

impl core::error::Error for ReturnError {}
