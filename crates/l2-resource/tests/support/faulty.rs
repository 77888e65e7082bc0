//! The same resource with one defect, chosen at run time.

use alloc::sync::Arc;
use core::alloc::Layout;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use stratalloc_resource::{
    Alignment, AllocError, MemoryBlock, MemoryResource, Owns, ResourceId, ResourceInfo, SizeClasses,
    ThreadSafety, Validate, Violation,
};

use crate::support::{BASE_ALIGN, Bounded, Memory};

/// What is wrong; each is a mistake that people have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each test binary uses its part")]
pub(crate) enum Defect {
    None,
    RefusesMiddleAlignments,
    OneByteShort,
    IgnoresAlignment,
    AccountsHandedLength,
    RefusesZero,
    HandsOutTwice,
    WritesToNeighbour,
    GrowLosesTail,
    ShrinkLosesTail,
    ResizedShort,
    ResizedUnaligned,
    ZeroesNothing,
    ZeroesRequestOnly,
    ArenaPerThread,
    RemoteReleaseTwice,
    Panics,
    HugeWraps,
    ResizeWraps,
    FailedResizeReleases,
    FailedResizeScribbles,
    UnderstatesCapacity,
    WrongReasonWhenFull,
    LeaksWhenFull,
    EqualToNothing,
    EqualToAll,
    IdentityMoves,
    EqualButSeparate,
    NoName,
    UnorderedClasses,
    OwnsNothing,
    OwnsAll,
    BrokenEquation,
}

#[derive(Default)]
struct Notes {
    /// Live blocks, in the order of their requests, with the threads that made them.
    live: Vec<(MemoryBlock, ThreadId)>,
    stale: Vec<MemoryBlock>,
    counted: usize,
}

pub(crate) struct Faulty {
    defect: Defect,
    memory: Arc<Memory>,
    inner: Bounded,
    arenas: Mutex<HashMap<ThreadId, Arc<Bounded>>>,
    notes: Mutex<Notes>,
    calls: AtomicUsize,
}

impl Faulty {
    pub(crate) fn new(defect: Defect, len: usize) -> Self {
        let memory = Memory::new(len);
        let inner = Bounded::over(Arc::clone(&memory));
        let (arenas, notes, calls) = Default::default();
        Self { defect, memory, inner, arenas, notes, calls }
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The arena of this thread, each over all of the memory.
    fn arena(&self) -> Arc<Bounded> {
        let mut arenas = self.arenas.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Bounded::over(Arc::clone(&self.memory)));
        Arc::clone(arenas.entry(thread::current().id()).or_insert_with(new))
    }

    fn take(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let layout = match self.defect {
            Defect::IgnoresAlignment => Layout::from_size_align(layout.size(), 1).unwrap(),
            _ => layout,
        };
        if self.is(Defect::ArenaPerThread) {
            self.arena().allocate(layout)
        } else {
            self.inner.allocate(layout)
        }
    }

    fn put(&self, block: MemoryBlock, align: Alignment) {
        let arena = self.arena();
        let resource = if self.is(Defect::ArenaPerThread) { &*arena } else { &self.inner };
        // SAFETY: what the kit handed back, which keeps its side of the contract.
        unsafe { resource.deallocate(block, align) };
    }

    /// As the crate's `reallocate_by_moving`, for blocks that may overlap: some defects hand out the same memory twice.
    ///
    /// # Safety
    ///
    /// As for [`MemoryResource::reallocate`].
    unsafe fn move_to_new(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let Ok(layout) = Layout::from_size_align(new_size, align.bytes()) else {
            return Err(AllocError::SizeOverflow);
        };
        let moved = self.allocate(layout)?;
        // SAFETY: both are live and at least that long.
        unsafe { moved.as_ptr().copy_from(block.as_ptr(), block.len().min(moved.len())) };
        // SAFETY: live, not used any more: this function's contract.
        unsafe { self.deallocate(block, align) };
        Ok(moved)
    }

