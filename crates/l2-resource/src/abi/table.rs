//! The structures of version 1, as C lays them out.

use core::ffi::{c_char, c_int};
use core::mem::{MaybeUninit, offset_of};
use core::ptr::{self, NonNull};

use super::ErrorCode;
use crate::{Alignment, MemoryBlock, ResourceInfo, Reuse, ThreadSafety};

/// The version that this module describes.
pub const VERSION: u32 = 1;
/// What stands where a figure is not known, or where there is no limit.
pub const UNKNOWN: usize = usize::MAX;
/// The room for a resource's name, with the zero at its end.
pub const NAME_LEN: usize = 24;

/// `stratalloc_resource`: what a pointer to a resource leads to. The maker's own state follows.
#[derive(Debug)]
#[repr(C)]
pub struct RawResource {
    /// The functions, which never change as long as the resource lives.
    pub table: *const ResourceV1,
}

/// `stratalloc_block`: where a block lies, and its real length. See [`ExportedResource`](crate::abi::ExportedResource) for an example.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RawBlock {
    /// The first byte; null in no block.
    pub start: *mut u8,
    /// How many bytes there are; all of them are the caller's.
    pub len: usize,
}

/// `stratalloc_marker`: a saved position; only its resource reads it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RawMarker {
    /// Pointers, so that they stay pointers; what else they hold is the maker's.
    pub words: [*mut u8; 8],
}

/// `stratalloc_info`: what a resource says about itself; see [`ResourceInfo`].
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RawInfo {
    /// The bytes of this structure that the asker knows; in an answer: those that were filled.
    pub size: u32,
    /// 0: one thread at a time. 1: any number at once.
    pub threads: u32,
    /// What makes memory available again. 0: each release. 1: the release of all younger blocks. 2: a reset.
    pub reuse: u32,
    /// Zero.
    pub spare: u32,
    /// A short name, with a zero at its end.
    pub name: [c_char; NAME_LEN],
    /// The most bytes that can be live at once, or [`UNKNOWN`].
    pub capacity: usize,
    /// The largest size ever served, or [`UNKNOWN`].
    pub max_size: usize,
    /// The largest alignment ever served, or [`UNKNOWN`].
    pub max_align: usize,
}

/// `stratalloc_usage`: how full a resource is. Figures in bytes, or [`UNKNOWN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RawUsage {
    /// The bytes of this structure that the asker knows; in an answer: those that were filled.
    pub size: u32,
    /// Zero.
    pub spare: u32,
    /// What live blocks take, with rounding, headers and the gaps that alignment costs.
    pub used: usize,
    /// The most that `used` ever was.
    pub peak: usize,
    /// What the resource has of its memory's owner, used or not.
    pub reserved: usize,
    /// The number of live blocks.
    pub live_blocks: usize,
    /// The largest piece of free memory.
    pub largest_free: usize,
}

type Get<T> = Option<unsafe extern "C" fn(*mut RawResource, *mut T) -> ErrorCode>;

/// `stratalloc_resource_v1`: the functions of a resource. Those that are `None` (null in C) it does not have; `allocate` and
/// `release` every resource has. See [`ExportedResource`](crate::abi::ExportedResource) for an example.
///
/// They keep the contract of [`MemoryResource`](crate::MemoryResource); a failure leaves the place for the answer as it was.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ResourceV1 {
    /// [`VERSION`].
    pub version: u32,
    /// The bytes of this table, from `version` on.
    pub size: u32,
    /// A block of at least `size` bytes at a multiple of `align`: `(resource, size, align, out)`.
    pub allocate: Option<unsafe extern "C" fn(*mut RawResource, usize, usize, *mut RawBlock) -> ErrorCode>,
    /// Takes a block back: `(resource, start, len, align)`.
    pub release: Option<unsafe extern "C" fn(*mut RawResource, *mut u8, usize, usize) -> ErrorCode>,
    /// Changes a block's size: `(resource, start, len, align, new_size, out)`.
    pub resize: Option<
        unsafe extern "C" fn(*mut RawResource, *mut u8, usize, usize, usize, *mut RawBlock) -> ErrorCode,
    >,
    /// 1 if a block of this resource lies there, else 0.
    pub owns: Option<unsafe extern "C" fn(*const RawResource, *const u8) -> c_int>,
    /// Fills what the resource says about itself.
    pub info: Option<unsafe extern "C" fn(*const RawResource, *mut RawInfo) -> ErrorCode>,
    /// Fills how full it is.
    pub usage: Get<RawUsage>,
    /// Saves the position.
    pub mark: Get<RawMarker>,
    /// Gives up all blocks that are younger than the marker.
    pub rewind: Option<unsafe extern "C" fn(*mut RawResource, *const RawMarker) -> ErrorCode>,
    /// Gives up all blocks.
    pub reset: Option<unsafe extern "C" fn(*mut RawResource) -> ErrorCode>,
    /// Gives memory that no block needs back to where it came from, and tells the number of bytes.
    pub collect: Get<usize>,
    /// Checks the resource's own equations.
    pub validate: Option<unsafe extern "C" fn(*mut RawResource) -> ErrorCode>,
    /// Ends the resource; its blocks are not used any more.
    pub destroy: Option<unsafe extern "C" fn(*mut RawResource) -> ErrorCode>,
}

