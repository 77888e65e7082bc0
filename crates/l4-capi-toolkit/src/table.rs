//! The functions of a table, for any strategy.
//!
//! Each one checks what C's types leave open (null, alignment, overflow), asks the strategy, and turns the answer into a code. They are
//! called through the table, by anybody; the resource itself they take as it comes: MADE.

use core::ffi::c_int;
use core::ptr;

use stratalloc_resource::abi::{
    ErrorCode, RawBlock, RawInfo, RawMarker, RawResource, RawUsage, ResourceV1, request,
};

use crate::made::{Made, destroy};
use crate::strategy::{Positions, Strategy, code};

/// The table of a strategy that neither collects nor goes back.
pub(crate) const fn plain<S: Strategy>() -> ResourceV1 {
    ResourceV1 {
        allocate: Some(allocate::<S>),
        release: Some(release::<S>),
        resize: Some(resize::<S>),
        owns: Some(owns::<S>),
        info: Some(info::<S>),
        usage: Some(usage::<S>),
        validate: Some(validate::<S>),
        destroy: Some(destroy::<S>),
        ..ResourceV1::EMPTY
    }
}

/// The same for one that collects.
pub(crate) const fn collecting<S: Strategy>() -> ResourceV1 {
    ResourceV1 { collect: Some(collect::<S>), ..plain::<S>() }
}

/// That table, and positions.
pub(crate) const fn with_positions<S: Positions>(table: ResourceV1) -> ResourceV1 {
    ResourceV1 { mark: Some(mark::<S>), rewind: Some(rewind::<S>), reset: Some(reset::<S>), ..table }
}

/// # Safety
///
/// MADE; `out` is null or a place for a block.
pub(crate) unsafe extern "C" fn allocate<S: Strategy>(
    raw: *mut RawResource,
    size: usize,
    align: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    if out.is_null() {
        return ErrorCode::INVALID_ARGUMENT;
    }
    // SAFETY: this function's contract.
    let (strategy, _) = unsafe { Made::<S>::at(raw) };
    match request(size, align) {
        // SAFETY: not null.
        Ok(layout) => unsafe { RawBlock::store(strategy.allocate(layout), out) },
        Err(code) => code,
    }
}

/// # Safety
///
/// MADE; if a live block of the resource begins at `start`, nobody uses it any more, and its length and alignment are right as far as
/// the resource does not look.
pub(crate) unsafe extern "C" fn release<S: Strategy>(
    raw: *mut RawResource,
    start: *mut u8,
    len: usize,
    align: usize,
) -> ErrorCode {
    if start.is_null() {
        return ErrorCode::OK;
    }
    // SAFETY: this function's contract.
    let (strategy, looks) = unsafe { Made::<S>::at(raw) };
    let looked = RawBlock { start, len }.handed_back(align).and_then(|(block, align)| {
        strategy.admit(block, align, looks).map_err(code)?;
        Ok((block, align))
    });
    match looked {
        Ok((block, align)) => {
            // SAFETY: a live block: this function's contract, and checked as far as it can be.
            unsafe { strategy.deallocate(block, align) };
            ErrorCode::OK
        }
        Err(code) => code,
    }
}

/// # Safety
///
/// As for [`release`], except that on failure the bytes may still be in use; `out` is null or a place for a block.
unsafe extern "C" fn resize<S: Strategy>(
    raw: *mut RawResource,
    start: *mut u8,
    len: usize,
    align: usize,
    new_size: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    if out.is_null() {
        return ErrorCode::INVALID_ARGUMENT;
    }
    // SAFETY: this function's contract.
    let (strategy, looks) = unsafe { Made::<S>::at(raw) };
    let looked = RawBlock { start, len }.handed_back(align).and_then(|(block, align)| {
        request(new_size, align.bytes())?;
        strategy.look(block, align, looks.close).map_err(code)?;
        Ok((block, align))
    });
    match looked {
        Ok((block, align)) => {
            // SAFETY: a live block: this function's contract, and checked as far as it can be.
            let outcome = unsafe { strategy.reallocate(block, new_size, align) };
            // SAFETY: not null.
            unsafe { RawBlock::store(outcome, out) }
        }
        Err(code) => code,
    }
}

/// # Safety
///
/// MADE.
unsafe extern "C" fn owns<S: Strategy>(raw: *const RawResource, address: *const u8) -> c_int {
    // SAFETY: this function's contract.
    let (strategy, _) = unsafe { Made::<S>::at(raw) };
    c_int::from(strategy.owns(address))
}

