//! One slab: its head, its links, its blocks.

use core::cell::Cell;
use core::ops::Deref;
use core::ptr::NonNull;

use super::geometry::{Geometry, MOST_BLOCKS};

/// The link of the last free block.
const END: u16 = u16::MAX;

/// The link of a block in a caller's hands.
const LIVE: u16 = u16::MAX - 1;

const _: () = assert!(MOST_BLOCKS < LIVE as usize);

/// What stands before the blocks of a slab. Its links follow, one for each block that was ever handed out: they are no part of the block, so
/// that a free one keeps its bytes.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) next: Cell<Option<SlabRef>>,
    pub(super) previous: Cell<Option<SlabRef>>,
    /// The first block.
    first: NonNull<u8>,
    /// The free block that was given back last, or [`END`].
    free: Cell<u16>,
    /// Blocks below this number were handed out before; the others are fresh.
    used: Cell<u16>,
    live: Cell<u16>,
}

/// A slab of a resource.
///
/// Invariant SLAB-HEAD: it points to the initialised head of a slab of the resource's [`Geometry`], and the slab is
/// the resource's until it is out of all lists and given back; nobody keeps a `SlabRef` longer. Links below `used` are
/// initialised. Only the resource's thread touches any of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlabRef(NonNull<Head>);

/// A block that a slab handed out, and whether it was handed out before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) place: NonNull<u8>,
    pub(super) used: bool,
}

impl Deref for SlabRef {
    type Target = Head;

    #[inline(always)]
    fn deref(&self) -> &Head {
        // SAFETY: SLAB-HEAD; all that changes in it is in cells.
        unsafe { self.0.as_ref() }
    }
}

impl Head {
    pub(super) fn live(&self) -> u16 {
        self.live.get()
    }

    pub(super) fn used(&self) -> u16 {
        self.used.get()
    }

    pub(super) fn first(&self) -> NonNull<u8> {
        self.first
    }

    /// Whether the next block that it hands out was handed out before.
    #[inline(always)]
    pub(super) fn offers_used(&self) -> bool {
        self.free.get() != END
    }

    /// Makes all blocks fresh again; none is live.
    pub(super) fn forget_used(&self) {
        self.free.set(END);
        self.used.set(0);
    }
}

impl SlabRef {
    /// Makes a slab whose blocks are fresh.
    ///
    /// # Safety
    ///
    /// `start` begins a slab of this geometry, aligned to its length, that is the resource's alone.
    pub(super) unsafe fn make(start: NonNull<u8>, geometry: &Geometry) -> Self {
        // SAFETY: inside the slab: GEOMETRY.
        let head = unsafe { start.add(geometry.head_of(start.addr().get())) };
        // SAFETY: as above.
        let first = unsafe { head.add(geometry.first) };
        let (free, used, live) = (Cell::new(END), Cell::new(0), Cell::new(0));
        let place = head.cast::<Head>();
        // SAFETY: inside the slab, aligned, as the slab is, and the caller's alone.
        unsafe {
            place.write(Head { next: Cell::new(None), previous: Cell::new(None), first, free, used, live })
        };
        Self(place)
    }

    /// The slab that the block at `place` lies in.
    ///
    /// # Safety
    ///
    /// `place` is a block of a slab of this geometry.
    #[inline(always)]
    pub(super) unsafe fn of_block(place: NonNull<u8>, geometry: &Geometry) -> Self {
        let start = place.addr().get() & !(geometry.bytes - 1);
        let back = place.addr().get() - (start + geometry.head_of(start));
        // SAFETY: it goes back to the head of the slab that `place` lies in: this function's contract, slabs being aligned to
        // their length; the head lies before all blocks: GEOMETRY.
        Self(unsafe { place.sub(back) }.cast())
    }

    /// That of the head.
    pub(super) fn address(self) -> usize {
        self.0.addr().get()
    }

    /// Where the slab begins.
    pub(super) fn start(self, geometry: &Geometry) -> NonNull<u8> {
        let head = self.address() & (geometry.bytes - 1);
        // SAFETY: a slab is aligned to its length, so this goes back to its start.
        unsafe { self.0.cast::<u8>().sub(head) }
    }

    /// The block with this number, below `count`.
    #[inline(always)]
    fn block(self, index: u16, geometry: &Geometry) -> NonNull<u8> {
        debug_assert!(index < geometry.count);
        // SAFETY: inside the slab: GEOMETRY.
        unsafe { self.first.add(usize::from(index) * geometry.len) }
    }

    /// The blocks that were ever handed out.
    pub(super) fn used_blocks(self, geometry: &Geometry) -> impl Iterator<Item = NonNull<u8>> + '_ {
        (0..self.used.get()).map(move |index| self.block(index, geometry))
    }

    #[inline(always)]
    fn link_place(self, index: u16) -> NonNull<u16> {
        // SAFETY: the end of the head, which is inside the slab.
        let links = unsafe { self.0.add(1) }.cast::<u16>();
        // SAFETY: links lie before the first block: GEOMETRY; all callers pass numbers below `count`.
        unsafe { links.add(usize::from(index)) }
    }

    #[inline(always)]
    fn link(self, index: u16) -> u16 {
        debug_assert!(index < self.used.get());
        let place = self.link_place(index);
        // SAFETY: initialised: SLAB-HEAD.
        unsafe { place.read() }
    }

    #[inline(always)]
    fn set_link(self, index: u16, link: u16) {
        let place = self.link_place(index);
        // SAFETY: inside the slab and aligned: `link_place`.
        unsafe { place.write(link) };
    }

    /// Hands a block out, one that was used before if there is one. The slab is not full.
    #[inline(always)]
    pub(super) fn take(self, geometry: &Geometry) -> Slot {
        let used = self.offers_used();
        let index = if used {
            let index = self.free.get();
            self.free.set(self.link(index));
            index
        } else {
            self.used.replace(self.used.get() + 1)
        };
        self.set_link(index, LIVE);
        self.live.set(self.live.get() + 1);
        Slot { place: self.block(index, geometry), used }
    }

    /// Takes a live block of this slab back; its bytes stay as they are.
    #[inline(always)]
    pub(super) fn give(self, place: NonNull<u8>, geometry: &Geometry) {
        let index = geometry.index_at(place.addr().get() - self.first.addr().get());
        self.set_link(index, self.free.get());
        self.free.set(index);
        self.live.set(self.live.get() - 1);
    }

    /// Whether the block with this number is in a caller's hands.
    pub(super) fn is_live(self, index: u16) -> bool {
        index < self.used.get() && self.link(index) == LIVE
    }

    /// How many blocks the free list has; `None` if it leads to one that is not free, or in a ring.
    pub(super) fn count_free(self) -> Option<u16> {
        let (mut count, mut next) = (0, self.free.get());
        while next != END {
            if next >= self.used.get() || count == self.used.get() {
                return None;
            }
            count += 1;
            next = self.link(next);
        }
        Some(count)
    }
}
