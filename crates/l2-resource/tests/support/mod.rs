//! A small resource that keeps the contract, for tests to use and to break.
#![allow(dead_code, reason = "each test binary uses its part")]

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, ThreadSafety,
    Validate, Violation,
};

/// Blocks are multiples of this.
const UNIT: usize = 16;
/// The alignment of the memory.
pub(crate) const BASE_ALIGN: usize = 4096;

/// Memory from the system, released with the last owner.
pub(crate) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a pointer to memory that only the resources over it use.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) fn new(len: usize) -> Arc<Self> {
        let layout = Layout::from_size_align(len, BASE_ALIGN).unwrap();
        // SAFETY: `len` is not zero in any test.
        let start = unsafe { System.alloc_zeroed(layout) };
        Arc::new(Self { start: NonNull::new(start).unwrap(), layout })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `new`, released once.
        unsafe { System.dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// First fit with immediate coalescing over a fixed memory, under a lock. Slow, plain, and right.
pub(crate) struct Bounded {
    memory: Arc<Memory>,
    // Invariant FREE: offset to length of each free range; disjoint, not adjacent, inside the memory, multiples of UNIT.
    free: Mutex<BTreeMap<usize, usize>>,
}

impl Bounded {
    pub(crate) fn new(len: usize) -> Self {
        Self::over(Memory::new(len))
    }

    pub(crate) fn over(memory: Arc<Memory>) -> Self {
        let free = Mutex::new(BTreeMap::from([(0, memory.layout.size())]));
        Self { memory, free }
    }

    pub(crate) fn free(&self) -> MutexGuard<'_, BTreeMap<usize, usize>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.memory.layout.size()
    }

    pub(crate) fn free_bytes(&self) -> usize {
        self.free().values().sum()
    }

    fn base(&self) -> usize {
        self.memory.start.addr().get()
    }

    fn rounded(&self, size: usize) -> Option<usize> {
        size.max(1).checked_next_multiple_of(UNIT)
    }

    fn take(&self, size: usize, align: usize) -> Result<MemoryBlock, AllocError> {
        let len = self.rounded(size).ok_or(AllocError::SizeOverflow)?;
        if align > BASE_ALIGN {
            return Err(AllocError::BadAlignment);
        }
        let mut free = self.free();
        let fit = free.iter().find_map(|(&offset, &room)| {
            let start = offset.next_multiple_of(align);
            let end = start.checked_add(len)?;
            (end <= offset + room).then_some((offset, room, start))
        });
        let (offset, room, start) = fit.ok_or(AllocError::CapacityExhausted)?;
        free.remove(&offset);
        if start > offset {
            free.insert(offset, start - offset);
        }
        if offset + room > start + len {
            free.insert(start + len, offset + room - start - len);
        }
        // SAFETY: `start < len()`: FREE.
        Ok(MemoryBlock::new(unsafe { self.memory.start.add(start) }, len))
    }

    fn put(&self, block: MemoryBlock) {
        let mut start = block.address() - self.base();
        let mut len = self.rounded(block.len()).unwrap();
        let mut free = self.free();
        if let Some(next) = free.remove(&(start + len)) {
            len += next;
        }
        let below = free.range(..start).next_back().map(|(&offset, &room)| (offset, room));
        if let Some((offset, room)) = below
            && offset + room == start
        {
            (start, len) = (offset, len + room);
        }
        free.insert(start, len);
    }
}

// SAFETY: FREE, kept under the lock: a block is taken out of the free ranges and put back whole, since any length from the
// requested one up rounds to the same.
unsafe impl MemoryResource for Bounded {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        self.take(layout.size(), layout.align())
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _: Alignment) {
        self.put(block);
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<Self>(self.base())
    }

    fn info(&self) -> ResourceInfo<'_> {
        ResourceInfo::new("bounded", ThreadSafety::Shared)
            .with_capacity(self.len())
            .with_max_align(Alignment::constant::<BASE_ALIGN>())
    }
}

// SAFETY: all blocks lie in the memory, and nothing else does.
unsafe impl Owns for Bounded {
    fn owns(&self, ptr: *const u8) -> bool {
        (self.base()..self.base() + self.len()).contains(&ptr.addr())
    }
}

impl Validate for Bounded {
    fn validate(&self) -> Result<(), Violation> {
        let free = self.free();
        for ((&low, &room), (&high, _)) in free.iter().zip(free.iter().skip(1)) {
            if low + room >= high {
                let terms = &["offset", "length", "next"];
                return Err(Violation::new("FREE", "offset + length < next", terms, &[low, room, high]));
            }
        }
        Ok(())
    }
}
