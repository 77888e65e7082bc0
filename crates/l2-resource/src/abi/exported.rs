//! A resource of Rust, for others.

use core::ptr;

use super::{ErrorCode, RawBlock, RawInfo, RawResource, ResourceV1, request};
use crate::MemoryResource;

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

    /// `resource` behind a table. It has to stay at its place as long as its [`raw`](Self::raw) pointer is used, also by a
    /// [`ForeignResource`](super::ForeignResource) and by what took memory from that; who makes one of those promises it.
    /// See [`ExportedResource`] for an example.
    #[must_use]
    pub const fn new(resource: R) -> Self {
        Self { raw: RawResource { table: &Self::TABLE }, resource }
    }

    /// The resource itself.
    #[must_use]
    pub const fn resource(&self) -> &R {
        &self.resource
    }

    /// What others get: good until the value moves or ends, on the threads on which `R` may be used.
    /// See [`ExportedResource`] for an example.
    #[must_use]
    pub const fn raw(&self) -> ptr::NonNull<RawResource> {
        // Of the whole value, so that the functions may come back from it to the resource.
        ptr::NonNull::from_ref(self).cast()
    }
}

/// The resource behind a pointer that [`ExportedResource::raw`] made. Invariant EXPORTED: it leads to an `ExportedResource<R>` that is still
/// at that place, and the call is on a thread that may use an `R`: what everybody promises who calls through the table.
///
/// # Safety
///
/// EXPORTED.
unsafe fn resource<'a, R>(raw: *const RawResource) -> &'a R {
    // SAFETY: this function's contract; the structure begins with what the pointer leads to.
    &unsafe { &*raw.cast::<ExportedResource<R>>() }.resource
}

/// # Safety
///
/// EXPORTED; `out` is null or a place for a block.
unsafe extern "C" fn allocate<R: MemoryResource>(
    raw: *mut RawResource,
    size: usize,
    align: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    let layout = match request(size, align) {
        Ok(layout) if !out.is_null() => layout,
        Ok(_) => return ErrorCode::INVALID_ARGUMENT,
        Err(code) => return code,
    };
    // SAFETY: this function's contract.
    let resource = unsafe { resource::<R>(raw) };
    // SAFETY: as above; not null.
    unsafe { RawBlock::store(resource.allocate(layout), out) }
}

/// # Safety
///
/// EXPORTED; the arguments are those that [`MemoryResource::deallocate`] wants, as far as they are no plain nonsense (null, or an
/// alignment that is none), which is refused.
unsafe extern "C" fn release<R: MemoryResource>(
    raw: *mut RawResource,
    start: *mut u8,
    len: usize,
    align: usize,
) -> ErrorCode {
    let (block, align) = match (RawBlock { start, len }).handed_back(align) {
        Ok(named) => named,
        Err(code) => return code,
    };
    // SAFETY: this function's contract.
    let resource = unsafe { resource::<R>(raw) };
    // SAFETY: a live block: this function's contract.
    unsafe { resource.deallocate(block, align) };
    ErrorCode::OK
}

/// # Safety
///
/// As for [`release`], except that on failure the bytes may still be in use; `out` is null or a place for a block.
unsafe extern "C" fn resize<R: MemoryResource>(
    raw: *mut RawResource,
    start: *mut u8,
    len: usize,
    align: usize,
    new_size: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    let (block, align) = match (RawBlock { start, len }).handed_back(align) {
        Ok(named) if !out.is_null() => named,
        Ok(_) => return ErrorCode::INVALID_ARGUMENT,
        Err(code) => return code,
    };
    // SAFETY: this function's contract.
    let resource = unsafe { resource::<R>(raw) };
    // SAFETY: a live block: this function's contract.
    let outcome = unsafe { resource.reallocate(block, new_size, align) };
    // SAFETY: as above; not null.
    unsafe { RawBlock::store(outcome, out) }
}

/// # Safety
///
/// EXPORTED; `out` as for [`RawInfo::fill`].
unsafe extern "C" fn info<R: MemoryResource>(raw: *const RawResource, out: *mut RawInfo) -> ErrorCode {
    // SAFETY: this function's contract.
    let resource = unsafe { resource::<R>(raw) };
    // SAFETY: as above.
    unsafe { RawInfo::new(&resource.info()).fill(out) }.into()
}
