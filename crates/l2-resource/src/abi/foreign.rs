//! A resource that somebody else made, for Rust.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::{ErrorCode, NAME_LEN, RawBlock, RawInfo, RawResource, ResourceV1, UNKNOWN};
use crate::{
    Alignment, AllocError, MemoryBlock, MemoryResource, ResourceId, ResourceInfo, Reuse, ThreadSafety,
    reallocate_by_moving,
};

/// A [`MemoryResource`] behind a table: made in C, or in another shared object.
///
/// It is a handle: dropping it ends nothing. It is confined to one thread like the pointer that it holds, even where
/// the resource's [`info`](MemoryResource::info) says that any thread may call it.
///
/// What the table answers is checked where a wrong answer would hurt others: a block that is null, too short or misaligned is
/// handed back and becomes [`Unsupported`](AllocError::Unsupported), but for that of a resize, which is all that is left of
/// the old block: see [`resized`](Self::resized). Cost: the call through the table. An example is at
/// [`ExportedResource`](super::ExportedResource).
#[derive(Clone, Copy, Debug)]
pub struct ForeignResource {
    // Invariant FOREIGN: leads to a resource that keeps the contract of the table, as long as this handle is used.
    raw: NonNull<RawResource>,
    table: ResourceV1,
    // As it was at first, since a name has to live somewhere.
    name: [u8; NAME_LEN],
}

impl ForeignResource {
    /// A handle to the resource at `raw`. See [`ExportedResource`](crate::abi::ExportedResource) for an example.
    ///
    /// # Errors
    ///
    /// As for [`ResourceV1::of`].
    ///
    /// # Safety
    ///
    /// * `raw` leads to a resource with a table as [`ResourceV1`] describes it, whose functions keep the contract of
    ///   [`MemoryResource`];
    /// * it lives, at its place, as long as this handle, its copies and their blocks are used;
    /// * unless it is for any thread, all of that happens on one thread at a time.
    pub unsafe fn new(raw: NonNull<RawResource>) -> Result<Self, ErrorCode> {
        // SAFETY: this function's contract.
        let table = unsafe { ResourceV1::of(raw) }?;
        let mut handle = Self { raw, table, name: [0; NAME_LEN] };
        if let Some(info) = handle.ask() {
            // The last one is a zero whatever was said.
            for (place, byte) in handle.name[..NAME_LEN - 1].iter_mut().zip(info.name) {
                [*place] = byte.to_ne_bytes();
            }
        }
        Ok(handle)
    }

    /// The resource behind it. See [`ExportedResource`](crate::abi::ExportedResource) for an example.
    #[must_use]
    pub const fn raw(&self) -> NonNull<RawResource> {
        self.raw
    }

    fn ask(&self) -> Option<RawInfo> {
        let mut info = RawInfo::UNKNOWN;
        // SAFETY: FOREIGN; the place is as large as it says.
        let code = unsafe { self.table.info?(self.raw.as_ptr(), &raw mut info) };
        (code == ErrorCode::OK).then_some(info)
    }

    /// The block that a request was answered with, or why there is none.
    fn accept(
        &self,
        code: ErrorCode,
        answer: RawBlock,
        size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        match code.alloc_error() {
            Some(error) => Err(error),
            None => answer.fitting(size, align).ok_or_else(|| {
                self.give(answer, align);
                AllocError::Unsupported
            }),
        }
    }

