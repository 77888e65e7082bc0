//! A malloc family as a resource, so that the whole contract applies to it.

use core::alloc::Layout;
use core::ffi::c_void;
use core::hint::black_box;
use core::ptr::{self, NonNull};

use super::MallocFamily;
use crate::resource::reallocate_by_moving;
use crate::{Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, ThreadSafety};

/// The calls go through `black_box`: the compiler knows `malloc` by name and may remove a pair whose block is not used,
/// or assume that it succeeded.
pub(super) struct MallocResource<'a> {
    pub(super) family: &'a MallocFamily,
}

impl<'a> MallocResource<'a> {
    pub(super) const fn new(family: &'a MallocFamily) -> Self {
        Self { family }
    }

    pub(super) fn malloc(&self, size: usize) -> *mut c_void {
        // SAFETY: FAMILY.
        black_box(unsafe { black_box(self.family.malloc)(size) })
    }

    pub(super) fn calloc(&self, count: usize, size: usize) -> *mut c_void {
        // SAFETY: FAMILY.
        black_box(unsafe { black_box(self.family.calloc)(count, size) })
    }

    /// # Safety
    ///
    /// `block` is null or a live block of the family.
    pub(super) unsafe fn realloc(&self, block: *mut c_void, size: usize) -> *mut c_void {
        // SAFETY: FAMILY; this function's contract.
        black_box(unsafe { black_box(self.family.realloc)(black_box(block), size) })
    }

    /// # Safety
    ///
    /// `block` is null or a live block of the family that nobody uses any more.
    pub(super) unsafe fn free(&self, block: *mut c_void) {
        // SAFETY: FAMILY; this function's contract.
        unsafe { black_box(self.family.free)(black_box(block)) };
    }

    /// By one of the functions that take an alignment; by which depends on the size, so that all have their turn.
    fn aligned(&self, align: usize, size: usize) -> *mut c_void {
        let posix = self.family.posix_memalign.map(|_| 0);
        let plain = [self.family.aligned_alloc, self.family.memalign];
        let present = [posix, plain[0].map(|_| 1), plain[1].map(|_| 2)];
        let count = present.iter().flatten().count();
        if count == 0 {
            return ptr::null_mut();
        }
        match present.iter().flatten().nth(size % count) {
            Some(0) => self.posix(align, size),
            Some(&index) => plain[index - 1].map_or(ptr::null_mut(), |function| {
                // SAFETY: FAMILY.
                black_box(unsafe { black_box(function)(align, size) })
            }),
            None => ptr::null_mut(),
        }
    }

    fn posix(&self, align: usize, size: usize) -> *mut c_void {
        let Some(function) = self.family.posix_memalign else { return ptr::null_mut() };
        let mut out = ptr::null_mut();
        // SAFETY: FAMILY; `out` may be written.
        let status = unsafe { black_box(function)(&raw mut out, align, size) };
        if status == 0 { black_box(out) } else { ptr::null_mut() }
    }

    fn block(&self, start: *mut c_void, size: usize) -> Result<MemoryBlock, AllocError> {
        let start = NonNull::new(start.cast::<u8>()).ok_or(AllocError::OutOfMemory)?;
        let len = self.family.malloc_usable_size.map_or(size, |usable| {
            // SAFETY: FAMILY; a live block of it.
            unsafe { black_box(usable)(start.as_ptr().cast()) }
        });
        Ok(MemoryBlock::new(start, len))
    }
}

// SAFETY: as far as the family is what it claims to be, which is what the kit is to find out: blocks are of the size
// that the family calls usable, and no length or alignment is needed to release them.
unsafe impl MemoryResource for MallocResource<'_> {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let (size, align) = (layout.size(), layout.align());
        let start = if align <= self.family.min_align.bytes() {
            self.malloc(size)
        } else {
            self.aligned(align, size)
        };
        self.block(start, size)
    }

    unsafe fn deallocate(&self, block: MemoryBlock, _: Alignment) {
        // SAFETY: a live block of the family that nobody uses: this function's contract.
        unsafe { self.free(block.as_ptr().cast()) };
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        if align > self.family.min_align {
            // C's `realloc` knows of no alignment.
            // SAFETY: this function's contract.
            return unsafe { reallocate_by_moving(self, block, new_size, align) };
        }
        // Not 0, which is a release to some families.
        // SAFETY: a live block of the family: this function's contract.
        let start = unsafe { self.realloc(block.as_ptr().cast(), new_size.max(1)) };
        self.block(start, new_size)
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let (size, align) = (layout.size(), layout.align());
        if align > self.family.min_align.bytes() {
            let block = self.allocate(layout)?;
            // SAFETY: `len` bytes are valid and ours: returned just now.
            unsafe { block.as_ptr().write_bytes(0, block.len()) };
            return Ok(block);
        }
        let (count, each) = if size % 2 == 0 { (2, size / 2) } else { (size, 1) };
        // C promises zeros for the product only, not for the usable rest, so the rest is not passed on.
        let start = NonNull::new(self.calloc(count, each)).ok_or(AllocError::OutOfMemory)?;
        Ok(MemoryBlock::new(start.cast(), size))
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<MallocResource<'static>>(ptr::from_ref(self.family).addr())
    }

    fn info(&self) -> ResourceInfo<'_> {
        let info = ResourceInfo::new(self.family.name, ThreadSafety::Shared);
        let family = self.family;
        let aligned =
            family.posix_memalign.is_some() || family.aligned_alloc.is_some() || family.memalign.is_some();
        if aligned { info } else { info.with_max_align(family.min_align) }
    }
}
