//! Moving values out of sparse chunks, a bounded number of steps at a time.

use core::ptr::NonNull;

use stratalloc_resource::{AllocError, MemoryResource};

use super::CompactingPool;
use super::chunk::{Cell, Chunk, FREE};
use super::lists::{EMPTY, SOURCE, home};

/// The chunk that is being emptied, and the cell to look at next.
pub(super) struct Source<T> {
    pub(super) chunk: NonNull<Chunk<T>>,
    next: u32,
}

/// What one call of [`CompactingPool::compact`] did. An example is at the [module](super).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Cells looked at and chunks released: at most the budget.
    pub steps: usize,
    /// Values moved.
    pub moved: usize,
    /// Chunks given back upstream.
    pub released: usize,
    /// Whether no chunk could be emptied into the others any more.
    pub done: bool,
}

impl<T, U: MemoryResource> CompactingPool<T, U> {
    /// Empties sparse chunks into fuller ones and gives them back: at most `budget` steps, each of which looks at a cell (and moves the
    /// value there) or releases a chunk. Goes on where the last call stopped. An example is at the [module](super).
    ///
    /// Handles stay valid; pinned values stay where they are.
    pub fn compact(&mut self, budget: usize) -> Compaction {
        let mut report = Compaction::default();
        while report.steps < budget {
            if let Some(chunk) = self.lists.head(EMPTY) {
                // SAFETY: a chunk of ours, in a list, without values.
                unsafe { self.release(chunk) };
                report.released += 1;
            } else if self.source.is_some() {
                report.moved += usize::from(self.step());
            } else if self.begin() {
                continue;
            } else {
                break;
            }
            report.steps += 1;
        }
        report.done = self.source.is_none() && self.lists.head(EMPTY).is_none() && self.candidate().is_none();
        report
    }

    /// The sparsest chunk, if the room of the others is enough for its values.
    fn candidate(&self) -> Option<NonNull<Chunk<T>>> {
        let chunk = self.lists.sparsest()?;
        // All chunks but this one hold all values: (chunks − 1) × cells ≥ live. (Empty chunks were released before.)
        ((self.chunks - 1) * self.cells as usize >= self.live).then_some(chunk)
    }

    fn begin(&mut self) -> bool {
        let Some(chunk) = self.candidate() else { return false };
        // SAFETY: a chunk of ours, in a list.
        unsafe { self.lists.remove(chunk) };
        // SAFETY: in no list.
        unsafe { self.lists.push(chunk, SOURCE) };
        self.source = Some(Source { chunk, next: 0 });
        true
    }

    /// Looks at the source's next cell; whether a value was moved.
    fn step(&mut self) -> bool {
        let Some(source) = &mut self.source else { return false };
        let (chunk, number) = (source.chunk, source.next);
        // SAFETY: a chunk of ours.
        let head = unsafe { chunk.as_ref() };
        if number == head.cells || head.live == 0 {
            self.end_source();
            return false;
        }
        source.next += 1;
        // SAFETY: below the count.
        let cell = unsafe { Chunk::cell(chunk, number) };
        // SAFETY: a cell of a chunk.
        let owner = unsafe { Cell::owner(cell) };
        if owner == FREE {
            return false;
        }
        let Some(target) = self.lists.target() else {
            // What has been put in meanwhile took the room.
            self.end_source();
            return false;
        };
        // SAFETY: a chunk with room, another one than the source, which is in a list of its own.
        let place = unsafe { self.take_cell(target) };
        // SAFETY: a value, and room for one; different cells. It is in one place at a time: the old cell becomes free.
        unsafe { Cell::value(place).copy_from_nonoverlapping(Cell::value(cell), 1) };
        // SAFETY: a cell of a chunk.
        unsafe { Cell::set_owner(place, owner) };
        self.entries.moved(owner, place);
        // SAFETY: taken, of this chunk; its value is elsewhere.
        unsafe { Chunk::give(chunk, cell) };
        true
    }

    /// The source is a chunk like any other again.
    fn end_source(&mut self) {
        if let Some(source) = self.source.take() {
            // SAFETY: a chunk of ours.
            unsafe { self.rehome(source.chunk) };
        }
    }

    /// Puts a chunk into the list where it belongs after a change.
    ///
    /// # Safety
    ///
    /// A chunk of ours, in a list.
    #[inline]
    pub(super) unsafe fn rehome(&mut self, chunk: NonNull<Chunk<T>>) {
        // SAFETY: this function's contract.
        let head = unsafe { chunk.as_ref() };
        let mut belongs = home(head);
        if self.source.as_ref().is_some_and(|source| source.chunk == chunk) {
            if head.pinned == 0 && head.live < head.cells {
                return;
            }
            self.source = None;
            belongs = home(head);
        }
        if head.list != belongs {
            // SAFETY: in a list.
            unsafe { self.lists.remove(chunk) };
            // SAFETY: in no list.
            unsafe { self.lists.push(chunk, belongs) };
        }
    }

    /// # Safety
    ///
    /// A chunk of ours with room, in a list.
    #[inline]
    pub(super) unsafe fn take_cell(&mut self, chunk: NonNull<Chunk<T>>) -> NonNull<Cell<T>> {
        // SAFETY: this function's contract.
        let cell = unsafe { Chunk::take(chunk) };
        // SAFETY: likewise.
        unsafe { self.rehome(chunk) };
        cell
    }

    /// # Safety
    ///
    /// A cell of ours whose value is gone.
    #[inline]
    pub(super) unsafe fn give_cell(&mut self, cell: NonNull<Cell<T>>) {
        // SAFETY: this function's contract.
        let chunk = unsafe { Chunk::of(cell) };
        // SAFETY: likewise.
        unsafe { Chunk::give(chunk, cell) };
        // SAFETY: a chunk of ours.
        unsafe { self.rehome(chunk) };
    }

    /// # Safety
    ///
    /// A live cell of ours, of which one value more, or less, is pinned.
    pub(super) unsafe fn change_pins(&mut self, cell: NonNull<Cell<T>>, by: i32) {
        // SAFETY: this function's contract.
        let mut chunk = unsafe { Chunk::of(cell) };
        // SAFETY: a chunk of ours.
        let head = unsafe { chunk.as_mut() };
        head.pinned = head.pinned.wrapping_add_signed(by);
        // SAFETY: as above.
        unsafe { self.rehome(chunk) };
    }

    /// A chunk more.
    #[cold]
    #[inline(never)]
    pub(super) fn grow(&mut self) -> Result<NonNull<Chunk<T>>, AllocError> {
        let chunk = Chunk::new(self.cells, &self.upstream)?;
        // SAFETY: new, in no list.
        unsafe { self.lists.push(chunk, EMPTY) };
        self.chunks += 1;
        Ok(chunk)
    }

    /// # Safety
    ///
    /// A chunk of ours without values, in a list.
    unsafe fn release(&mut self, chunk: NonNull<Chunk<T>>) {
        // SAFETY: this function's contract.
        unsafe { self.lists.remove(chunk) };
        self.chunks -= 1;
        // SAFETY: in no list, without values, from this upstream.
        unsafe { Chunk::release(chunk, &self.upstream) };
    }
}