/// # Safety
///
/// MADE; `out` as for [`RawInfo::fill`].
pub(crate) unsafe extern "C" fn info<S: Strategy>(raw: *const RawResource, out: *mut RawInfo) -> ErrorCode {
    // SAFETY: this function's contract.
    let (strategy, _) = unsafe { Made::<S>::at(raw) };
    // SAFETY: as above.
    unsafe { RawInfo::new(&strategy.info()).fill(out) }.into()
}

/// # Safety
///
/// MADE, and no other operation runs; `out` as for [`RawUsage::fill`].
unsafe extern "C" fn usage<S: Strategy>(raw: *mut RawResource, out: *mut RawUsage) -> ErrorCode {
    // SAFETY: this function's contract.
    let (strategy, _) = unsafe { Made::<S>::at(raw) };
    // SAFETY: as above.
    let usage = unsafe { strategy.usage() };
    // SAFETY: as above.
    unsafe { usage.fill(out) }.into()
}

/// # Safety
///
/// MADE, and no other operation runs.
unsafe extern "C" fn validate<S: Strategy>(raw: *mut RawResource) -> ErrorCode {
    // SAFETY: this function's contract.
    let (strategy, _) = unsafe { Made::<S>::at(raw) };
    if strategy.is_valid() { ErrorCode::OK } else { ErrorCode::BROKEN_INVARIANT }
}

/// # Safety
///
/// MADE; `out` is null or a place for a number.
pub(crate) unsafe extern "C" fn collect<S: Strategy>(raw: *mut RawResource, out: *mut usize) -> ErrorCode {
    // SAFETY: this function's contract.
    let (strategy, _) = unsafe { Made::<S>::at(raw) };
    let given = strategy.collect();
    if !out.is_null() {
        // SAFETY: this function's contract.
        unsafe { out.write(given) };
    }
    ErrorCode::OK
}

/// A strategy's marker as it lies in C's: whose it is in front, and of which type: in the same memory there may be another kind of
/// resource by now, or there may have been.
#[derive(Clone, Copy)]
#[repr(C)]
struct Marked<M> {
    owner: *const RawResource,
    table: *const ResourceV1,
    marker: M,
}

/// # Safety
///
/// MADE; `out` is null or a place for a marker.
unsafe extern "C" fn mark<S: Positions>(raw: *mut RawResource, out: *mut RawMarker) -> ErrorCode {
    const { assert!(size_of::<Marked<S::Marker>>() <= size_of::<RawMarker>()) };
    const { assert!(align_of::<Marked<S::Marker>>() <= align_of::<RawMarker>()) };
    if out.is_null() {
        return ErrorCode::INVALID_ARGUMENT;
    }
    // SAFETY: this function's contract.
    let (strategy, _) = unsafe { Made::<S>::at(raw) };
    // SAFETY: not null; this function's contract. All of it is initialised, so that C may copy it.
    unsafe { out.write(RawMarker::EMPTY) };
    let marked = Marked { owner: raw.cast_const(), table: S::table(), marker: strategy.mark() };
    // SAFETY: it has room, as the assertions say.
    unsafe { out.cast::<Marked<S::Marker>>().write(marked) };
    ErrorCode::OK
}

/// # Safety
///
/// MADE; `marker` is null, or what [`mark`] wrote or a copy of that, for some resource; blocks that are younger are not used any more.
unsafe extern "C" fn rewind<S: Positions>(raw: *mut RawResource, marker: *const RawMarker) -> ErrorCode {
    if marker.is_null() {
        return ErrorCode::INVALID_ARGUMENT;
    }
    // SAFETY: every marker begins with its owner and the owner's table, and an empty one with nulls: this function's contract.
    let Marked { owner, table, .. } = unsafe { marker.cast::<Marked<()>>().read() };
    if !ptr::eq(owner, raw) || !ptr::eq(table, S::table()) {
        return ErrorCode::STALE_MARKER;
    }
    // SAFETY: made by a resource with this table, so of this type: MADE.
    let marked = unsafe { marker.cast::<Marked<S::Marker>>().read() };
    // SAFETY: this function's contract.
    let (strategy, looks) = unsafe { Made::<S>::at(raw) };
    if looks.close && !strategy.vouches_for(&marked.marker) {
        return ErrorCode::STALE_MARKER;
    }
    // SAFETY: its own marker; younger blocks are given up: this function's contract.
    unsafe { strategy.rewind(marked.marker) };
    ErrorCode::OK
}

/// # Safety
///
/// MADE; no other operation runs, and no block is used any more.
unsafe extern "C" fn reset<S: Positions>(raw: *mut RawResource) -> ErrorCode {
    // SAFETY: this function's contract.
    let strategy = unsafe { Made::<S>::at_mut(raw) };
    strategy.reset();
    ErrorCode::OK
}
