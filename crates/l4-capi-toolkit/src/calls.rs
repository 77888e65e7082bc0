//! `stratalloc_resource_*`: calls through a resource's table, whoever made it. What they do is described in the header.

use core::ffi::c_int;
use core::mem::offset_of;
use core::ptr::{self, NonNull};

use stratalloc_resource::Alignment;
use stratalloc_resource::abi::{
    ErrorCode, RawBlock, RawInfo, RawMarker, RawResource, RawUsage, ResourceV1, VERSION, request,
};

use crate::{answers, system};

/// The table of a resource.
///
/// # Safety
///
/// `raw` is null or leads to a resource whose table is null or begins with its version and size.
unsafe fn table(raw: *const RawResource) -> Result<NonNull<ResourceV1>, ErrorCode> {
    let raw = NonNull::new(raw.cast_mut()).ok_or(ErrorCode::INVALID_ARGUMENT)?;
    // SAFETY: this function's contract.
    let table = unsafe { raw.as_ref() }.table;
    NonNull::new(table.cast_mut()).ok_or(ErrorCode::INVALID_ARGUMENT)
}

/// The function of a table at `offset`: what lies there, if the table is of this version and goes so far. The first
/// argument is there for its type.
///
/// # Safety
///
/// As for [`table`]; `F` is the type of the table's field there.
unsafe fn function<F: Copy>(_: Option<F>, raw: *const RawResource, offset: usize) -> Result<F, ErrorCode> {
    // SAFETY: this function's contract.
    let table = unsafe { table(raw) }?;
    // SAFETY: every table begins with these two.
    let [version, size] = unsafe { table.cast::<[u32; 2]>().read() };
    if version != VERSION || (size as usize) < ResourceV1::SMALLEST {
        return Err(ErrorCode::BAD_VERSION);
    }
    if (size as usize) < offset + size_of::<Option<F>>() {
        return Err(ErrorCode::UNSUPPORTED);
    }
    // SAFETY: within the table.
    let field = unsafe { table.cast::<u8>().add(offset) };
    // SAFETY: a field of this type: this function's contract; nullable, so any bytes that C may put there.
    unsafe { field.cast::<Option<F>>().read() }.ok_or(ErrorCode::UNSUPPORTED)
}

/// The field of a table, of whichever type it has.
macro_rules! function {
    ($raw:expr, $field:ident) => {{
        // SAFETY: the resource is as the header says; the empty table's field tells the type.
        match unsafe { function(ResourceV1::EMPTY.$field, $raw, offset_of!(ResourceV1, $field)) } {
            Ok(function) => function,
            Err(code) => return code,
        }
    }};
}

/// A block.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn stratalloc_resource_allocate(
    raw: *mut RawResource,
    size: usize,
    align: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    let allocate = function!(raw, allocate);
    if out.is_null() {
        return ErrorCode::INVALID_ARGUMENT;
    }
    let layout = match request(size, align) {
        Ok(layout) => layout,
        Err(code) => return code,
    };
    let mut answer = RawBlock::NULL;
    // SAFETY: its own function; a place for a block; this function's contract.
    let code = unsafe { allocate(raw, size, align, &raw mut answer) };
    // SAFETY: what it answered to this request.
    let misfit = || unsafe { answers::give_back(raw, answer, layout) };
    // SAFETY: not null: this function's contract.
    unsafe { answers::pass_on(code, answer, layout, out, misfit) }
}

/// A block full of zeros.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn stratalloc_resource_allocate_zeroed(
    raw: *mut RawResource,
    size: usize,
    align: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    // SAFETY: this function's contract.
    let code = unsafe { stratalloc_resource_allocate(raw, size, align, out) };
    if code == ErrorCode::OK && !NonNull::new(raw).is_some_and(system::is_fresh) {
        // SAFETY: just written.
        let block = unsafe { out.read() };
        // SAFETY: a new block, all of whose bytes are the caller's; not null, and as long as it says, as far as can be seen.
        unsafe { block.start.write_bytes(0, block.len) };
    }
    code
}

/// Takes a block back.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
unsafe extern "C" fn stratalloc_resource_release(
    raw: *mut RawResource,
    start: *mut u8,
    len: usize,
    align: usize,
) -> ErrorCode {
    let release = function!(raw, release);
    if start.is_null() {
        return ErrorCode::OK;
    }
    // SAFETY: its own function; this function's contract.
    unsafe { release(raw, start, len, align) }
}

