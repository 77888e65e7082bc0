//! What stands before each tracked block.

use core::cell::Cell;
use core::fmt;
use core::panic::Location;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, MemoryBlock};

use super::Source;
use crate::damage::{Damage, DamageKind};
use crate::padded::Padding;

pub(super) const PADDING: Padding = Padding { head: size_of::<Record>().next_power_of_two(), tail: 0 };

// With an address it is nothing that stands in memory by accident.
#[expect(clippy::cast_possible_truncation, reason = "the lower half will do on 32-bit machines")]
const LIVE: usize = 0xA96E_5B07_D3C1_4F82_u64 as usize;
const RELEASED: usize = !LIVE;

/// A live block as a [`Tracked`](super::Tracked) knows it. An example is there.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LiveBlock {
    /// Where it starts.
    pub address: usize,
    /// Its size, as requested.
    pub size: usize,
    /// Its alignment, as requested.
    pub align: Alignment,
    /// Its number: the first request has 1.
    pub serial: usize,
    /// The line that asked for it, if it came through [`Tracked::here`](super::Tracked::here).
    pub location: Option<&'static Location<'static>>,
}

impl fmt::Display for LiveBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {}: {} bytes at {:#x}", self.serial, self.size, self.address)?;
        self.location.map_or(Ok(()), |location| write!(f, " from {location}"))
    }
}

/// The record before a block. Its links change under the lock only: TRACKED.
#[derive(Debug)]
pub(super) struct Record {
    // A list that the resource below keeps in what was released begins at the first words, so the state comes later.
    next: Cell<Option<NonNull<Record>>>,
    previous: Cell<Option<NonNull<Record>>>,
    state: Cell<usize>,
    size: usize,
    align: Alignment,
    serial: usize,
    source: Source,
}

impl Record {
    /// Where the record of a block stands.
    ///
    /// # Safety
    ///
    /// The block was made with [`PADDING`].
    pub(super) unsafe fn of(block: MemoryBlock) -> NonNull<Self> {
        // SAFETY: the head stands before the block: this function's contract.
        unsafe { block.as_non_null().sub(PADDING.head) }.cast()
    }

    /// Writes the record of a block that will be the first of the list.
    ///
    /// # Safety
    ///
    /// As for [`of`](Self::of), and the block is the caller's.
    pub(super) unsafe fn write(
        block: MemoryBlock,
        align: Alignment,
        serial: usize,
        source: Source,
        next: Option<NonNull<Self>>,
    ) -> NonNull<Self> {
        // SAFETY: this function's contract.
        let record = unsafe { Self::of(block) };
        let state = Cell::new(LIVE ^ block.address());
        let (next, previous) = (Cell::new(next), Cell::new(None));
        // SAFETY: ours, and aligned: the head is a power of two, the inner block aligned to words at least.
        unsafe { record.write(Self { next, previous, state, size: block.len(), align, serial, source }) };
        record
    }

    fn block_address(&self) -> usize {
        core::ptr::from_ref(self).addr() + PADDING.head
    }

    pub(super) fn next(&self) -> Option<NonNull<Self>> {
        self.next.get()
    }

    pub(super) fn set_next(&self, next: Option<NonNull<Self>>) {
        self.next.set(next);
    }

    pub(super) fn set_previous(&self, previous: Option<NonNull<Self>>) {
        self.previous.set(previous);
    }

    /// Whether `block` is the live block of this record.
    pub(super) fn check(&self, block: MemoryBlock) -> Result<(), Damage> {
        let damage = |kind| Err(Damage::new("tracked", kind, block.address(), block.len()));
        match self.state.get() ^ block.address() {
            LIVE if self.size == block.len() => Ok(()),
            LIVE => damage(DamageKind::WrongSize),
            RELEASED => damage(DamageKind::DoubleRelease),
            _ => damage(DamageKind::Underflow),
        }
    }

    /// The block is not live any more; the neighbours that have to be linked with each other.
    pub(super) fn release(&self) -> (Option<NonNull<Self>>, Option<NonNull<Self>>) {
        self.state.set(RELEASED ^ self.block_address());
        (self.next.get(), self.previous.get())
    }

    /// Whether the record is a live one behind `previous`.
    pub(super) fn is_sound(&self, previous: Option<NonNull<Self>>) -> bool {
        self.state.get() == LIVE ^ self.block_address() && self.previous.get() == previous
    }

    pub(super) fn describe(&self) -> LiveBlock {
        LiveBlock {
            address: self.block_address(),
            size: self.size,
            align: self.align,
            serial: self.serial,
            location: self.source,
        }
    }
}
