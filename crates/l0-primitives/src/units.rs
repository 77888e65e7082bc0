//! Byte counts: binary units and rounding to a power of two.
//!
//! Rounding up can leave the address space, so it is checked and returns `None` there. A request of nearly
//! `usize::MAX` bytes then fails as "out of memory" instead of wrapping to a small block.

/// 2¹⁰ bytes.
pub const KIB: usize = 1 << 10;
/// 2²⁰ bytes.
pub const MIB: usize = 1 << 20;
/// 2³⁰ bytes.
pub const GIB: usize = 1 << 30;

/// The smallest multiple of `align` that is at least `n`, or `None` if it does not fit a `usize`.
///
/// `align` must be a power of two; take an [`Alignment`](crate::Alignment) where that is not evident.
#[inline(always)]
#[must_use]
pub const fn align_up(n: usize, align: usize) -> Option<usize> {
    debug_assert!(align.is_power_of_two());
    let mask = align.wrapping_sub(1);
    match n.checked_add(mask) {
        Some(sum) => Some(sum & !mask),
        None => None,
    }
}

/// The largest multiple of `align` that is at most `n`. `align` must be a power of two.
#[inline(always)]
#[must_use]
pub const fn align_down(n: usize, align: usize) -> usize {
    debug_assert!(align.is_power_of_two());
    n & !align.wrapping_sub(1)
}

/// Whether `n` is a multiple of `align`. `align` must be a power of two.
#[inline(always)]
#[must_use]
pub const fn is_aligned(n: usize, align: usize) -> bool {
    debug_assert!(align.is_power_of_two());
    n & align.wrapping_sub(1) == 0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn rounding_agrees_with_division() {
        for align in [1usize, 2, 8, 16, 64] {
            for n in 0..300usize {
                assert_eq!(align_up(n, align), Some(n.div_ceil(align) * align));
                assert_eq!(align_down(n, align), n / align * align);
                assert_eq!(is_aligned(n, align), n % align == 0);
            }
        }
    }

    #[test]
    fn rounding_up_is_refused_only_when_the_result_does_not_fit() {
        assert_eq!(align_up(usize::MAX, 1), Some(usize::MAX));
        assert_eq!(align_up(usize::MAX, 2), None);
        assert_eq!(align_up(usize::MAX - 4094, 4096), None);
        assert_eq!(align_up(usize::MAX - 4095, 4096), Some(usize::MAX - 4095));
        let top = 1usize << (usize::BITS - 1);
        assert_eq!(align_up(top, top), Some(top));
        assert_eq!(align_up(top + 1, top), None);
    }
}
