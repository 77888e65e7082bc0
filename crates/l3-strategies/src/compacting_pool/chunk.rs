//! Chunks and their cells.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::{Alignment, AllocError, MemoryBlock, MemoryResource};

/// The owner of a cell without a value; entries have smaller numbers.
pub(super) const FREE: u32 = u32::MAX;
/// No cell.
pub(super) const NONE: u32 = u32::MAX;

/// Room for a value.
#[repr(C)]
pub(super) struct Cell<T> {
    value: Place<T>,
    /// The entry of the value that is here, or [`FREE`].
    owner: u32,
    /// This cell's number in its chunk; never changes.
    number: u32,
}

/// The value, or the number of the next free cell.
#[repr(C)]
union Place<T> {
    value: core::mem::ManuallyDrop<T>,
    next: u32,
}

impl<T> Cell<T> {
    pub(super) fn value(this: NonNull<Self>) -> NonNull<T> {
        // `repr(C)`, twice: the value is at the start.
        this.cast()
    }

    /// # Safety
    ///
    /// A free cell that was taken out of its chunk's list.
    pub(super) unsafe fn fill(this: NonNull<Self>, value: T) {
        // SAFETY: room for a value, which is at the start.
        unsafe { Self::value(this).write(value) };
    }

    /// # Safety
    ///
    /// A cell of a chunk.
    pub(super) unsafe fn set_owner(this: NonNull<Self>, owner: u32) {
        // SAFETY: this function's contract.
        unsafe { (*this.as_ptr()).owner = owner };
    }

    /// # Safety
    ///
    /// A cell of a chunk.
    pub(super) unsafe fn owner(this: NonNull<Self>) -> u32 {
        // SAFETY: this function's contract.
        unsafe { (*this.as_ptr()).owner }
    }
}

/// The head of a chunk; its cells follow.
pub(super) struct Chunk<T> {
    pub(super) next: Option<NonNull<Self>>,
    pub(super) previous: Option<NonNull<Self>>,
    /// Which list it is in.
    pub(super) list: usize,
    pub(super) cells: u32,
    pub(super) live: u32,
    pub(super) pinned: u32,
    /// The first free cell; `NONE` without any.
    free: u32,
    cell: core::marker::PhantomData<Cell<T>>,
}

impl<T> Chunk<T> {
    /// Where the cells begin.
    const FIRST: usize = Layout::new::<Self>().size().next_multiple_of(align_of::<Cell<T>>());

    /// As many cells as fit `bytes` together with the head.
    pub(super) const fn fit(bytes: usize) -> usize {
        bytes.saturating_sub(Self::FIRST) / size_of::<Cell<T>>()
    }

    /// Head and cells.
    pub(super) fn layout(cells: u32) -> Result<Layout, AllocError> {
        let array = Layout::array::<Cell<T>>(cells as usize);
        let whole = array.and_then(|array| Layout::new::<Self>().extend(array));
        let (layout, first) = whole.map_err(|_| AllocError::SizeOverflow)?;
        debug_assert_eq!(first, Self::FIRST);
        Ok(layout)
    }

    /// A chunk of free cells.
    pub(super) fn new(cells: u32, upstream: &impl MemoryResource) -> Result<NonNull<Self>, AllocError> {
        let this = upstream.allocate(Self::layout(cells)?)?.as_non_null().cast::<Self>();
        let cell = core::marker::PhantomData;
        let head = Self { next: None, previous: None, list: 0, cells, live: 0, pinned: 0, free: 0, cell };
        // SAFETY: a live block for this layout.
        unsafe { this.write(head) };
        for number in 0..cells {
            // SAFETY: one of its cells.
            let cell = unsafe { Self::cell(this, number) };
            let next = if number + 1 < cells { number + 1 } else { NONE };
            // SAFETY: inside the block, valid for writes, ours.
            unsafe { cell.write(Cell { value: Place { next }, owner: FREE, number }) };
        }
        Ok(this)
    }

    /// # Safety
    ///
    /// A chunk in nobody's list, without values, not used any more, from this upstream.
    pub(super) unsafe fn release(this: NonNull<Self>, upstream: &impl MemoryResource) {
        // SAFETY: alive until here.
        let cells = unsafe { this.as_ref() }.cells;
        if let Ok(layout) = Self::layout(cells) {
            let block = MemoryBlock::new(this.cast(), layout.size());
            // SAFETY: live upstream, with this layout; not used any more.
            unsafe { upstream.deallocate(block, Alignment::from_layout(layout)) };
        }
    }

    /// # Safety
    ///
    /// A chunk, and a number below its count of cells.
    pub(super) unsafe fn cell(this: NonNull<Self>, number: u32) -> NonNull<Cell<T>> {
        // SAFETY: the cells follow the head, as in `layout`.
        let first = unsafe { this.byte_add(Self::FIRST) }.cast::<Cell<T>>();
        // SAFETY: this function's contract.
        unsafe { first.add(number as usize) }
    }

    /// The chunk of a cell.
    ///
    /// # Safety
    ///
    /// A cell of a chunk.
    pub(super) unsafe fn of(cell: NonNull<Cell<T>>) -> NonNull<Self> {
        // SAFETY: this function's contract.
        let number = unsafe { cell.as_ref() }.number;
        // SAFETY: as far behind the first cell.
        let first = unsafe { cell.sub(number as usize) };
        // SAFETY: the head is that far before the first cell.
        unsafe { first.byte_sub(Self::FIRST) }.cast()
    }

    /// Takes a free cell out.
    ///
    /// # Safety
    ///
    /// A chunk with a free cell.
    pub(super) unsafe fn take(this: NonNull<Self>) -> NonNull<Cell<T>> {
        // SAFETY: a chunk.
        let head = unsafe { &mut *this.as_ptr() };
        // SAFETY: there is a free cell, and this is the first.
        let cell = unsafe { Self::cell(this, head.free) };
        // SAFETY: a cell.
        let place = unsafe { cell.as_ref() };
        // SAFETY: a free cell holds a number.
        head.free = unsafe { place.value.next };
        head.live += 1;
        cell
    }

    /// Gives a cell back whose value is gone.
    ///
    /// # Safety
    ///
    /// A cell that was taken, of this chunk.
    pub(super) unsafe fn give(this: NonNull<Self>, cell: NonNull<Cell<T>>) {
        // SAFETY: a chunk.
        let head = unsafe { &mut *this.as_ptr() };
        // SAFETY: a cell.
        let place = unsafe { &mut *cell.as_ptr() };
        place.owner = FREE;
        place.value = Place { next: head.free };
        head.free = place.number;
        head.live -= 1;
    }

    /// # Safety
    ///
    /// A chunk; its values are not used any more.
    pub(super) unsafe fn drop_values(this: NonNull<Self>) {
        // SAFETY: a chunk.
        for number in 0..unsafe { this.as_ref() }.cells {
            // SAFETY: one of its cells.
            let cell = unsafe { Self::cell(this, number) };
            // SAFETY: as above.
            if unsafe { Cell::owner(cell) } != FREE {
                // SAFETY: as above; marked before, so that a panic in the drop does not drop it again.
                unsafe { Cell::set_owner(cell, FREE) };
                // SAFETY: it has a value, which nobody uses any more.
                unsafe { Cell::value(cell).drop_in_place() };
            }
        }
    }
}
