//! Size classes of the slabs: 16-byte steps, then the largest blocks of which a number fit a slab, then four per doubling.
//!
//! | requests up to | classes | waste of a block below |
//! | --- | --- | --- |
//! | 1 KiB | every 16 bytes | 16 bytes |
//! | 4 KiB | 16 KiB / 15, / 14, … / 4, down to whole cache lines | 1/18 to 1/4 |
//! | 32 KiB | 4 per doubling | 1/5 |
//!
//! Derivation. Requests up to [`FINE_MAX`] round up to a multiple of 16, so the class is `(size + 15) / 16` and costs no table. Between 1
//! and 4 KiB a slab of 16 KiB holds 4 to 15 blocks, and with evenly spaced classes up to a fifth would be left at its end; so there
//! a class is the largest block of whole cache lines (64 bytes) of which `n` fit. Above, each doubling `(2^k, 2^(k+1)]` is cut into four equal steps: a request just
//! above a step wastes less than one step, that is less than 1/5 of the block. (Linear, then a few classes per doubling:
//! Kingsley's and Lea's successors, described in Wilson et al., "Dynamic Storage Allocation", 1995.)
//!
//! A class whose size is a multiple of `a` (a power of two up to 32 KiB) aligns every block to `a`, because slabs are aligned to
//! their size and blocks start at the slab's base.

use crate::layout::{SLAB_MAX, SLICE, WIDE, narrow};

/// Requests up to this size (bytes) find their class by division alone.
pub(crate) const FINE_MAX: usize = 1024;
/// Step of the fine classes, and of the table that maps larger requests to theirs; every class is a multiple of it.
const STEP: usize = 16;
/// What classes of requests above [`FINE_MAX`] are multiples of: a cache line's alignment costs nothing there.
const LINE: usize = 64;
const FINE_CLASSES: usize = FINE_MAX / STEP;
/// Classes up to this size (bytes) have narrow slabs, the others wide ones: few slabs stay sparse when little of a size is left, and
/// little is lost at a slab's end (docs/experiments).
const NARROW_MAX: usize = 4096;
/// Classes, class 0 included: it stays empty, so that a request of 0 bytes reaches the slow path.
pub(crate) const CLASSES: usize = 1 + FINE_CLASSES + 12 + 3 * 4;
/// Length of per-class arrays: a power of two, so that a class taken modulo it is in range and costs no test.
pub(crate) const BINS: usize = 128;

/// Static facts of one class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    /// Block size in bytes.
    pub(crate) size: u32,
    /// Blocks in a slab.
    pub(crate) capacity: u16,
    /// Blocks that must come home before a full slab is looked at again.
    pub(crate) wake: u8,
    /// Slices of a slab.
    pub(crate) slices: u8,
    /// The class that serves the first requests of this one: of four classes per doubling the next larger, so less than a quarter more
    /// and aligned as well. It may be this class itself.
    pub(crate) shares: u8,
}

/// Requests of a class that share the slabs of a larger one before the class gets a slab of its own.
pub(crate) const SHARED: u8 = 8;

/// Facts of every class, by class number.
static TABLE: [Class; BINS] = table();
/// Classes of requests above [`FINE_MAX`].
static COARSE: [u8; (SLAB_MAX - FINE_MAX) / STEP] = coarse();

