//! Size classes of the slabs: 16-byte steps, then a fixed number of classes per doubling.
//!
//! Derivation. Requests up to [`FINE_MAX`] round up to a multiple of 16, so the class is `(size + 15) / 16` and costs no
//! table. Above, each doubling `(2^k, 2^(k+1)]` is cut into `n` equal steps of `2^k / n`: a request just above a step wastes
//! less than one step, that is less than `1 / (n + 1)` of the block. With eight steps up to 4 KiB and four up to 32 KiB the
//! waste stays below 1/9 and 1/5. The scheme (linear, then a few classes per doubling) is that of Kingsley's and Lea's
//! successors, described in Wilson et al., "Dynamic Storage Allocation", 1995.
//!
//! A class whose size is a multiple of `a` (a power of two up to 32 KiB) aligns every block to `a`, because slabs are
//! aligned to 64 KiB and blocks start at the slab's base.

use crate::layout::{SLAB_MAX, SLICE, narrow};

/// Requests up to this size (bytes) find their class by division alone.
pub(crate) const FINE_MAX: usize = 1024;
const FINE_STEP: usize = 16;
const FINE_CLASSES: usize = FINE_MAX / FINE_STEP;
/// Step of the table that maps larger requests to classes; every class above [`FINE_MAX`] is a multiple of it.
const COARSE_STEP: usize = 128;
/// Classes, class 0 included: it stays empty, so that a request of 0 bytes reaches the slow path.
pub(crate) const CLASSES: usize = 1 + FINE_CLASSES + 8 + 8 + 4 + 4 + 4;
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
    pub(crate) wake: u16,
}

/// Facts of every class, by class number.
static TABLE: [Class; BINS] = table();
static COARSE: [u8; SLAB_MAX / COARSE_STEP] = coarse();

const fn size_of_class(class: usize) -> usize {
    if class <= FINE_CLASSES {
        return class * FINE_STEP;
    }
    let mut left = class - FINE_CLASSES;
    let mut base = FINE_MAX;
    loop {
        let steps = if base < 4096 { 8 } else { 4 };
        if left <= steps {
            return base + base / steps * left;
        }
        left -= steps;
        base *= 2;
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a slab holds at most 4096 blocks")]
const fn table() -> [Class; BINS] {
    let mut t = [Class { size: 0, capacity: 0, wake: 0 }; BINS];
    let mut class = 1;
    while class < CLASSES {
        let size = size_of_class(class);
        let capacity = SLICE / size;
        // A sixteenth of the slab, at most 16 blocks: waking earlier costs time, later costs memory (docs/experiments).
        let mut wake = capacity / 16;
        if wake > 16 {
            wake = 16;
        }
        if wake < 1 {
            wake = 1;
        }
        t[class] = Class { size: narrow(size), capacity: capacity as u16, wake: wake as u16 };
        class += 1;
    }
    t
}

#[allow(clippy::cast_possible_truncation, reason = "class numbers are below 96")]
const fn coarse() -> [u8; SLAB_MAX / COARSE_STEP] {
    let mut t = [0u8; SLAB_MAX / COARSE_STEP];
    let mut class = FINE_CLASSES;
    let mut slot = 0;
    while slot < t.len() {
        let largest = (slot + 1) * COARSE_STEP;
        if largest > FINE_MAX {
            while size_of_class(class) < largest {
                class += 1;
            }
        }
        t[slot] = class as u8;
        slot += 1;
    }
    t
}

/// Facts of a class.
#[inline]
pub(crate) fn facts(class: usize) -> &'static Class {
    &TABLE[class % BINS]
}

/// Class of a request of up to [`FINE_MAX`] bytes; 0 for a request of 0 bytes.
#[inline(always)]
pub(crate) const fn of_fine(size: usize) -> usize {
    size.div_ceil(FINE_STEP)
}

/// Class of a request of up to [`SLAB_MAX`] bytes. Never 0: an empty request takes the smallest block.
#[inline]
pub(crate) const fn of(size: usize) -> usize {
    if size <= FINE_MAX {
        if size == 0 { 1 } else { of_fine(size) }
    } else {
        COARSE[(size - 1) / COARSE_STEP % COARSE.len()] as usize
    }
}

/// Class of a request with an alignment of up to 32 KiB whose size, rounded up to the alignment, is at most [`SLAB_MAX`].
#[inline]
pub(crate) const fn of_aligned(size: usize, align: usize) -> usize {
    let rounded = (if size == 0 { 1 } else { size } + align - 1) & !(align - 1);
    // Below a power of two `p`, classes are the multiples of a power of two that divides `p`: the least class that holds a multiple of
    // the alignment is one itself (tested for every size and alignment).
    of(rounded)
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
            let parts = if size <= 4096 { 9 } else { 5 };
            assert!((block - size) * parts < block, "{size} in {block}");
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
            assert!(class.size as usize * class.capacity as usize <= SLICE);
            assert!(class.wake >= 1 && class.wake <= class.capacity);
        }
    }
}
