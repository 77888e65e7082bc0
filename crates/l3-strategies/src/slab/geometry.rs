//! Where things lie in a slab: computed once, the same for all slabs of a resource.

use core::alloc::Layout;

use stratalloc_resource::{Alignment, AllocError};

use super::SlabConfig;
use super::head::Head;

/// Head and blocks begin at a multiple of this, which multiple the slab's address tells: a cache line of most processors.
const COLOUR: usize = 64;

/// A slab has at least this many bytes by default, and as many as this many blocks need.
const USUAL_BYTES: usize = 4096;
const USUAL_BLOCKS: usize = 8;

/// No slab is longer: offsets in it fit into 32 bits, which [`Geometry::index_at`] builds on.
const MOST_BYTES: usize = 1 << 30;

/// No slab has more blocks: a link is 16 bits wide, and two values of it mean no block.
pub(super) const MOST_BLOCKS: usize = u16::MAX as usize - 2;

/// A link of 16 bits for each block.
const LINK: usize = size_of::<u16>();

/// The plan of a slab.
///
/// ```text
///   0        head = colour · step               head + first                head + first + count · len   bytes
///   │ colour │ Head         │ count links │ pad │ block │ block │ … │ block │ what other colours use     │
/// ```
///
/// The colour follows from the lowest bits of the slab's number, its address by its length. Without it the heads of all slabs would lie in the same few
/// sets of the nearest cache (64 sets of 64 bytes are a page), where a dozen of them find room, and a release would miss it nearly each time.
///
/// Invariant GEOMETRY: `first` is a multiple of the alignment behind head and links, `step` and `len` are multiples of it, `colours` is a
/// power of two, and `(colours − 1) · step + first + count · len ≤ bytes`, a power of two of at most 1 GiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) bytes: usize,
    pub(super) len: usize,
    pub(super) count: u16,
    pub(super) first: usize,
    /// The bits of `address >> colour_shift` that are the offset of the head.
    colour_mask: usize,
    colour_shift: u32,
    /// 2³² / len, rounded up.
    reciprocal: u64,
}

impl Geometry {
    /// The plan for `config`; [`AllocError::SizeOverflow`] if a slab would be too long.
    pub(super) fn of(config: &SlabConfig) -> Result<Self, AllocError> {
        let align = config.align;
        let len = config.size.max(1).checked_next_multiple_of(align.bytes());
        let len = len.filter(|&len| len <= MOST_BYTES).ok_or(AllocError::SizeOverflow)?;
        let (least, wish) = match config.slab_bytes {
            0 => (USUAL_BLOCKS, USUAL_BYTES),
            bytes => (1, bytes),
        };
        let bytes = Self::first(least, align)
            .checked_add(least.checked_mul(len).ok_or(AllocError::SizeOverflow)?)
            .and_then(|need| need.max(wish).checked_next_power_of_two())
            .filter(|&bytes| bytes <= MOST_BYTES)
            .ok_or(AllocError::SizeOverflow)?;
        let mut count = (bytes - size_of::<Head>()).checked_div(len + LINK).unwrap_or(0).min(MOST_BLOCKS);
        // What the padding before the first block takes is not in that quotient.
        while Self::first(count, align) + count * len > bytes {
            count -= 1;
        }
        let first = Self::first(count, align);
        // A power of two, as an alignment is.
        let step = align.bytes().max(COLOUR);
        let colours = (bytes - first - count * len) / step + 1;
        // The largest power of two that is not larger.
        let colours = 1 << colours.ilog2();
        Ok(Self {
            bytes,
            len,
            count: u16::try_from(count).map_err(|_| AllocError::SizeOverflow)?,
            first,
            colour_mask: (colours - 1) * step,
            colour_shift: if colours == 1 { 0 } else { bytes.trailing_zeros() - step.trailing_zeros() },
            // 2^32 / len, rounded up.
            reciprocal: u64::from(u32::MAX).checked_div(len as u64).ok_or(AllocError::SizeOverflow)? + 1,
        })
    }

    /// Where the first of `count` blocks lies without colour. Does not overflow: both are small, or an alignment of a type.
    const fn first(count: usize, align: Alignment) -> usize {
        let links = size_of::<Head>() + count * LINK;
        links.saturating_add(align.mask()) & !align.mask()
    }