/// Size of the class above one of `size` bytes.
const fn next_size(size: usize) -> usize {
    if size < FINE_MAX {
        size + STEP
    } else if size < NARROW_MAX {
        SLICE / (SLICE / size - 1) / LINE * LINE
    } else {
        size + (1 << size.ilog2()) / 4
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a slab holds at most 1024 blocks")]
const fn table() -> [Class; BINS] {
    let mut t = [Class { size: 0, capacity: 0, wake: 0, slices: 1, shares: 0 }; BINS];
    let mut class = 1;
    let mut size = 0;
    while class < CLASSES {
        size = next_size(size);
        let slices = if size <= NARROW_MAX { 1 } else { WIDE };
        let capacity = slices as usize * SLICE / size;
        // A sixteenth of the slab, at most 16 blocks: waking earlier costs time, later costs memory (docs/experiments).
        let mut wake = capacity / 16;
        if wake > 16 {
            wake = 16;
        }
        if wake < 2 && capacity >= 8 {
            wake = 2;
        }
        if wake < 1 {
            wake = 1;
        }
        let step = if size <= 64 || size > FINE_MAX { STEP } else { (1 << (size - 1).ilog2()) / 4 };
        let shares = if size > FINE_MAX { class } else { size.div_ceil(step) * step / STEP };
        t[class] = Class {
            size: narrow(size),
            capacity: capacity as u16,
            wake: wake as u8,
            slices: slices as u8,
            shares: shares as u8,
        };
        class += 1;
    }
    t
}

#[allow(clippy::cast_possible_truncation, reason = "class numbers are below 96")]
const fn coarse() -> [u8; (SLAB_MAX - FINE_MAX) / STEP] {
    let table = table();
    let mut of = [0u8; (SLAB_MAX - FINE_MAX) / STEP];
    let mut class = FINE_CLASSES;
    let mut slot = 0;
    while slot < of.len() {
        while (table[class].size as usize) < FINE_MAX + (slot + 1) * STEP {
            class += 1;
        }
        of[slot] = class as u8;
        slot += 1;
    }
    of
}

/// Facts of a class.
#[inline]
pub(crate) const fn facts(class: usize) -> &'static Class {
    &TABLE[class % BINS]
}

/// Class of a request of up to [`FINE_MAX`] bytes; 0 for a request of 0 bytes.
#[inline(always)]
pub(crate) const fn of_fine(size: usize) -> usize {
    size.div_ceil(STEP)
}

/// Class of a request of up to [`SLAB_MAX`] bytes. Never 0: an empty request takes the smallest block.
#[inline]
pub(crate) const fn of(size: usize) -> usize {
    if size <= FINE_MAX {
        if size == 0 { 1 } else { of_fine(size) }
    } else {
        COARSE[(size - FINE_MAX - 1) / STEP % COARSE.len()] as usize
    }
}

/// Class of a request with an alignment of up to 32 KiB whose size, rounded up to the alignment, is at most [`SLAB_MAX`].
#[inline]
pub(crate) const fn of_aligned(size: usize, align: usize) -> usize {
    let mut class = of((if size == 0 { 1 } else { size } + align - 1) & !(align - 1));
    // At most eight steps: every power of two from 2 to 32 KiB is a class.
    while (facts(class).size as usize) & (align - 1) != 0 {
        class += 1;
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_fits_its_class_and_not_the_one_below() {
        for size in 1..=SLAB_MAX {
            let class = of(size);
            assert!(TABLE[class].size as usize >= size, "{size} does not fit class {class}");
            assert!((TABLE[class - 1].size as usize) < size, "{size} fits the class below {class} too");
        }
        assert_eq!(of(0), 1);
        assert_eq!(TABLE[CLASSES - 1].size as usize, SLAB_MAX);
    }

    #[test]
    fn waste_stays_below_the_derived_bound() {
        for size in FINE_MAX + 1..=SLAB_MAX {
            let block = TABLE[of(size)].size as usize;
            let parts = match size {
                0..=NARROW_MAX => (SLICE / block - 2).max(4),
                _ => 5,
            };
            assert!((block - size) * parts < block, "{size} in {block}");
        }
    }

    #[test]
    fn nothing_worth_a_step_is_left_at_the_end_of_a_narrow_slab() {
        for class in TABLE.iter().filter(|class| (FINE_MAX..=NARROW_MAX).contains(&(class.size as usize))) {
            let rest = SLICE - class.size as usize * usize::from(class.capacity);
            assert!(rest < usize::from(class.capacity) * LINE, "{class:?}");
        }
    }

    #[test]
    fn aligned_classes_are_multiples_of_the_alignment() {
        for shift in 0..=15 {
            let align = 1usize << shift;
            for size in 0..=SLAB_MAX {
                if (size + align - 1) & !(align - 1) > SLAB_MAX {
                    continue;
                }
                let block = TABLE[of_aligned(size, align)].size as usize;
                assert!(
                    block >= size && block.is_multiple_of(align),
                    "size {size} align {align} block {block}"
                );
            }
        }
    }

    #[test]
    fn a_slab_holds_its_capacity_and_wakes_within_it() {
        for class in &TABLE[1..CLASSES] {
            assert!(class.size as usize * class.capacity as usize <= class.slices as usize * SLICE);
            assert!(class.wake >= 1 && u16::from(class.wake) <= class.capacity);
        }
    }
}
