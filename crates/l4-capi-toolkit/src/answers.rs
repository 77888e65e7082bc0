//! What a resource answered, looked at before the caller sees it: its table may be anybody's.

use core::alloc::Layout;
use core::ptr::NonNull;

use stratalloc_resource::abi::{ErrorCode, ForeignResource, RawBlock, RawResource};
use stratalloc_resource::{Alignment, MemoryBlock, MemoryResource, reallocate_by_moving};

/// Passes the answer to a request for `layout` on. With one that does not fit `misfit` deals.
///
/// # Safety
///
/// `out` is a place for a block.
#[inline(always)]
pub(crate) unsafe fn pass_on(
    code: ErrorCode,
    answer: RawBlock,
    layout: Layout,
    out: *mut RawBlock,
    misfit: impl FnOnce() -> ErrorCode,
) -> ErrorCode {
    if code.kind() != ErrorCode::OK {
        return code;
    }
    if answer.fitting(layout.size(), Alignment::from_layout(layout)).is_none() {
        return misfit();
    }
    // SAFETY: this function's contract.
    unsafe { out.write(answer) };
    ErrorCode::OK
}

/// A block that does not fit goes back, and the request fails.
///
/// # Safety
///
/// `answer` is what the resource at `raw` has just stored for a request for `layout`.
#[cold]
pub(crate) unsafe fn give_back(raw: *mut RawResource, answer: RawBlock, layout: Layout) -> ErrorCode {
    if let Some(start) = NonNull::new(answer.start) {
        let block = MemoryBlock::new(start, answer.len);
        // SAFETY: this function's contract.
        if let Ok(resource) = unsafe { handle(raw) } {
            // SAFETY: the resource's own answer, which nobody uses.
            unsafe { resource.deallocate(block, Alignment::from_layout(layout)) };
        }
    }
    ErrorCode::UNSUPPORTED
}

/// A resized block that does not fit is dealt with as [`ForeignResource::resized`] does.
///
/// # Safety
///
/// As for [`give_back`]; it was a resize of `old`, a live block, and `out` is a place for a block.
#[cold]
pub(crate) unsafe fn rescue(
    raw: *mut RawResource,
    old: MemoryBlock,
    answer: RawBlock,
    layout: Layout,
    out: *mut RawBlock,
) -> ErrorCode {
    let align = Alignment::from_layout(layout);
    // SAFETY: this function's contract.
    let block = unsafe { handle(raw) }.and_then(|resource| {
        // SAFETY: what it answered just now.
        unsafe { resource.resized(old, answer, layout.size(), align) }.map_err(ErrorCode::from)
    });
    // SAFETY: this function's contract.
    unsafe { RawBlock::store(block, out) }
}

/// Resizes a block of a resource that has no function for it: a new block, a copy, a release.
///
/// # Safety
///
/// `raw` leads to a resource whose contract is the header's, `block` is a live one of it; `out` is a place for a block.
#[cold]
pub(crate) unsafe fn resize_by_moving(
    raw: *mut RawResource,
    block: MemoryBlock,
    layout: Layout,
    out: *mut RawBlock,
) -> ErrorCode {
    let align = Alignment::from_layout(layout);
    // SAFETY: this function's contract.
    let moved = unsafe { handle(raw) }.and_then(|resource| {
        // SAFETY: a live block of it: this function's contract.
        unsafe { reallocate_by_moving(&resource, block, layout.size(), align) }.map_err(ErrorCode::from)
    });
    // SAFETY: this function's contract.
    unsafe { RawBlock::store(moved, out) }
}

/// # Safety
///
/// As for [`ForeignResource::new`], unless `raw` is null.
unsafe fn handle(raw: *mut RawResource) -> Result<ForeignResource, ErrorCode> {
    let raw = NonNull::new(raw).ok_or(ErrorCode::INVALID_ARGUMENT)?;
    // SAFETY: this function's contract.
    unsafe { ForeignResource::new(raw) }
}