    /// What a slab is asked for with: as long as it is aligned.
    pub(super) fn layout(&self) -> Result<Layout, AllocError> {
        Layout::from_size_align(self.bytes, self.bytes).map_err(|_| AllocError::SizeOverflow)
    }

    /// What slabs are aligned to.
    pub(super) fn slab_align(&self) -> Alignment {
        Alignment::of_address(self.bytes)
    }

    /// How far the head of the slab at `start`, a multiple of its length, lies from there.
    #[inline(always)]
    pub(super) const fn head_of(&self, start: usize) -> usize {
        let number = start >> self.colour_shift;
        // Two neighbouring bits in one: where slabs lie two lengths apart, as an upstream that aligns may place them, the lowest is always the same.
        (number ^ number >> 1) & self.colour_mask
    }

    /// Whether the head of a slab may be at `address`.
    pub(super) const fn is_head(&self, address: usize) -> bool {
        let start = address & !(self.bytes - 1);
        address == start + self.head_of(start)
    }

    /// The number of the block at `offset` from the first one, a multiple of `len`.
    ///
    /// A multiplication in place of a division. With `reciprocal · len = 2³² + e`, `0 ≤ e < len`, the product of `i · len` and
    /// `reciprocal` is `i · 2³² + i · e`, and `i · e < i · len < 2³²`: the upper half is `i`.
    #[inline]
    pub(super) const fn index_at(&self, offset: usize) -> u16 {
        let index = (offset as u64 * self.reciprocal) >> 32;
        debug_assert!(index < self.count as u64);
        // In a slab: below `count`.
        #[expect(clippy::cast_possible_truncation, reason = "below count, which has 16 bits")]
        let index = index as u16;
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(size: usize, align: usize, bytes: usize) -> Geometry {
        Geometry::of(&SlabConfig::new(size, Alignment::new(align).unwrap()).with_slab_bytes(bytes)).unwrap()
    }

    #[test]
    fn every_plan_fits_and_uses_what_there_is() {
        for size in (0..400).chain([1000, 4000, 5000, 70_000]) {
            for shift in 0..13 {
                for bytes in [1, 512, 4096, 1 << 16] {
                    let align = 1 << shift;
                    let plan = plan(size, align, bytes);
                    let heads = (0..64).map(|slab| plan.head_of(slab * plan.bytes));
                    let (count, last) = (usize::from(plan.count), plan.first + heads.clone().max().unwrap());
                    assert!(heads.clone().all(|head| (plan.first + head).is_multiple_of(align)), "{plan:?}");
                    assert!(count > 0 && plan.len >= size && plan.len.is_multiple_of(align), "{plan:?}");
                    assert!(plan.first >= size_of::<Head>() + LINK * count, "{plan:?}");
                    assert!(last % align == 0 && last + count * plan.len <= plan.bytes, "{plan:?}");
                    let more = Geometry::first(count + 1, Alignment::new(align).unwrap());
                    assert!(more + (count + 1) * plan.len > plan.bytes || count == MOST_BLOCKS, "{plan:?}");
                }
            }
        }
    }

    #[test]
    fn the_reciprocal_divides_exactly() {
        for size in (1..2000).chain([4095, 65_535, 1 << 20, (1 << 20) + 1]) {
            let plan = plan(size, 1, 1 << 20);
            for index in 0..plan.count {
                assert_eq!(plan.index_at(usize::from(index) * plan.len), index, "{size}");
            }
        }
    }

    #[test]
    fn sizes_that_no_slab_holds_are_refused() {
        let of = |size, align| Geometry::of(&SlabConfig::new(size, Alignment::new(align).unwrap())).err();
        for size in [usize::MAX, 1 << 30, (1 << 30) / 8, isize::MAX.unsigned_abs()] {
            assert_eq!(of(size, 1), Some(AllocError::SizeOverflow));
        }
        assert_eq!(of(1, 1 << 30), Some(AllocError::SizeOverflow));
        assert_eq!(of(1, 1 << (usize::BITS - 1)), Some(AllocError::SizeOverflow));
        assert_eq!(of((1 << 30) / 8 - 100, 1), None);
    }
}
