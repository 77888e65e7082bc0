//! Size classes: 16-byte steps, then the largest blocks of which a number fit a slab, then steps of 1 KiB.
//!
//! | requests up to | classes | waste of a block below |
//! | --- | --- | --- |
//! | 1 KiB | every 16 bytes | 16 bytes |
//! | 4 KiB | 16 KiB / 15, / 14, … / 4, down to whole cache lines | 1/18 to 1/4 |
//! | 32 KiB | every 1 KiB; all of them share [mixed slabs](super::mixed) | 1/5, and a rest of at most 4 KiB into which nothing fits |
//!
//! Derivation. Requests up to [`FINE_MAX`] round up to a multiple of 16, so the class is `(size + 15) / 16` and costs no table. Between 1
//! and 4 KiB a slab of 16 KiB holds 4 to 15 blocks, and with evenly spaced classes up to a fifth would be left at its end; so there
//! a class is the largest block of whole cache lines (64 bytes) of which `n` fit. Above, blocks of all classes lie side by side in slabs that
//! are cut into units of 1 KiB; there a class is a number of units. (Linear, then few classes: Kingsley's and Lea's successors, described in
//! Wilson et al., "Dynamic Storage Allocation", 1995.)
//!
//! A class of at most 4 KiB whose size is a multiple of `a` (a power of two) aligns every block to `a`, because slabs are aligned to
//! their size and blocks start at the slab's base. In mixed slabs a request says what alignment it needs.

use crate::layout::{SLAB_MAX, SLICE, WIDE, narrow};

/// Requests up to this size (bytes) find their class by division alone.
pub(crate) const FINE_MAX: usize = 1024;
/// Step of the fine classes, and of the table that maps larger requests to theirs; every class is a multiple of it.
pub(crate) const STEP: usize = 16;
/// What classes of requests above [`FINE_MAX`] are multiples of: a cache line's alignment costs nothing there.
const LINE: usize = 64;
const FINE_CLASSES: usize = FINE_MAX / STEP;
/// Classes up to this size (bytes) have narrow slabs of their own, the others share wide ones: few slabs stay sparse when little of a size is
/// left, and little is lost at a slab's end (docs/experiments).
pub(crate) const NARROW_MAX: usize = 4096;
/// Bytes of a unit of mixed slabs: the step of the classes above [`NARROW_MAX`].
pub(crate) const UNIT: usize = 1024;
/// The largest class with slabs of its own.
const LAST_OWN: usize = FINE_CLASSES + 12;
/// Units of the smallest and of the largest class of mixed slabs.
pub(crate) const MIN_UNITS: u32 = narrow(NARROW_MAX / UNIT) + 1;
pub(crate) const MAX_UNITS: u32 = narrow(SLAB_MAX / UNIT);
/// Classes, class 0 included: it stays empty, so that a request of 0 bytes reaches the slow path.
pub(crate) const CLASSES: usize = 1 + LAST_OWN + (MAX_UNITS - MIN_UNITS + 1) as usize;
/// What the record of a mixed slab names as its class: no class of a request, but one whose blocks are units.
pub(crate) const MIXED: usize = CLASSES;
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
        size + UNIT
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a slab holds at most 1024 blocks")]
const fn table() -> [Class; BINS] {
    let mut t = [Class { size: 0, capacity: 0, wake: 0, slices: 1, shares: 0 }; BINS];
    let mut class = 1;
    let mut size = 0;
    while class <= MIXED {
        size = if class == MIXED { UNIT } else { next_size(size) };
        let slices = if class <= LAST_OWN { 1 } else { WIDE };
        let capacity = slices as usize * SLICE / size;
        // A sixteenth of the slab, at most 16 blocks: waking earlier costs time, later costs memory (docs/experiments).
        let mut wake = capacity / 16;
        if wake > 16 {
            wake = 16;
        }
        if wake < 2 && capacity >= 8 {
            wake = 2;
        }
        if wake < 1 || class == MIXED {
            wake = 1;
        }
        let step = if size <= 64 || size > FINE_MAX { STEP } else { (1 << (size - 1).ilog2()) / 4 };
        let shares = if class > FINE_CLASSES { class } else { size.div_ceil(step) * step / STEP };
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

#[allow(clippy::cast_possible_truncation, reason = "class numbers are below 128")]
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

/// Whether blocks of the class lie in mixed slabs.
#[inline]
pub(crate) const fn is_mixed(class: usize) -> bool {
    class > LAST_OWN
}

/// Units of a block of a class of mixed slabs.
#[inline]
pub(crate) const fn units(class: usize) -> u32 {
    narrow(class - LAST_OWN) + MIN_UNITS - 1
}

/// Bytes of a block of `class`; beyond the last class of requests those of blocks that have a rest besides.
pub(crate) const fn size(class: usize) -> usize {
    if is_mixed(class) { units(class) as usize * UNIT } else { facts(class).size as usize }
}

/// The bit that says that a heap's list of this class of mixed slabs is not empty.
#[inline]
pub(crate) const fn room(class: usize) -> u32 {
    1 << (units(class) - MIN_UNITS)
}

/// The class of blocks of so many units; one that was given a few more than the largest class has counts as one of that.
#[inline]
pub(crate) const fn of_units(units: u32) -> usize {
    let units = if units > MAX_UNITS { MAX_UNITS } else { units };
    LAST_OWN + 1 + (units - MIN_UNITS) as usize
}

/// Class of a request with an alignment of up to 32 KiB whose size, rounded up to the alignment, is at most [`SLAB_MAX`]. Blocks of a
/// class with slabs of its own are all aligned so; in mixed slabs the request has to say it again.
#[inline]
pub(crate) const fn of_aligned(size: usize, align: usize) -> usize {
    if size > NARROW_MAX {
        return of(size);
    }
    let padded = (if size == 0 { 1 } else { size } + align - 1) & !(align - 1);
    if padded > NARROW_MAX {
        return of_units(MIN_UNITS);
    }
    let mut class = of(padded);
    // At most eight steps: every power of two from 2 bytes to 4 KiB is a class.
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
        assert_eq!((TABLE[MIXED].size as usize, TABLE[MIXED].capacity), (UNIT, 64));
        for units in MIN_UNITS..=MAX_UNITS {
            assert_eq!(TABLE[of_units(units)].size, units << 10);
            assert_eq!((super::units(of_units(units)), of(units as usize * UNIT)), (units, of_units(units)));
        }
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
        for class in
            TABLE[..MIXED].iter().filter(|class| (FINE_MAX..=NARROW_MAX).contains(&(class.size as usize)))
        {
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
                let class = of_aligned(size, align);
                let block = TABLE[class].size as usize;
                assert!(
                    block >= size && (is_mixed(class) || block.is_multiple_of(align)),
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