    /// Defects in answering requests; `None` if there is none here.
    fn misserve(&self, layout: Layout) -> Option<Result<MemoryBlock, AllocError>> {
        let (size, align) = (layout.size(), layout.align());
        match self.defect {
            Defect::RefusesMiddleAlignments if align == 64 => Some(Err(AllocError::BadAlignment)),
            Defect::RefusesZero if size == 0 => Some(Err(AllocError::Unsupported)),
            Defect::OneByteShort if size > 100 => {
                let block = self.take(Layout::from_size_align(size - 1, align).unwrap());
                Some(block.map(|block| block.truncated(size - 1).unwrap()))
            }
            Defect::HandsOutTwice if self.calls.fetch_add(1, Ordering::Relaxed) % 64 == 63 => {
                let notes = self.notes();
                let fits = notes.live.iter().map(|live| live.0);
                fits.filter(|block| block.len() >= size && block.address().is_multiple_of(align))
                    .map(Ok)
                    .next_back()
            }
            Defect::RemoteReleaseTwice => {
                let mut notes = self.notes();
                let fits = |block: &MemoryBlock| block.len() >= size && block.address().is_multiple_of(align);
                let index = notes.stale.iter().position(fits)?;
                Some(Ok(notes.stale.swap_remove(index)))
            }
            Defect::HugeWraps if size > isize::MAX.unsigned_abs() / 4 => {
                let block = self.take(Layout::from_size_align(1, align).unwrap());
                Some(block.map(|block| MemoryBlock::new(block.as_non_null(), size)))
            }
            Defect::Panics => {
                assert!(size < isize::MAX.unsigned_abs() / 2, "the size fits");
                None
            }
            Defect::AccountsHandedLength => {
                let full = self.notes().counted + size > self.inner.len();
                full.then_some(Err(AllocError::CapacityExhausted))
            }
            _ => None,
        }
    }

    fn full(&self, error: AllocError) -> AllocError {
        match self.defect {
            Defect::LeaksWhenFull if error == AllocError::CapacityExhausted => {
                let _ = self.take(Layout::from_size_align(256, 16).unwrap());
                error
            }
            Defect::WrongReasonWhenFull => AllocError::Unsupported,
            _ => error,
        }
    }
}

