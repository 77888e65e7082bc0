//! What the C interface asks of a strategy beyond the contract.

use core::mem::MaybeUninit;

use stratalloc_resource::abi::{ErrorCode, RawUsage, ResourceV1};
use stratalloc_resource::{Alignment, MemoryBlock, MemoryResource};
use stratalloc_strategies::{Inspect, MisuseKind};

use crate::config::{Config, Looks};

/// A strategy that C programs can make.
pub(crate) trait Strategy: MemoryResource + Sized + 'static {
    /// The table of all resources of this type: a static, so that its address names the type.
    fn table() -> &'static ResourceV1;

    /// Whether a block of this resource lies at the address.
    fn owns(&self, address: *const u8) -> bool;

    /// What is wrong with a block that somebody wants to hand back. `close`: everything that can be found out; else what can be
    /// found out in a few instructions.
    fn look(&self, block: MemoryBlock, align: Alignment, close: bool) -> Result<(), MisuseKind>;

    /// The last look before a release, which follows at once.
    fn admit(&self, block: MemoryBlock, align: Alignment, looks: Looks) -> Result<(), MisuseKind> {
        self.look(block, align, looks.close)
    }

    /// How full it is.
    ///
    /// # Safety
    ///
    /// No other operation runs.
    unsafe fn usage(&self) -> RawUsage;

    /// Whether its equations hold. Asked while no other operation runs.
    fn is_valid(&self) -> bool;

    /// Gives back what no block needs; the number of bytes. In the table only where a strategy can.
    fn collect(&self) -> usize {
        0
    }
}

/// What a strategy does with the memory that it is made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// It is all the strategy ever has.
    Needed,
    /// It is a beginning; more comes from upstream.
    Optional,
    /// Nothing: all blocks lie in chunks from upstream.
    Unused,
}

/// One that is made by a configuration.
pub(crate) trait Make: Strategy {
    /// What it needs a piece of memory for.
    const ROOM: Room;

    /// `memory` is what is left of the caller's memory, or of what upstream gave; it may be empty.
    fn make(config: &Config, memory: &'static mut [MaybeUninit<u8>]) -> Result<Self, ErrorCode>;
}

/// One that can go back to a position.
pub(crate) trait Positions: Strategy {
    /// A position.
    type Marker: Copy;

    /// Where it is now.
    fn mark(&self) -> Self::Marker;

    /// Whether the marker may be gone back to, as far as can be found out.
    fn vouches_for(&self, marker: &Self::Marker) -> bool;

    /// Gives up what is younger.
    ///
    /// # Safety
    ///
    /// As for the strategy's own `rewind`.
    unsafe fn rewind(&self, marker: Self::Marker);

    /// Gives up everything. Whoever calls it promises that no block is used any more.
    fn reset(&mut self);
}

/// What is wrong, by every means there is or by a look at the address only.
pub(crate) fn look<S: Strategy + Inspect>(
    strategy: &S,
    block: MemoryBlock,
    align: Alignment,
    close: bool,
) -> Result<(), MisuseKind> {
    if close {
        strategy.inspect(block, align)
    } else if strategy.owns(block.as_ptr()) {
        Ok(())
    } else {
        Err(MisuseKind::ForeignBlock)
    }
}

/// The code for a misuse.
pub(crate) fn code(kind: MisuseKind) -> ErrorCode {
    match kind {
        MisuseKind::ForeignBlock => ErrorCode::FOREIGN_BLOCK,
        MisuseKind::DoubleRelease => ErrorCode::DOUBLE_RELEASE,
        MisuseKind::InteriorPointer => ErrorCode::INTERIOR_POINTER,
        MisuseKind::WrongSize => ErrorCode::WRONG_SIZE,
        MisuseKind::WrongAlignment => ErrorCode::WRONG_ALIGNMENT,
        MisuseKind::OutOfOrder => ErrorCode::OUT_OF_ORDER,
        MisuseKind::StaleMarker => ErrorCode::STALE_MARKER,
        // Underflow, Overflow, WriteAfterRelease, and what later versions add.
        _ => ErrorCode::OVERWRITTEN,
    }
}
