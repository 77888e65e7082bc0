//! A resource that this library made: where it lies, and how it ends.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::slice;

use stratalloc_resource::abi::{ErrorCode, ForeignResource, RawResource};
use stratalloc_resource::{Alignment, MemoryBlock, MemoryResource};

use crate::config::{Config, Looks, RawConfig};
use crate::strategy::{Make, Room, Strategy};
use crate::system;

/// A strategy with what C needs around it.
///
/// ```text
///   memory of the caller, or a block of upstream:
///   │ pad │ raw │ looks │ origin │ strategy │ memory for the strategy's blocks, if it lives in one piece          │
///         ▲
///         what the program holds
/// ```
///
/// Invariant MADE: a pointer that [`create`] returned, or that of the system's resource, leads to an initialised `Made<S>` whose table
/// is `S::table()`, until it is destroyed.
#[repr(C)]
pub(crate) struct Made<S> {
    raw: RawResource,
    looks: Looks,
    /// The block that all of this lies in, if it is upstream's.
    origin: Option<(ForeignResource, MemoryBlock)>,
    strategy: S,
}

/// What blocks for a `Made` are aligned to; more than any strategy needs.
const ALIGN: Alignment = Alignment::constant::<128>();

impl<S: Strategy> Made<S> {
    pub(crate) const fn new(raw: RawResource, strategy: S) -> Self {
        Self { raw, looks: Looks::new(0), origin: None, strategy }
    }

    /// The strategy, and how its releases are looked at.
    ///
    /// # Safety
    ///
    /// MADE, and nobody has a mutable reference meanwhile: the resource is shared, or used by one thread at a time.
    pub(crate) unsafe fn at<'a>(raw: *const RawResource) -> (&'a S, Looks) {
        // SAFETY: this function's contract.
        let made = unsafe { &*raw.cast::<Self>() };
        (&made.strategy, made.looks)
    }

    /// The strategy, for what nothing else runs beside.
    ///
    /// # Safety
    ///
    /// MADE, and no other operation of the resource runs.
    pub(crate) unsafe fn at_mut<'a>(raw: *mut RawResource) -> &'a mut S {
        // SAFETY: this function's contract.
        unsafe { &mut (*raw.cast::<Self>()).strategy }
    }
}

/// Makes a resource: the function behind `stratalloc_…_create`. `out` becomes null if that fails.
///
/// # Safety
///
/// As for [`Config::read`]; `out` is null or a place for a pointer.
pub(crate) unsafe fn create<S: Make>(config: *const RawConfig, out: *mut *mut RawResource) -> ErrorCode {
    if out.is_null() {
        return ErrorCode::INVALID_ARGUMENT;
    }
    // SAFETY: this function's contract.
    let made = unsafe { Config::read(config) }.and_then(|config| {
        // SAFETY: as above.
        unsafe { place::<S>(config) }
    });
    let (raw, code) = match made {
        Ok(raw) => (raw.as_ptr(), ErrorCode::OK),
        Err(code) => (ptr::null_mut(), code),
    };
    // SAFETY: not null; this function's contract.
    unsafe { out.write(raw) };
    code
}

/// # Safety
///
/// As for [`Config::read`], of what it read.
unsafe fn place<S: Make>(mut config: Config) -> Result<NonNull<RawResource>, ErrorCode> {
    if let Some(memory) = config.memory {
        if config.upstream.is_some() && S::ROOM != Room::Optional {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        // SAFETY: this function's contract.
        return unsafe { place_in::<S>(memory, None, &config) };
    }
    match S::ROOM {
        Room::Needed if config.room == 0 => return Err(ErrorCode::INVALID_ARGUMENT),
        Room::Unused if config.room != 0 => return Err(ErrorCode::INVALID_ARGUMENT),
        _ => {}
    }
    let upstream = match config.upstream {
        Some(upstream) => upstream,
        None => system::handle()?,
    };
    config.upstream = Some(upstream);
    let size = size_of::<Made<S>>().checked_add(config.room).ok_or(ErrorCode::SIZE_OVERFLOW)?;
    let layout = Layout::from_size_align(size, ALIGN.bytes()).map_err(|_| ErrorCode::SIZE_OVERFLOW)?;
    let block = upstream.allocate(layout).map_err(ErrorCode::from)?;
    let memory = NonNull::slice_from_raw_parts(block.as_non_null().cast(), block.len());
    // SAFETY: the block is ours until it is handed back.
    let made = unsafe { place_in::<S>(memory, Some((upstream, block)), &config) };
    if made.is_err() {
        // SAFETY: live, with this alignment; nothing was made in it.
        unsafe { upstream.deallocate(block, ALIGN) };
    }
    made
}

/// # Safety
///
/// `memory` is valid, and the new resource's alone until it ends.
unsafe fn place_in<S: Make>(
    memory: NonNull<[MaybeUninit<u8>]>,
    origin: Option<(ForeignResource, MemoryBlock)>,
    config: &Config,
) -> Result<NonNull<RawResource>, ErrorCode> {
    let whole = MemoryBlock::new(memory.cast(), memory.len());
    let pad = whole.address().wrapping_neg() & (align_of::<Made<S>>() - 1);
    let parts = whole.split_at(pad).and_then(|(_, aligned)| aligned.split_at(size_of::<Made<S>>()));
    let (state, rest) = parts.ok_or(ErrorCode::CAPACITY_EXHAUSTED)?;
    // SAFETY: inside `memory`, and disjoint from the state: this function's contract.
    let rest = unsafe { slice::from_raw_parts_mut(rest.as_ptr().cast(), rest.len()) };
    let strategy = S::make(config, rest)?;
    let made = state.as_non_null().cast::<Made<S>>();
    let raw = RawResource { table: S::table() };
    // SAFETY: long and aligned enough: split so.
    unsafe { made.write(Made { raw, looks: config.looks, origin, strategy }) };
    Ok(made.cast())
}

/// Ends a resource, and gives all that it took from upstream back: the function `destroy` of the tables.
///
/// # Safety
///
/// MADE for `S`; neither the resource nor its blocks are used any more.
pub(crate) unsafe extern "C" fn destroy<S: Strategy>(raw: *mut RawResource) -> ErrorCode {
    let made = raw.cast::<Made<S>>();
    // SAFETY: MADE.
    let origin = unsafe { &raw const (*made).origin };
    // SAFETY: as above.
    let origin = unsafe { origin.read() };
    // SAFETY: as above; it is not used after this.
    unsafe { made.drop_in_place() };
    // So that whoever uses it once more is told, as far as the memory is still there.
    // SAFETY: still the resource's own.
    unsafe { raw.write(RawResource { table: ptr::null() }) };
    if let Some((upstream, block)) = origin {
        // SAFETY: the block that everything lay in, requested with this alignment.
        unsafe { upstream.deallocate(block, ALIGN) };
    }
    ErrorCode::OK
}
