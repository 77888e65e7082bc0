//! Addresses reserved between guards, given back when dropped: what reserved ranges, partitions and huge pages lie in.
//!
//! ```text
//!   │ guard │ memory: committed by whoever has the value, piece by piece or at once │ guard │
//!   └────────────────────────── one reservation of the system ──────────────────────────────┘
//! ```

use stratalloc_platform::vm::{self, OsError};
use stratalloc_resource::MemoryBlock;

/// A reservation of this value's own.
// Invariant RESERVED: `whole` is one mapping that this value made and that nobody else changes or unmaps; `memory` is its part between the guards,
// which are never made accessible.
#[derive(Debug)]
pub(crate) struct GuardedReservation {
    whole: MemoryBlock,
    memory: MemoryBlock,
    keep: bool,
}

impl GuardedReservation {
    /// Reserves `len` bytes at a multiple of `align` between two guards of `guard` bytes: all of them whole pages, guards multiples of `align`.
    pub(crate) fn new(len: usize, guard: usize, align: usize) -> Result<Self, OsError> {
        let both = guard.checked_mul(2).and_then(|guards| guards.checked_add(len));
        let whole = both.filter(|&whole| whole <= isize::MAX.unsigned_abs()).ok_or(OsError::OUT_OF_MEMORY)?;
        let whole = MemoryBlock::new(vm::reserve(whole, align, vm::Access::None)?, whole);
        let memory =
            whole.split_at(guard).and_then(|(_, rest)| rest.truncated(len)).ok_or(OsError::INVALID)?;
        Ok(Self { whole, memory, keep: false })
    }

    /// `len` bytes of explicit huge pages, committed. Without guards: they would have to be huge pages, too.
    #[cfg(not(loom))]
    pub(crate) fn huge(len: usize, page: usize) -> Result<Self, OsError> {
        let whole = MemoryBlock::new(vm::reserve_huge(len, page)?, len);
        Ok(Self { whole, memory: whole, keep: false })
    }

    /// The addresses stay reserved when the value is dropped, for the rest of the process.
    #[cfg(not(loom))]
    pub(crate) const fn keeping_addresses(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }

    /// What lies between the guards.
    #[inline]
    pub(crate) const fn memory(&self) -> MemoryBlock {
        self.memory
    }
}

impl Drop for GuardedReservation {
    /// Gives everything back. Should the kernel refuse to take the addresses (the process has as many mappings as it may have), it gets
    /// the memory at least.
    fn drop(&mut self) {
        let (start, len) = (self.memory.as_non_null(), self.memory.len());
        // SAFETY: RESERVED; whoever drops a resource promises that its blocks are not used any more.
        if !self.keep && unsafe { vm::release(self.whole.as_non_null(), self.whole.len()) }.is_ok() {
            return;
        }
        // SAFETY: as above, and still mapped.
        if unsafe { vm::decommit(start, len) }.is_err() {
            // SAFETY: as above.
            let _ = unsafe { vm::purge(start, len) };
        }
    }
}