// SAFETY: none. One clause is broken on purpose, always so that the kit can notice before memory is misused.
unsafe impl MemoryResource for Faulty {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let answer = self.misserve(layout).unwrap_or_else(|| self.take(layout));
        let block = answer.map_err(|error| self.full(error))?;
        let mut notes = self.notes();
        notes.live.push((block, thread::current().id()));
        notes.counted += block.len();
        Ok(block)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        let mut notes = self.notes();
        let index = notes.live.iter().position(|live| live.0.address() == block.address());
        let Some(index) = index else { return };
        let (real, maker) = notes.live.swap_remove(index);
        notes.counted -= if self.is(Defect::AccountsHandedLength) { block.len() } else { real.len() };
        if self.is(Defect::RemoteReleaseTwice) && maker != thread::current().id() {
            notes.stale.push(real);
        }
        if self.is(Defect::WritesToNeighbour)
            && let Some((victim, _)) = notes.live.last()
        {
            // SAFETY: a live block of at least 16 bytes; nobody looks at it during this call.
            unsafe { victim.as_ptr().write(0xEE) };
        }
        drop(notes);
        self.put(real, align);
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let (grows, shrinks) = (new_size > block.len(), new_size < block.len());
        let shorter = |by: usize| MemoryBlock::new(block.as_non_null(), block.len().saturating_sub(by));
        let lossy =
            (self.is(Defect::GrowLosesTail) && grows) || (self.is(Defect::ShrinkLosesTail) && shrinks);
        if lossy && new_size <= 1 << 20 {
            let moved = self.allocate(Layout::from_size_align(new_size, align.bytes()).unwrap())?;
            let kept = shorter(1).len().min(new_size.saturating_sub(1));
            // SAFETY: both are live and at least that long.
            unsafe { moved.as_ptr().copy_from(block.as_ptr(), kept) };
            if kept < moved.len() {
                // SAFETY: inside the new block. Whatever was there before is gone, so nothing matches by luck.
                let rest = unsafe { moved.as_ptr().add(kept) };
                // SAFETY: as above.
                unsafe { rest.write_bytes(0xBB, moved.len() - kept) };
            }
            // SAFETY: live, not used any more.
            unsafe { self.deallocate(block, align) };
            return Ok(moved);
        }
        let (size, moved_align) = match self.defect {
            Defect::ResizedUnaligned => (new_size, Alignment::ONE),
            Defect::ResizeWraps if new_size > isize::MAX.unsigned_abs() => {
                (new_size.wrapping_add(4096), align)
            }
            _ => (new_size, align),
        };
        // SAFETY: live, fitting: the kit's side of the contract.
        let answer = unsafe { self.move_to_new(block, size, moved_align) };
        match (self.defect, answer) {
            (Defect::ResizedShort, Ok(moved)) => Ok(moved.truncated(new_size.saturating_sub(1)).unwrap()),
            (Defect::FailedResizeReleases, Err(error)) => {
                // SAFETY: live; wrong, but not yet misused.
                unsafe { self.deallocate(block, align) };
                Err(error)
            }
            (Defect::FailedResizeScribbles, Err(error)) => {
                // SAFETY: live, at least one byte.
                unsafe { block.as_ptr().write(0xEE) };
                Err(error)
            }
            (_, answer) => answer,
        }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let block = self.allocate(layout)?;
        let len = match self.defect {
            // Fresh memory is zero already; it is the recycled one that shows.
            Defect::ZeroesNothing => 0,
            Defect::ZeroesRequestOnly => layout.size(),
            _ if layout.size() > self.inner.len() => 0,
            _ => block.len(),
        };
        // SAFETY: live, ours, at least that long.
        unsafe { block.as_ptr().write_bytes(0, len) };
        Ok(block)
    }

    fn identity(&self) -> ResourceId {
        match self.defect {
            Defect::IdentityMoves => ResourceId::new::<Self>(self.notes().live.len()),
            Defect::EqualButSeparate => ResourceId::new::<Self>(0),
            _ => ResourceId::new::<Self>(core::ptr::from_ref(&*self.memory).addr()),
        }
    }

    fn is_equal(&self, other: &dyn MemoryResource) -> bool {
        match self.defect {
            Defect::EqualToNothing => false,
            Defect::EqualToAll => true,
            _ => self.identity() == other.identity(),
        }
    }

    fn info(&self) -> ResourceInfo<'_> {
        let name = if self.is(Defect::NoName) { "" } else { "faulty" };
        let classes: &[usize] = if self.is(Defect::UnorderedClasses) { &[16, 64, 32] } else { &[] };
        let stated =
            if self.is(Defect::UnderstatesCapacity) { self.inner.len() / 2 } else { self.inner.len() };
        ResourceInfo::new(name, ThreadSafety::Shared)
            .with_capacity(stated)
            .with_max_align(Alignment::constant::<BASE_ALIGN>())
            .with_size_classes(SizeClasses::slice(classes))
    }
}

// SAFETY: none, as above.
unsafe impl Owns for Faulty {
    fn owns(&self, ptr: *const u8) -> bool {
        match self.defect {
            Defect::OwnsNothing => false,
            Defect::OwnsAll => true,
            _ => self.inner.owns(ptr),
        }
    }
}

impl Validate for Faulty {
    fn validate(&self) -> Result<(), Violation> {
        let live = self.notes().live.len();
        if self.is(Defect::BrokenEquation) && live > 10 {
            return Err(Violation::new("LIVE", "live <= limit", &["live", "limit"], &[live, 10]));
        }
        Ok(())
    }
}