    /// The block that a successful resize of `old` was answered with, whether or not the answer fits.
    ///
    /// A resource that reports success has given the old block up and put its bytes into the answer, so an answer that is
    /// too short or misaligned must not go back: then there would be neither. If it begins where the old one did, that one is
    /// still there, and stays. If it lies elsewhere, its bytes move to a new block that does fit, and only then is it released.
    ///
    /// # Errors
    ///
    /// [`AllocError::Unsupported`] for an answer at the old place, or none; those of `allocate` where no new block is to be had (then the
    /// bytes are wherever the resource has put them, and nothing was released).
    ///
    /// # Safety
    ///
    /// `answer` is what the resource's `resize` stored as it answered [`ErrorCode::OK`] for `old`, with that size and alignment.
    pub unsafe fn resized(
        &self,
        old: MemoryBlock,
        answer: RawBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        if let Some(block) = answer.fitting(new_size, align) {
            return Ok(block);
        }
        if answer.start.is_null() || answer.start == old.as_ptr() {
            return Err(AllocError::Unsupported);
        }
        let layout =
            Layout::from_size_align(new_size, align.bytes()).map_err(|_| AllocError::SizeOverflow)?;
        let moved = self.allocate(layout)?;
        let kept = old.len().min(answer.len).min(moved.len());
        // SAFETY: `kept` is within both blocks, which are live and so apart: FOREIGN.
        unsafe { moved.as_ptr().copy_from_nonoverlapping(answer.start, kept) };
        self.give(answer, align);
        Ok(moved)
    }

    fn give(&self, block: RawBlock, align: Alignment) {
        if let Some(release) = self.table.release
            && !block.start.is_null()
        {
            // SAFETY: FOREIGN; the callers hand over blocks that this resource made and nobody uses any more. What it answers to
            // that is between it and its maker: Rust's contract has no place for it.
            unsafe { release(self.raw.as_ptr(), block.start, block.len, align.bytes()) };
        }
    }
}

// SAFETY: the table's functions keep this contract: FOREIGN. Fit is checked by `accept` and `resized` besides. Threads: not `Sync`.
// Identity: the address of the resource, which does not move.
unsafe impl MemoryResource for ForeignResource {
    fn allocate(&self, layout: Layout) -> Result<MemoryBlock, AllocError> {
        let (Some(allocate), mut out) = (self.table.allocate, RawBlock::NULL) else {
            return Err(AllocError::Unsupported);
        };
        // SAFETY: FOREIGN; `out` is a place for a block.
        let code = unsafe { allocate(self.raw.as_ptr(), layout.size(), layout.align(), &raw mut out) };
        self.accept(code, out, layout.size(), Alignment::from_layout(layout))
    }

    unsafe fn deallocate(&self, block: MemoryBlock, align: Alignment) {
        self.give(block.into(), align);
    }

    unsafe fn reallocate(
        &self,
        block: MemoryBlock,
        new_size: usize,
        align: Alignment,
    ) -> Result<MemoryBlock, AllocError> {
        let Some(resize) = self.table.resize else {
            // SAFETY: this function's contract.
            return unsafe { reallocate_by_moving(self, block, new_size, align) };
        };
        if Layout::from_size_align(new_size, align.bytes()).is_err() {
            return Err(AllocError::SizeOverflow);
        }
        let (raw, mut out) = (self.raw.as_ptr(), RawBlock::NULL);
        // SAFETY: FOREIGN; a live block of the resource: this function's contract.
        let code = unsafe { resize(raw, block.as_ptr(), block.len(), align.bytes(), new_size, &raw mut out) };
        match code.alloc_error() {
            Some(error) => Err(error),
            // SAFETY: what it answered to this just now.
            None => unsafe { self.resized(block, out, new_size, align) },
        }
    }

    fn identity(&self) -> ResourceId {
        ResourceId::new::<RawResource>(self.raw.addr().get())
    }

    fn info(&self) -> ResourceInfo<'_> {
        let said = self.ask().unwrap_or(RawInfo::UNKNOWN);
        let end = self.name.iter().position(|&byte| byte == 0).unwrap_or(0);
        let name = self.name.get(..end).and_then(|name| str::from_utf8(name).ok());
        let name = name.filter(|name| !name.is_empty()).unwrap_or("foreign");
        let threads = if said.threads == 1 { ThreadSafety::Shared } else { ThreadSafety::Confined };
        let reuse = match said.reuse {
            1 => Reuse::LastFirst,
            2 => Reuse::AllTogether,
            _ => Reuse::EachBlock,
        };
        let limit = |figure| (figure != UNKNOWN).then_some(figure);
        let mut info = ResourceInfo::new(name, threads).with_reuse(reuse);
        info.capacity = limit(said.capacity);
        info.max_size = limit(said.max_size);
        info.max_align = limit(said.max_align).and_then(Alignment::new);
        info
    }
}
