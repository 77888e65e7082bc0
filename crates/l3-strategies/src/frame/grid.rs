//! The methods that make values, the same for a [`Frame`] and for a [`Scope`](super::Scope) of it, but for how long values live.

use stratalloc_resource::MemoryResource;

use super::Frame;
use super::policy::Policy;
use super::values::{AllocOrInitError, or_refuse};

/// Each method and its fallible twin from one entry: name, twin, generics, arguments, target, and the frame's method behind
/// it, which returns a pointer.
macro_rules! pairs {
    ($life:lifetime $(
        $(#[$doc:meta])*
        fn $name:ident / $try_name:ident [$($generics:tt)*] ($($argument:ident: $type:ty),*) -> $target:ty = $make:expr;
    )*) => { $(
        $(#[$doc])*
        ///
        /// # Panics
        ///
        #[doc = concat!("If there is no memory; [`", stringify!($try_name), "`](Self::", stringify!($try_name), ") returns that.")]
        #[inline(always)]
        #[track_caller]
        pub fn $name<$($generics)*>(&self, $($argument: $type),*) -> &$life mut $target {
            or_refuse(self.$try_name($($argument),*))
        }

        #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), "), which has an example; a failure is returned.")]
        ///
        /// # Errors
        ///
        /// The upstream's: [`AllocError::CapacityExhausted`](stratalloc_resource::AllocError::CapacityExhausted) where there is none;
        /// or `SizeOverflow`.
        #[inline(always)]
        #[allow(clippy::mut_from_ref, reason = "each call makes another value; not so for scopes")]
        pub fn $try_name<$($generics)*>(
            &self,
            $($argument: $type),*
        ) -> Result<&$life mut $target, stratalloc_resource::AllocError> {
            let mut made = ($make)(self.frame())?;
            // SAFETY:
            // * initialised and aligned: the frame's methods write what they return;
            // * exclusive: each call has a block of its own, Disjoint;
            // * until the frame is reset or rewound to before it, which the lifetime excludes.
            Ok(unsafe { made.as_mut() })
        }
    )* };
}

/// The whole grid, with values that live for `$life`.
macro_rules! grid {
    ($life:lifetime) => {
        $crate::frame::grid::pairs! { $life
            /// Moves `value` into the frame. It is not dropped; [`Arena`](crate::frame::Arena) drops.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// let point = frame.alloc((1.0, 2.0));
            /// point.0 = 5.0;
            /// assert_eq!(*point, (5.0, 2.0));
            /// ```
            fn alloc / try_alloc [T](value: T) -> T = |frame: &Frame<'m, P, U>| frame.place(|| value);

            /// Makes a value in the frame, after the room for it was found; large values are then not copied.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 5000];
            /// let frame: Frame = Frame::over(&mut memory);
            /// assert_eq!(frame.alloc_with(|| [7_u8; 4096])[4095], 7);
            /// ```
            fn alloc_with / try_alloc_with [T](make: impl FnOnce() -> T) -> T =
                |frame: &Frame<'m, P, U>| frame.place(make);

            /// Copies a slice into the frame.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// assert_eq!(frame.alloc_slice_copy(&[1, 2, 3]), [1, 2, 3]);
            /// ```
            fn alloc_slice_copy / try_alloc_slice_copy [T: Copy](values: &[T]) -> [T] =
                |frame: &Frame<'m, P, U>| frame.copy(values);

            /// Clones the values of a slice into the frame.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// use std::rc::Rc;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// let shared = [Rc::new(1), Rc::new(2)];
            /// assert!(Rc::ptr_eq(&shared[1], &frame.alloc_slice_clone(&shared)[1]));
            /// ```
            fn alloc_slice_clone / try_alloc_slice_clone [T: Clone](values: &[T]) -> [T] =
                |frame: &Frame<'m, P, U>| frame.fill(values.len(), |index| values[index].clone());

            /// Copies a string into the frame.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// assert_eq!(frame.alloc_str("grün"), "grün");
            /// ```
            fn alloc_str / try_alloc_str [](text: &str) -> str = |frame: &Frame<'m, P, U>| frame.text(text);

            /// Formats into the frame; the string ends where a value's own `fmt` fails.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// assert_eq!(frame.alloc_fmt(format_args!("{}×{:02x}", 3, 10)), "3×0a");
            /// ```
            fn alloc_fmt / try_alloc_fmt [](arguments: core::fmt::Arguments<'_>) -> str =
                |frame: &Frame<'m, P, U>| frame.format(arguments);

            /// A slice of `len` values, each made from its index.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// assert_eq!(frame.alloc_slice_fill_with(4, |index| index * index), [0, 1, 4, 9]);
            /// ```
            fn alloc_slice_fill_with / try_alloc_slice_fill_with [T](len: usize, make: impl FnMut(usize) -> T) -> [T] =
                |frame: &Frame<'m, P, U>| frame.fill(len, make);

            /// A slice of `len` copies.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// assert_eq!(frame.alloc_slice_fill_copy(3, 7), [7, 7, 7]);
            /// ```
            fn alloc_slice_fill_copy / try_alloc_slice_fill_copy [T: Copy](len: usize, value: T) -> [T] =
                |frame: &Frame<'m, P, U>| frame.fill(len, |_| value);

            /// A slice of `len` clones.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// assert_eq!(frame.alloc_slice_fill_clone(2, &Some(1)), [Some(1), Some(1)]);
            /// ```
            fn alloc_slice_fill_clone / try_alloc_slice_fill_clone [T: Clone](len: usize, value: &T) -> [T] =
                |frame: &Frame<'m, P, U>| frame.fill(len, |_| value.clone());

            /// A slice of `len` default values.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// assert_eq!(*frame.alloc_slice_fill_default::<u8>(3), [0, 0, 0]);
            /// ```
            fn alloc_slice_fill_default / try_alloc_slice_fill_default [T: Default](len: usize) -> [T] =
                |frame: &Frame<'m, P, U>| frame.fill(len, |_| T::default());

            /// A slice of all values of an iterator, whose length need not be known. In place, unless the iterator allocates in the
            /// same frame.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// assert_eq!(frame.alloc_slice_fill_iter((0..9_u8).filter(|n| n % 3 == 0)), [0, 3, 6]);
            /// assert_eq!(frame.used(), 3);
            /// ```
            fn alloc_slice_fill_iter / try_alloc_slice_fill_iter [T](values: impl IntoIterator<Item = T>) -> [T] =
                |frame: &Frame<'m, P, U>| frame.gather(values.into_iter());

            /// Bytes for `layout`, not initialised.
            ///
            /// ```
            /// # use stratalloc_strategies::frame::Frame;
            /// use core::alloc::Layout;
            /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
            /// let frame: Frame = Frame::over(&mut memory);
            /// let bytes = frame.alloc_layout(Layout::new::<[u16; 5]>());
            /// bytes[9].write(1);
            /// assert_eq!(bytes.len(), 10);
            /// ```
            fn alloc_layout / try_alloc_layout [](layout: core::alloc::Layout) -> [core::mem::MaybeUninit<u8>] =
                |frame: &Frame<'m, P, U>| {
                    let start = frame.obtain(layout)?.cast();
                    Ok(core::ptr::NonNull::slice_from_raw_parts(start, layout.size()))
                };
        }

        /// A slice of `len` copies that begins at a multiple of `ALIGN` bytes (16, 32 or 64 for vector instructions) and has
        /// room up to the next one: a loop over whole vectors may read there.
        ///
        /// ```
        /// # use stratalloc_strategies::frame::Frame;
        /// let mut memory = [core::mem::MaybeUninit::uninit(); 256];
        /// let frame: Frame = Frame::over(&mut memory);
        /// let lanes = frame.alloc_simd::<32, f32>(10, 0.5);
        /// assert_eq!((lanes.as_ptr().addr() % 32, lanes.len()), (0, 10));
        /// ```
        /// ```compile_fail
        /// # use stratalloc_strategies::frame::Frame;
        /// # let mut memory = [core::mem::MaybeUninit::uninit(); 256];
        /// # let frame: Frame = Frame::over(&mut memory);
        /// frame.alloc_simd::<24, f32>(10, 0.5); // an alignment is a power of two
        /// ```
        ///
        /// # Panics
        ///
        /// If there is no memory; [`try_alloc_simd`](Self::try_alloc_simd) returns that.
        #[inline(always)]
        #[track_caller]
        pub fn alloc_simd<const ALIGN: usize, T: Copy>(&self, len: usize, value: T) -> &$life mut [T] {
            or_refuse(self.try_alloc_simd::<ALIGN, T>(len, value))
        }

        /// As [`alloc_simd`](Self::alloc_simd), which has an example; a failure is returned.
        ///
        /// # Errors
        ///
        /// As for the other methods of the grid.
        #[inline(always)]
        #[allow(clippy::mut_from_ref, reason = "each call makes another value; not so for scopes")]
        pub fn try_alloc_simd<const ALIGN: usize, T: Copy>(
            &self,
            len: usize,
            value: T,
        ) -> Result<&$life mut [T], stratalloc_resource::AllocError> {
            let mut made = self.frame().vectors::<ALIGN, T>(len, value)?;
            // SAFETY: as for the other methods of the grid.
            Ok(unsafe { made.as_mut() })
        }

        /// Makes a value that may fail; the room is then free again.
        ///
        /// ```
        /// # use stratalloc_strategies::frame::Frame;
        /// let mut memory = [core::mem::MaybeUninit::uninit(); 64];
        /// let frame: Frame = Frame::over(&mut memory);
        /// assert_eq!(*frame.alloc_try_with(|| "12".parse::<u32>())?, 12);
        /// let used = frame.used();
        /// assert!(frame.alloc_try_with(|| "x".parse::<u32>()).is_err());
        /// assert_eq!(frame.used(), used);
        /// # Ok::<(), core::num::ParseIntError>(())
        /// ```
        ///
        /// # Errors
        ///
        /// What `make` returned.
        ///
        /// # Panics
        ///
        /// If there is no memory; [`try_alloc_try_with`](Self::try_alloc_try_with) returns that.
        #[inline(always)]
        #[track_caller]
        pub fn alloc_try_with<T, E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&$life mut T, E> {
            match self.try_alloc_try_with(make) {
                Ok(value) => Ok(value),
                Err(AllocOrInitError::Init(error)) => Err(error),
                Err(AllocOrInitError::Alloc(error)) => or_refuse(Err(error)),
            }
        }

        /// As [`alloc_try_with`](Self::alloc_try_with); both failures are returned, see [`AllocOrInitError`].
        ///
        /// # Errors
        ///
        /// What `make` returned, or why it was not called.
        #[inline(always)]
        #[allow(clippy::mut_from_ref, reason = "each call makes another value; not so for scopes")]
        pub fn try_alloc_try_with<T, E>(
            &self,
            make: impl FnOnce() -> Result<T, E>,
        ) -> Result<&$life mut T, AllocOrInitError<E>> {
            let mut made = self.frame().try_place(make)?;
            // SAFETY: as for the other methods of the grid.
            Ok(unsafe { made.as_mut() })
        }
    };
}

pub(super) use {grid, pairs};

impl<'m, P: Policy, U: MemoryResource> Frame<'m, P, U> {
    const fn frame(&self) -> &Self {
        self
    }

    grid! {'_}
}
