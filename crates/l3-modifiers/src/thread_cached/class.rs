//! Size classes: which blocks are interchangeable in a cache.
//!
//! ```text
//!   16 32 48 64 80 96 112 128 │ 160 192 224 256 │ 320 384 448 512 │ … 4096       steps of 16, then four to a doubling
//! ```
//!
//! A request is rounded up to its class: at most 15 bytes are lost up to 128, and less than a quarter of the request above, since a class is at
//! most 5/4 of the one before.

/// How many there are.
pub(super) const CLASSES: usize = LINEAR + 4 * DOUBLINGS;
/// The length of the largest.
pub(super) const LARGEST: usize = (STEP * LINEAR) << DOUBLINGS;
const STEP: usize = 16;
const LINEAR: usize = 8;
const DOUBLINGS: usize = 5;

/// The smallest class whose blocks have `size` bytes. `size` is at most [`LARGEST`].
#[inline]
pub(super) const fn class_of(size: usize) -> usize {
    if size <= STEP * LINEAR {
        return size.saturating_sub(1) / STEP;
    }
    // In doubling d, 128·2^d < size ≤ 128·2^(d+1), the last byte's number has its highest bit at 7 + d, and the next two bits are the quarter.
    let last = size - 1;
    let doubling = last.ilog2() - 7;
    LINEAR + 4 * doubling as usize + (last >> (doubling + 5)) - 4
}

/// The length of a class's blocks.
#[inline]
pub(super) const fn length(class: usize) -> usize {
    if class < LINEAR {
        return (class + 1) * STEP;
    }
    let (doubling, quarter) = ((class - LINEAR) / 4, (class - LINEAR) % 4);
    (quarter + 5) << (5 + doubling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gets_the_smallest_class_that_holds_it() {
        for size in (0..=LARGEST).step_by(if cfg!(miri) { 31 } else { 1 }) {
            let class = class_of(size);
            assert!(class < CLASSES && size <= length(class), "{size}");
            assert!(class == 0 || length(class - 1) < size, "{size} fits in {}", length(class - 1));
            let lost = length(class) - size;
            assert!(lost < STEP || size <= 128 && lost <= STEP || 4 * lost < size, "{size} loses {lost}");
        }
    }

    #[test]
    fn lengths_ascend_in_steps_of_sixteen_to_the_largest() {
        for class in 1..CLASSES {
            assert!(length(class) > length(class - 1) && length(class).is_multiple_of(STEP));
        }
        assert_eq!(length(CLASSES - 1), LARGEST);
    }
}