/// Changes the size of a block.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn stratalloc_resource_resize(
    raw: *mut RawResource,
    start: *mut u8,
    len: usize,
    align: usize,
    new_size: usize,
    out: *mut RawBlock,
) -> ErrorCode {
    let _ = function!(raw, allocate);
    let block = RawBlock { start, len }.fitting(0, Alignment::ONE);
    let (Some(block), false) = (block, out.is_null()) else { return ErrorCode::INVALID_ARGUMENT };
    let layout = match request(new_size, align) {
        Ok(layout) => layout,
        Err(code) => return code,
    };
    // SAFETY: this function's contract.
    match unsafe { function(ResourceV1::EMPTY.resize, raw, offset_of!(ResourceV1, resize)) } {
        Ok(resize) => {
            let mut answer = RawBlock::NULL;
            // SAFETY: its own function; a place for a block; this function's contract.
            let code = unsafe { resize(raw, start, len, align, new_size, &raw mut answer) };
            // SAFETY: what it answered to this request; a live block; not null: this function's contract.
            let misfit = || unsafe { answers::rescue(raw, block, answer, layout, out) };
            // SAFETY: not null: this function's contract.
            unsafe { answers::pass_on(code, answer, layout, out, misfit) }
        }
        // SAFETY: a live block; not null: this function's contract.
        Err(_) => unsafe { answers::resize_by_moving(raw, block, layout, out) },
    }
}

/// Whether a block of the resource lies there: 1 or 0, or −1 if nobody knows.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
unsafe extern "C" fn stratalloc_resource_owns(raw: *const RawResource, address: *const u8) -> c_int {
    // SAFETY: this function's contract.
    match unsafe { function(ResourceV1::EMPTY.owns, raw, offset_of!(ResourceV1, owns)) } {
        // SAFETY: its own function; this function's contract.
        Ok(owns) => c_int::from(unsafe { owns(raw, address) } != 0),
        Err(_) => -1,
    }
}

/// What the resource says about itself.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
unsafe extern "C" fn stratalloc_resource_info(raw: *const RawResource, out: *mut RawInfo) -> ErrorCode {
    let info = function!(raw, info);
    // SAFETY: its own function; this function's contract.
    unsafe { info(raw, out) }
}

/// How full it is.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
unsafe extern "C" fn stratalloc_resource_usage(raw: *mut RawResource, out: *mut RawUsage) -> ErrorCode {
    let usage = function!(raw, usage);
    // SAFETY: its own function; this function's contract.
    unsafe { usage(raw, out) }
}

/// Saves the position.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
unsafe extern "C" fn stratalloc_resource_mark(raw: *mut RawResource, out: *mut RawMarker) -> ErrorCode {
    let mark = function!(raw, mark);
    // SAFETY: its own function; this function's contract.
    unsafe { mark(raw, out) }
}

/// Gives up all blocks that are younger.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
unsafe extern "C" fn stratalloc_resource_rewind(
    raw: *mut RawResource,
    marker: *const RawMarker,
) -> ErrorCode {
    let rewind = function!(raw, rewind);
    // SAFETY: its own function; this function's contract.
    unsafe { rewind(raw, marker) }
}

/// Gives up all blocks.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
unsafe extern "C" fn stratalloc_resource_reset(raw: *mut RawResource) -> ErrorCode {
    let reset = function!(raw, reset);
    // SAFETY: its own function; this function's contract.
    unsafe { reset(raw) }
}

/// Gives back what no block needs.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
unsafe extern "C" fn stratalloc_resource_collect(raw: *mut RawResource, out: *mut usize) -> ErrorCode {
    let collect = function!(raw, collect);
    let mut given = 0;
    let place = if out.is_null() { ptr::from_mut(&mut given) } else { out };
    // SAFETY: its own function; this function's contract.
    unsafe { collect(raw, place) }
}

/// Checks the resource's equations.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
unsafe extern "C" fn stratalloc_resource_validate(raw: *mut RawResource) -> ErrorCode {
    let validate = function!(raw, validate);
    // SAFETY: its own function; this function's contract.
    unsafe { validate(raw) }
}

/// Ends a resource of any kind.
///
/// # Safety
///
/// As the header says.
#[unsafe(no_mangle)]
unsafe extern "C" fn stratalloc_resource_destroy(raw: *mut RawResource) -> ErrorCode {
    if raw.is_null() {
        return ErrorCode::OK;
    }
    let destroy = function!(raw, destroy);
    // SAFETY: its own function; this function's contract.
    unsafe { destroy(raw) }
}
