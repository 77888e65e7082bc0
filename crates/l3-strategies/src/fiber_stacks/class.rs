//! All stacks of one size: a reserved range, a record per stack, and the shared list of those that nobody has.

use core::ptr::NonNull;
use core::slice;

use stratalloc_platform::vm::{self, Access, OsError};
use stratalloc_platform::{page, probe};
use stratalloc_primitives::lockfree::{IndexStack, link};
use stratalloc_primitives::primitive::atomic::{AtomicU32, Ordering};
use stratalloc_primitives::units::{MIB, align_up};

use super::config::ClassConfig;
use super::overflow::ranges;
use super::record::{Record, State};
use super::shape::Shape;
use super::{FiberStacksConfig, FiberStacksError, GiveBack, Guards};

/// How much of a range with markers becomes accessible at once: a system call for many stacks, and not much of a promise where
/// promises are counted.
const COMMIT_STEP: usize = 4 * MIB;

/// What threads change, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Changing {
    /// Stacks in the state `Shared`.
    pub(super) shared: IndexStack,
    /// Stacks that were ever used: those with smaller indices are accessible and guarded. Relaxed: what it counts is the kernel's
    /// doing, which all threads see.
    pub(super) born: AtomicU32,
}

/// The stacks of one size.
///
/// Invariant RANGE: `base` is a reservation of `shape.len()` bytes at `shape.base`, `records` one of `shape.count` records; both are this
/// class's until it is dropped.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) shape: Shape,
    base: NonNull<u8>,
    records: NonNull<Record>,
    pub(super) has_markers: bool,
    /// The number of the first stack, among those of all classes.
    first_number: u64,
    give_back: GiveBack,
    kept: usize,
    /// Where reports of overflows find it; `None` if that table was full.
    listed: Option<usize>,
    pub(super) changing: Changing,
}

// SAFETY: the pointers lead into mappings that only this value uses and that are tied to no thread: RANGE.
unsafe impl Send for Class {}
// SAFETY: shared are only atomics and what never changes; a stack is with one user at a time: its state, the shared list.
unsafe impl Sync for Class {}

/// Bytes of the table of records, in whole pages.
fn records_len(count: usize) -> Option<usize> {
    align_up(count.checked_mul(size_of::<Record>())?, page::size())
}

impl Class {
    pub(super) fn new(
        class: ClassConfig,
        config: &FiberStacksConfig,
        first_number: u64,
    ) -> Result<Self, FiberStacksError> {
        let page = page::size();
        let bad = FiberStacksError::BadConfig;
        let size = align_up(class.size, page).filter(|&size| size > 0).ok_or(bad)?;
        let guard = align_up(config.guard_bytes.max(1), page).ok_or(bad)?;
        // More than there are pages for: all of it.
        let kept = align_up(config.kept_bytes, page).unwrap_or(usize::MAX);
        let mut shape = Shape { base: 0, guard, size, count: class.count };
        let len = shape.checked_len().filter(|&len| len <= isize::MAX.unsigned_abs()).ok_or(bad)?;
        let last = u32::try_from(class.count).ok().and_then(|count| count.checked_sub(1)).ok_or(bad)?;
        let records_len = records_len(class.count).filter(|_| last <= link::MAX_INDEX).ok_or(bad)?;

        let records = vm::reserve(records_len, page, Access::ReadWrite).map_err(FiberStacksError::System)?;
        let base = vm::reserve(len, page, Access::None).map_err(|error| {
            // SAFETY: reserved above, known to nobody.
            let _ = unsafe { vm::release(records, records_len) };
            FiberStacksError::System(error)
        })?;
        shape.base = base.as_ptr().expose_provenance();
        // A huge page would be resident for stacks that nobody touched. Refused where there are none.
        // SAFETY: reserved above; advice changes no contents.
        let _ = unsafe { vm::advise_huge(base, len, false) };
        let mut new = Self {
            shape,
            base,
            records: records.cast(),
            has_markers: false,
            first_number,
            give_back: config.give_back,
            kept,
            listed: None,
            changing: Changing::default(),
        };
        if config.guards != Guards::Mappings {
            new.has_markers = new.try_markers().map_err(FiberStacksError::System)?;
        }
        if config.guards == Guards::Markers && !new.has_markers {
            return Err(FiberStacksError::NoMarkers);
        }
        new.listed = ranges::enter(&shape, new.records);
        Ok(new)
    }