impl ResourceV1 {
    /// A table of this version without any function.
    pub const EMPTY: Self = Self {
        version: VERSION,
        #[expect(clippy::cast_possible_truncation, reason = "some hundred bytes")]
        size: size_of::<Self>() as u32,
        allocate: None,
        release: None,
        resize: None,
        owns: None,
        info: None,
        usage: None,
        mark: None,
        rewind: None,
        reset: None,
        collect: None,
        validate: None,
        destroy: None,
    };

    /// The smallest table there may be: it ends after `release`.
    pub const SMALLEST: usize = offset_of!(Self, resize);

    /// A copy of a resource's table, in which what lies beyond the table's own size is `None`. See [`ExportedResource`](crate::abi::ExportedResource) for an example.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::INVALID_ARGUMENT`] for a null table or one without `allocate` and `release`, [`ErrorCode::BAD_VERSION`] for one of
    /// another version or too short for this one.
    ///
    /// # Safety
    ///
    /// `raw` leads to a resource whose table is null or valid for reads of the `size` that it states.
    pub unsafe fn of(raw: NonNull<RawResource>) -> Result<Self, ErrorCode> {
        // SAFETY: this function's contract.
        let table = unsafe { raw.as_ref() }.table;
        if table.is_null() {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        // SAFETY: every table has its first two words: this function's contract.
        let [version, size] = unsafe { table.cast::<[u32; 2]>().read() };
        if version != VERSION || (size as usize) < Self::SMALLEST {
            return Err(ErrorCode::BAD_VERSION);
        }
        let mut copy = Self::EMPTY;
        // Whole pointers only: half of one is none.
        let known = (size as usize).min(size_of::<Self>()) / size_of::<usize>() * size_of::<usize>();
        // SAFETY: `known` is within what the table states and within the copy; its fields are numbers and nullable functions.
        unsafe {
            ptr::from_mut(&mut copy).cast::<u8>().copy_from_nonoverlapping(table.cast::<u8>(), known);
        };
        if copy.allocate.is_none() || copy.release.is_none() {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        Ok(copy)
    }
}

impl RawBlock {
    /// No block. See [`ExportedResource`](crate::abi::ExportedResource) for an example.
    pub const NULL: Self = Self { start: ptr::null_mut(), len: 0 };

    /// The block as Rust names it, if it is one for such a request: not null, long enough, aligned.
    #[must_use]
    pub fn fitting(self, size: usize, align: Alignment) -> Option<MemoryBlock> {
        let start = NonNull::new(self.start)?;
        let fits = self.len >= size && self.len <= isize::MAX.unsigned_abs();
        (fits && align.is_aligned(start.addr().get())).then(|| MemoryBlock::new(start, self.len))
    }
}

impl From<MemoryBlock> for RawBlock {
    fn from(block: MemoryBlock) -> Self {
        Self { start: block.as_ptr(), len: block.len() }
    }
}

impl RawMarker {
    /// A marker of nothing.
    pub const EMPTY: Self = Self { words: [ptr::null_mut(); 8] };
}

/// The structures that are filled for whoever asks, as far as they know them.
pub(super) trait Answer: Copy {
    /// The same with this size in front.
    fn sized(self, size: u32) -> Self;
}

impl Answer for RawInfo {
    fn sized(self, size: u32) -> Self {
        Self { size, ..self }
    }
}

impl Answer for RawUsage {
    fn sized(self, size: u32) -> Self {
        Self { size, ..self }
    }
}

/// Writes as much of `answer` as the asker said there is room for, with the number of those bytes in front: an asker that is newer than
/// this sees where its answer ends.
///
/// # Safety
///
/// `out` is null, or aligned and valid for reads and writes of the bytes that its first word states.
unsafe fn fill<T: Answer>(answer: T, out: *mut T) -> Result<(), ErrorCode> {
    if out.is_null() {
        return Err(ErrorCode::INVALID_ARGUMENT);
    }
    // SAFETY: the first word is the size: this function's contract.
    let size = unsafe { out.cast::<u32>().read() };
    // Without room for the two leading words and a figure nobody learns anything: somebody forgot to set it.
    if (size as usize) < 16 {
        return Err(ErrorCode::BAD_VERSION);
    }
    #[expect(clippy::cast_possible_truncation, reason = "some dozen bytes")]
    let known = size.min(size_of::<T>() as u32);
    let (answer, known) = (answer.sized(known), known as usize);
    // SAFETY: the answer has that many bytes, and so has the place: this function's contract.
    unsafe { out.cast::<MaybeUninit<u8>>().copy_from_nonoverlapping(ptr::from_ref(&answer).cast(), known) };
    Ok(())
}

impl RawUsage {
    /// Nothing known.
    #[expect(clippy::cast_possible_truncation, reason = "some dozen bytes")]
    pub const UNKNOWN: Self = Self {
        size: size_of::<Self>() as u32,
        spare: 0,
        used: UNKNOWN,
        peak: UNKNOWN,
        reserved: UNKNOWN,
        live_blocks: UNKNOWN,
        largest_free: UNKNOWN,
    };

    /// Fills `out` as far as its `size` says, and says in that how far it did.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::INVALID_ARGUMENT`] for null, [`ErrorCode::BAD_VERSION`] for a size that no version has.
    ///
    /// # Safety
    ///
    /// `out` is null, or aligned and valid for reads and writes of the `size` that it states.
    pub unsafe fn fill(self, out: *mut Self) -> Result<(), ErrorCode> {
        // SAFETY: this function's contract.
        unsafe { fill(self, out) }
    }
}

impl RawInfo {
    /// Nothing known.
    #[expect(clippy::cast_possible_truncation, reason = "some dozen bytes")]
    pub const UNKNOWN: Self = Self {
        size: size_of::<Self>() as u32,
        threads: 0,
        reuse: 0,
        spare: 0,
        name: [0; NAME_LEN],
        capacity: UNKNOWN,
        max_size: UNKNOWN,
        max_align: UNKNOWN,
    };

    /// The same as C has it. A name that is too long is cut.
    #[must_use]
    pub fn new(info: &ResourceInfo<'_>) -> Self {
        let mut name = [0; NAME_LEN];
        for (place, byte) in name[..NAME_LEN - 1].iter_mut().zip(info.name.bytes()) {
            *place = byte.cast_signed();
        }
        Self {
            threads: u32::from(info.threads == ThreadSafety::Shared),
            reuse: match info.reuse {
                Reuse::EachBlock => 0,
                Reuse::LastFirst => 1,
                Reuse::AllTogether => 2,
            },
            // On some machines C's characters have no sign.
            name: name.map(|byte: i8| c_char::from_ne_bytes(byte.to_ne_bytes())),
            capacity: info.capacity.unwrap_or(UNKNOWN),
            max_size: info.max_size.unwrap_or(UNKNOWN),
            max_align: info.max_align.map_or(UNKNOWN, Alignment::bytes),
            ..Self::UNKNOWN
        }
    }

    /// Fills `out` as far as its `size` says, and says in that how far it did.
    ///
    /// # Errors
    ///
    /// As for [`RawUsage::fill`].
    ///
    /// # Safety
    ///
    /// As for [`RawUsage::fill`].
    pub unsafe fn fill(self, out: *mut Self) -> Result<(), ErrorCode> {
        // SAFETY: this function's contract.
        unsafe { fill(self, out) }
    }
}
