//! [`Alignment`]: a power of two by construction, one byte wide.

use crate::units;
use core::alloc::Layout;
use core::fmt;

/// A power of two, 1 ..= 2^(usize::BITS − 1).
///
/// Holds the exponent, so that it takes one byte in records and none of its methods can fail.
// Invariant ALIGN: `log2 < usize::BITS`. Every constructor takes the exponent of an existing `usize`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Alignment {
    log2: u8,
}

impl Alignment {
    /// One byte: every address is aligned.
    pub const ONE: Self = Self { log2: 0 };
    /// What `malloc` promises for every block: 16 bytes on 64-bit targets, 8 on 32-bit ones.
    pub const MALLOC: Self = Self::constant::<{ 2 * size_of::<usize>() }>();

    /// The alignment of `bytes`, or `None` if that is no power of two.
    #[inline(always)]
    #[must_use]
    pub const fn new(bytes: usize) -> Option<Self> {
        if bytes.is_power_of_two() { Some(Self::of_power(bytes)) } else { None }
    }

    /// The alignment of a constant; one that is no power of two does not compile.
    ///
    /// ```compile_fail
    /// let _ = stratalloc_primitives::Alignment::constant::<24>();
    /// ```
    #[inline(always)]
    #[must_use]
    pub const fn constant<const BYTES: usize>() -> Self {
        const { assert!(BYTES.is_power_of_two(), "an alignment is a power of two") };
        Self::of_power(BYTES)
    }

    /// The alignment that `layout` asks for.
    #[inline(always)]
    #[must_use]
    pub const fn from_layout(layout: Layout) -> Self {
        Self::of_power(layout.align())
    }

    /// The alignment of the type `T`.
    #[inline(always)]
    #[must_use]
    pub const fn of<T>() -> Self {
        Self::of_power(align_of::<T>())
    }

    /// The largest alignment that `address` happens to have (the largest of all for address 0).
    #[inline(always)]
    #[must_use]
    pub const fn of_address(address: usize) -> Self {
        Self::of_power(if address == 0 { 1 << (usize::BITS - 1) } else { address })
    }

    // Keeps the lowest one of `bytes`, which is not 0 (ALIGN); in all callers but `of_address` it is the only
    // one.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the bits of a `usize` are counted by a byte")]
    const fn of_power(bytes: usize) -> Self {
        Self { log2: bytes.trailing_zeros() as u8 }
    }

    /// The alignment in bytes.
    #[inline(always)]
    #[must_use]
    pub const fn bytes(self) -> usize {
        // ALIGN: nothing wraps; written so because it is also panic-free in debug builds.
        1usize.wrapping_shl(self.log2())
    }

    /// The exponent: `bytes() == 1 << log2()`.
    #[inline(always)]
    #[must_use]
    pub const fn log2(self) -> u32 {
        self.log2 as u32
    }

    /// `bytes() − 1`: the low bits that are zero in an aligned address.
    #[inline(always)]
    #[must_use]
    pub const fn mask(self) -> usize {
        self.bytes() - 1
    }

    /// [`units::align_up`] to this alignment.
    #[inline(always)]
    #[must_use]
    pub const fn align_up(self, n: usize) -> Option<usize> {
        units::align_up(n, self.bytes())
    }

    /// [`units::align_down`] to this alignment.
    #[inline(always)]
    #[must_use]
    pub const fn align_down(self, n: usize) -> usize {
        units::align_down(n, self.bytes())
    }

    /// Whether `n` (a size or an address) is a multiple of this alignment.
    #[inline(always)]
    #[must_use]
    pub const fn is_aligned(self, n: usize) -> bool {
        n & self.mask() == 0
    }
}

impl fmt::Debug for Alignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alignment({})", self.bytes())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn accepts_exactly_the_powers_of_two() {
        for bytes in 0..=4096usize {
            assert_eq!(Alignment::new(bytes).is_some(), bytes.is_power_of_two(), "{bytes}");
        }
        assert_eq!(Alignment::new(usize::MAX), None);
    }

    #[test]
    fn every_power_of_two_comes_back() {
        for log2 in 0..usize::BITS {
            let alignment = Alignment::new(1 << log2).unwrap();
            assert_eq!((alignment.bytes(), alignment.log2()), (1 << log2, log2));
            assert_eq!(alignment.mask(), (1 << log2) - 1);
        }
    }

    #[test]
    fn orders_by_strictness_and_takes_one_byte() {
        assert!(Alignment::ONE < Alignment::MALLOC);
        assert_eq!(size_of::<Alignment>(), 1);
    }

    #[test]
    fn comes_from_layouts_types_and_addresses() {
        let layout = Layout::from_size_align(10, 64).unwrap();
        assert_eq!(Alignment::from_layout(layout).bytes(), 64);
        assert_eq!(Alignment::of::<u16>().bytes(), 2);
        assert_eq!(Alignment::of_address(0x1230).bytes(), 16);
        assert_eq!(Alignment::of_address(0).log2(), usize::BITS - 1);
    }
}