    /// Makes the lowest guard, by a marker if that works: whether it does.
    fn try_markers(&self) -> Result<bool, OsError> {
        // SAFETY: RANGE.
        unsafe { vm::commit(self.base, self.shape.guard) }?;
        match self.mark_guard(0) {
            Ok(()) if !self.is_readable(0) => return Ok(true),
            Err(error) if !error.is_unsupported() => return Err(error),
            // Not known here, or an emulator that accepts whatever it is told.
            _ => {}
        }
        // Back to what all other guards are without markers.
        // SAFETY: RANGE; nobody uses a guard.
        unsafe { vm::protect(self.base, self.shape.guard) }.map(|()| false)
    }

    /// The byte at an offset into the range.
    fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.shape.len());
        // SAFETY: inside the reservation or at its end: RANGE, and the arithmetic of `Shape`.
        unsafe { self.base.add(offset) }
    }

    fn mark_guard(&self, index: usize) -> Result<(), OsError> {
        // SAFETY: RANGE; nobody uses a guard.
        unsafe { vm::install_guard(self.at(self.shape.guard_offset(index)), self.shape.guard) }
    }

    /// Whether a guard is none. The kernel is asked, one system call.
    pub(super) fn is_readable(&self, guard: usize) -> bool {
        probe::word_at(self.shape.base + self.shape.guard_offset(guard)).is_some()
    }

    pub(super) fn records(&self) -> &[Record] {
        // SAFETY: RANGE; all bits zero are a record, and all fields are atomics.
        unsafe { slice::from_raw_parts(self.records.as_ptr(), self.shape.count) }
    }

    /// The record of one of this class's stacks.
    #[inline]
    pub(super) fn record(&self, index: u32) -> &Record {
        &self.records()[index as usize]
    }

    /// The lowest byte of a stack.
    #[inline]
    pub(super) fn limit(&self, index: u32) -> NonNull<u8> {
        self.at(self.shape.limit_offset(index as usize))
    }

    /// One past the highest byte of a stack.
    #[inline]
    pub(super) fn top(&self, index: u32) -> NonNull<u8> {
        self.at(self.shape.guard_offset(index as usize + 1))
    }

    pub(super) fn number(&self, index: u32) -> u64 {
        self.first_number + u64::from(index)
    }

    pub(super) fn born(&self) -> usize {
        self.changing.born.load(Ordering::Relaxed) as usize
    }

    /// Makes a stack somebody's: `Live`, or `Cached`.
    #[inline]
    pub(super) fn hand_out(&self, index: u32) {
        let record = self.record(index);
        record.fiber.store(self.number(index), Ordering::Relaxed);
        record.set_state(State::Live);
    }

    /// A stack of the shared list.
    pub(super) fn take_shared(&self) -> Option<u32> {
        self.changing.shared.pop(|index| self.record(index).next.load(Ordering::Relaxed))
    }

    /// A stack of the shared list, or one that was never used.
    pub(super) fn take(&self) -> Result<u32, FiberStacksError> {
        self.take_shared().map_or_else(|| self.bear(), Ok).or_else(|error| match error {
            // One may have come back while the last fresh one went: only if there is none now, all were out at one moment.
            FiberStacksError::Exhausted => self.take_shared().ok_or(error),
            _ => Err(error),
        })
    }

    /// Makes the next fresh stack accessible.
    #[cold]
    fn bear(&self) -> Result<u32, FiberStacksError> {
        let born = &self.changing.born;
        let mut next = born.load(Ordering::Relaxed);
        loop {
            if next as usize >= self.shape.count {
                return Err(FiberStacksError::Exhausted);
            }
            // Before it is counted, so that nothing has to be undone if the system refuses. Two threads may do the same here, and one of
            // them late, when the stack is in use already: `vm` allows that for what is done here, and the outcome is the same.
            self.open(next as usize).map_err(FiberStacksError::System)?;
            match born.compare_exchange(next, next + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(next),
                Err(now) => next = now,
            }
        }
    }

    /// Makes stack `index` accessible and the guard above it one; the guard below is one already.
    fn open(&self, index: usize) -> Result<(), OsError> {
        if !self.has_markers {
            // Everything else has had no access from the start.
            // SAFETY: RANGE.
            return unsafe { vm::commit(self.at(self.shape.limit_offset(index)), self.shape.size) };
        }
        let step = (COMMIT_STEP / self.shape.stride()).max(1);
        if index.is_multiple_of(step) {
            let end = self.shape.count.min(index.saturating_add(step));
            let (from, to) = (self.shape.limit_offset(index), self.shape.limit_offset(end));
            // SAFETY: RANGE.
            unsafe { vm::commit(self.at(from), to - from) }?;
        }
        self.mark_guard(index + 1)
    }

    /// A stack that nobody uses any more was returned: the configuration may want it small at once.
    #[inline]
    pub(super) fn on_return(&self, index: u32) {
        if self.give_back == GiveBack::Always {
            self.shrink(index, self.kept);
        }
    }

    /// Gives a stack, which is the caller's, to the shared list.
    pub(super) fn share(&self, index: u32) {
        self.before_share(index);
        self.push(index);
    }

    /// Puts a stack into the shared list that is `Shared` already.
    pub(super) fn push(&self, index: u32) {
        self.changing.shared.push(index, |next| self.record(index).next.store(next, Ordering::Relaxed));
    }

    /// Gives several stacks, which are the caller's, to the shared list by one exchange.
    pub(super) fn share_all(&self, indices: &[u32]) {
        let [first, others @ ..] = indices else { return };
        self.before_share(*first);
        let mut last = *first;
        for &index in others {
            self.before_share(index);
            self.record(last).next.store(link::to(index), Ordering::Relaxed);
            last = index;
        }
        self.changing.shared.push_chain(*first, |next| self.record(last).next.store(next, Ordering::Relaxed));
    }

    fn before_share(&self, index: u32) {
        if self.give_back == GiveBack::WhenShared {
            self.shrink(index, self.kept);
        }
        self.record(index).set_state(State::Shared);
    }

    /// Gives back what lies deeper than `kept` bytes in a stack that nobody uses, and remembers how deep it was used. What the system
    /// would not take back, locked pages for instance, stays.
    pub(super) fn shrink(&self, index: u32, kept: usize) {
        let deep = self.shape.size.saturating_sub(kept);
        if deep == 0 {
            return;
        }
        let limit = self.limit(index);
        // SAFETY: RANGE.
        if let Ok(Some(first)) = unsafe { vm::first_resident(limit, deep) } {
            self.record(index).note_use(self.shape.size - first);
            // SAFETY: inside the stack.
            let start = unsafe { limit.add(first) };
            // SAFETY: RANGE; the contents are nobody's any more.
            let _ = unsafe { vm::purge(start, deep - first) };
        }
    }

    /// How deep a stack has been used, in bytes of whole pages: as far as is known, and now.
    pub(super) fn high_water(&self, index: u32) -> Result<usize, FiberStacksError> {
        // SAFETY: RANGE.
        let first = unsafe { vm::first_resident(self.limit(index), self.shape.size) };
        let depth = first.map_err(FiberStacksError::System)?.map_or(0, |first| self.shape.size - first);
        Ok(self.record(index).note_use(depth))
    }

    /// The bytes of memory behind one stack; 0 if the system does not say.
    pub(super) fn resident(&self, index: u32) -> usize {
        // SAFETY: RANGE.
        unsafe { vm::resident(self.limit(index), self.shape.size) }.unwrap_or(0)
    }
}

impl Drop for Class {
    fn drop(&mut self) {
        if let Some(entry) = self.listed {
            ranges::leave(entry);
        }
        // Whole reservations: no mapping is split, so there is no reason to refuse. If it is done all the same they stay behind.
        // SAFETY: RANGE; stacks borrow their class, so none is in use.
        let _ = unsafe { vm::release(self.base, self.shape.len()) };
        let records_len = records_len(self.shape.count).unwrap_or(0);
        // SAFETY: RANGE; the records were this value's alone, now that reports cannot find them.
        let _ = unsafe { vm::release(self.records.cast(), records_len) };
    }
}
