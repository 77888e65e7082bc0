//! A resource of Rust, for others.

use core::alloc::Layout;
use core::ptr;

use super::{ErrorCode, RawBlock, RawInfo, RawResource, ResourceV1};
use crate::{Alignment, AllocError, MemoryBlock, MemoryResource};

/// Any [`MemoryResource`] behind a table, to be handed to C or to another shared object.
///
/// It has the functions of the contract: `allocate`, `release`, `resize` and `info`. (What strategies can do beyond that is in
/// the tables of `stratalloc-capi-toolkit`.)
///
/// ```
/// use core::alloc::Layout;
/// use std::alloc::System;
/// use stratalloc_resource::abi::{ErrorCode, ExportedResource, ForeignResource, RawBlock, ResourceV1};
/// use stratalloc_resource::{FromGlobal, MemoryResource};
///
/// let exported = ExportedResource::new(FromGlobal::new(&System));
/// let raw = exported.raw();
///
/// // As C calls it:
/// // SAFETY: just made.
/// let table = unsafe { ResourceV1::of(raw) }.unwrap();
/// let mut block = RawBlock::NULL;
/// // SAFETY: the resource lives, and the place is one for a block.
/// let code = unsafe { table.allocate.unwrap()(raw.as_ptr(), 100, 64, &raw mut block) };
/// assert!(code == ErrorCode::OK && block.len >= 100 && block.start.addr() % 64 == 0);
/// // SAFETY: live, with its length and alignment.
/// assert_eq!(unsafe { table.release.unwrap()(raw.as_ptr(), block.start, block.len, 64) }, ErrorCode::OK);
///
/// // And as Rust calls what somebody else made:
/// // SAFETY: the table keeps the contract, and the resource outlives the handle.
/// let foreign = unsafe { ForeignResource::new(raw) }.unwrap();
/// assert_eq!(foreign.info().name, "global");
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct ExportedResource<R> {
    raw: RawResource,
    resource: R,
}

// SAFETY: the pointer leads to a constant.
unsafe impl<R: Send> Send for ExportedResource<R> {}
// SAFETY: as above.
unsafe impl<R: Sync> Sync for ExportedResource<R> {}

impl<R: MemoryResource> ExportedResource<R> {
    const TABLE: ResourceV1 = ResourceV1 {
        allocate: Some(allocate::<R>),
        release: Some(release::<R>),
        resize: Some(resize::<R>),
        info: Some(info::<R>),
        ..ResourceV1::EMPTY
    };

    /// `resource` behind a table. It has to stay at its place as long as its [`raw`](Self::raw) pointer is used.
    #[must_use]
    pub const fn new(resource: R) -> Self {
        Self { raw: RawResource { table: &Self::TABLE }, resource }
    }

    /// The resource itself.
    #[must_use]
    pub const fn resource(&self) -> &R {
        &self.resource
    }

    /// What others get.
    #[must_use]
    pub const fn raw(&self) -> ptr::NonNull<RawResource> {
        // Of the whole value, so that the functions may come back from it to the resource.
        ptr::NonNull::from_ref(self).cast()
    }
}

/// The resource behind a pointer that `ExportedResource::raw` made.
///
/// # Safety
///
/// It did, and the value is still there.
unsafe fn resource<'a, R>(raw: *const RawResource) -> &'a R {
    // SAFETY: this function's contract; the structure begins with what the pointer leads to.
    &unsafe { &*raw.cast::<ExportedResource<R>>() }.resource
}

/// Writes a block where the caller wants it.
///
/// # Safety
///
/// `out` is null or a place for a block.
unsafe fn answer(outcome: Result<MemoryBlock, AllocError>, out: *mut RawBlock) -> ErrorCode {
    match outcome {
        Ok(block) => {
            // SAFETY: not null: the callers looked; this function's contract.
            unsafe { out.write(block.into()) };
            ErrorCode::OK
        }
        Err(error) => error.into(),
    }
}

/// # Safety
///
/// As [`ResourceV1::allocate`] says.
unsafe extern "C" fn allocate<R: MemoryResource>(
    raw: *mut RawResource,
    size: usize,
    align: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    let Some(align) = Alignment::new(align) else { return ErrorCode::BAD_ALIGNMENT };
    let Ok(layout) = Layout::from_size_align(size, align.bytes()) else { return ErrorCode::SIZE_OVERFLOW };
    if out.is_null() {
        return ErrorCode::INVALID_ARGUMENT;
    }
    // SAFETY: this function's contract.
    let resource = unsafe { resource::<R>(raw) };
    // SAFETY: as above; not null.
    unsafe { answer(resource.allocate(layout), out) }
}

/// # Safety
///
/// As [`ResourceV1::release`] says.
unsafe extern "C" fn release<R: MemoryResource>(
    raw: *mut RawResource,
    start: *mut u8,
    len: usize,
    align: usize,
) -> ErrorCode {
    let Some(align) = Alignment::new(align) else { return ErrorCode::BAD_ALIGNMENT };
    let Some(block) = (RawBlock { start, len }).fitting(0, Alignment::ONE) else {
        return ErrorCode::INVALID_ARGUMENT;
    };
    // SAFETY: this function's contract.
    let resource = unsafe { resource::<R>(raw) };
    // SAFETY: a live block: this function's contract.
    unsafe { resource.deallocate(block, align) };
    ErrorCode::OK
}

/// # Safety
///
/// As [`ResourceV1::resize`] says.
unsafe extern "C" fn resize<R: MemoryResource>(
    raw: *mut RawResource,
    start: *mut u8,
    len: usize,
    align: usize,
    new_size: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    let Some(align) = Alignment::new(align) else { return ErrorCode::BAD_ALIGNMENT };
    let Some(block) = (RawBlock { start, len }).fitting(0, Alignment::ONE).filter(|_| !out.is_null()) else {
        return ErrorCode::INVALID_ARGUMENT;
    };
    // SAFETY: this function's contract.
    let resource = unsafe { resource::<R>(raw) };
    // SAFETY: a live block: this function's contract.
    let outcome = unsafe { resource.reallocate(block, new_size, align) };
    // SAFETY: as above; not null.
    unsafe { answer(outcome, out) }
}

/// # Safety
///
/// As [`ResourceV1::info`] says.
unsafe extern "C" fn info<R: MemoryResource>(raw: *const RawResource, out: *mut RawInfo) -> ErrorCode {
    // SAFETY: this function's contract.
    let resource = unsafe { resource::<R>(raw) };
    // SAFETY: as above.
    unsafe { RawInfo::new(&resource.info()).fill(out) }.into()
}
