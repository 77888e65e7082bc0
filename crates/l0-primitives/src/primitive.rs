//! Atomics, cells and the spin hint: from `core` normally, from loom under `cfg(loom)`.
//!
//! This is the only file of the project that chooses. Every lock-free structure, here and in the layers
//! above, imports from here, so that the loom models check the code that ships and not a copy of it.
//!
//! Two differences remain visible:
//!
//! * loom's constructors are not `const`. [`const_unless_loom!`](crate::const_unless_loom) writes a
//!   constructor once for both; a `static` that holds an atomic is gated with `cfg(not(loom))`.
//! * Bare-metal targets such as thumbv7m have no 64-bit atomics. `AtomicU64`, and whatever needs it, exists
//!   under `cfg(target_has_atomic = "64")` only (32-bit x86 has it).

/// Atomic integers and pointers, memory orderings and fences.
#[cfg(not(loom))]
pub mod atomic {
    #[cfg(target_has_atomic = "64")]
    pub use core::sync::atomic::AtomicU64;
    pub use core::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicUsize, Ordering, fence,
    };
}

/// Atomic integers and pointers, memory orderings and fences (loom's).
#[cfg(loom)]
pub mod atomic {
    pub use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

/// What to do while another thread finishes.
pub mod hint {
    /// Tells the processor (or loom's scheduler) that this thread waits for another one.
    #[inline(always)]
    pub fn spin_loop() {
        #[cfg(not(loom))]
        core::hint::spin_loop();
        #[cfg(loom)]
        loom::hint::spin_loop();
    }
}

/// A cell whose accesses loom can see.
pub mod cell {
    /// `core::cell::UnsafeCell` with loom's interface: access happens inside a closure, so that loom knows
    /// when it begins and ends and reports two threads that meet in it.
    #[cfg(not(loom))]
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

    #[cfg(not(loom))]
    impl<T> UnsafeCell<T> {
        /// Wraps `value`.
        #[inline(always)]
        pub const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        /// Unwraps the value.
        #[inline(always)]
        pub fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    #[cfg(not(loom))]
    impl<T: ?Sized> UnsafeCell<T> {
        /// Calls `f` with a pointer to read through. Dereferencing it is the caller's `unsafe`.
        #[inline(always)]
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Calls `f` with a pointer to write through. Dereferencing it is the caller's `unsafe`.
        #[inline(always)]
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }

    #[cfg(loom)]
    pub use loom::cell::UnsafeCell;
}

/// Writes a constructor that is `const` everywhere but under loom, whose atomics register themselves at run
/// time.
///
/// ```
/// use stratalloc_primitives::{const_unless_loom, primitive::atomic::AtomicU32};
/// struct Counter(AtomicU32);
/// impl Counter {
///     const_unless_loom! {
///         /// Starts at zero.
///         fn new() -> Self { Self(AtomicU32::new(0)) }
///     }
/// }
/// # let _ = Counter::new();
/// ```
#[macro_export]
macro_rules! const_unless_loom {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($arguments:tt)*) -> $result:ty $body:block) => {
        $(#[$attribute])*
        #[cfg(not(loom))]
        $visibility const fn $name($($arguments)*) -> $result $body

        $(#[$attribute])*
        #[cfg(loom)]
        $visibility fn $name($($arguments)*) -> $result $body
    };
}
