//! What a program wants of a new resource.

use core::mem::MaybeUninit;
#[cfg(test)]
use core::ptr;
use core::ptr::NonNull;
use core::slice;

use stratalloc_resource::Alignment;
use stratalloc_resource::abi::{ErrorCode, ForeignResource, RawResource};

/// `STRATALLOC_CHECKED`: every release is looked at.
pub(crate) const CHECKED: u32 = 1;

/// `stratalloc_config`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct RawConfig {
    pub(crate) size: u32,
    pub(crate) flags: u32,
    pub(crate) memory: *mut MaybeUninit<u8>,
    pub(crate) memory_size: usize,
    pub(crate) upstream: *mut RawResource,
    pub(crate) chunk_size: usize,
    pub(crate) block_size: usize,
    pub(crate) block_align: usize,
    pub(crate) max_blocks: usize,
}

impl RawConfig {
    /// All zero, as the header's `STRATALLOC_CONFIG_INIT`.
    #[cfg(test)]
    pub(crate) const EMPTY: Self = Self {
        #[expect(clippy::cast_possible_truncation, reason = "some dozen bytes")]
        size: size_of::<Self>() as u32,
        flags: 0,
        memory: ptr::null_mut(),
        memory_size: 0,
        upstream: ptr::null_mut(),
        chunk_size: 0,
        block_size: 0,
        block_align: 0,
        max_blocks: 0,
    };
}

/// How releases are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looks {
    /// By every means there is; else by what takes a few instructions.
    pub(crate) close: bool,
    /// A stack's order matters.
    pub(crate) order: bool,
}

impl Looks {
    /// As far as the flags say. A debug build of the strategies looks at releases by itself, and ends the program over a wrong one: there
    /// we always look first.
    pub(crate) const fn new(flags: u32) -> Self {
        let checked = flags & CHECKED != 0;
        Self { close: checked || cfg!(debug_assertions), order: checked }
    }
}

/// A configuration that was looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) looks: Looks,
    /// The caller's memory, if any.
    pub(crate) memory: Option<NonNull<[MaybeUninit<u8>]>>,
    /// Without it: how many bytes are wanted at once.
    pub(crate) room: usize,
    /// The caller's upstream, if any.
    pub(crate) upstream: Option<ForeignResource>,
    /// Bytes to ask upstream for at a time; 0 for the strategy's own choice.
    pub(crate) chunk_size: usize,
    pub(crate) block_size: usize,
    pub(crate) block_align: Option<Alignment>,
    pub(crate) max_blocks: usize,
}

impl Config {
    /// # Errors
    ///
    /// [`ErrorCode::INVALID_ARGUMENT`], [`ErrorCode::BAD_VERSION`], [`ErrorCode::BAD_ALIGNMENT`], or what is wrong with the upstream.
    ///
    /// # Safety
    ///
    /// `raw` is null or valid for reads of the `size` that it states; its memory is the new resource's alone until that ends, and
    /// its upstream lives as long and keeps the contract.
    pub(crate) unsafe fn read(raw: *const RawConfig) -> Result<Self, ErrorCode> {
        let raw = NonNull::new(raw.cast_mut()).ok_or(ErrorCode::INVALID_ARGUMENT)?;
        // SAFETY: this function's contract.
        let known = unsafe { known_part(raw) }?;
        if known.flags & !CHECKED != 0 || known.memory_size > isize::MAX.unsigned_abs() {
            return Err(ErrorCode::INVALID_ARGUMENT);
        }
        let block_align = match known.block_align {
            0 => None,
            bytes => Some(Alignment::new(bytes).ok_or(ErrorCode::BAD_ALIGNMENT)?),
        };
        let upstream = match NonNull::new(known.upstream) {
            // SAFETY: this function's contract.
            Some(upstream) => Some(unsafe { ForeignResource::new(upstream) }?),
            None => None,
        };
        let memory = NonNull::new(known.memory);
        Ok(Self {
            looks: Looks::new(known.flags),
            memory: memory.map(|start| NonNull::slice_from_raw_parts(start, known.memory_size)),
            room: if memory.is_some() { 0 } else { known.memory_size },
            upstream,
            chunk_size: known.chunk_size,
            block_size: known.block_size,
            block_align,
            max_blocks: known.max_blocks,
        })
    }

    /// Whether the fields that only strategies with blocks of one size know are all zero.
    pub(crate) fn names_no_blocks(&self) -> bool {
        self.block_size == 0 && self.block_align.is_none() && self.max_blocks == 0
    }
}

/// The fields that this version knows. One made by a newer program, which wants something unknown here, is refused.
///
/// # Safety
///
/// `raw` is valid for reads of the `size` that it states.
unsafe fn known_part(raw: NonNull<RawConfig>) -> Result<RawConfig, ErrorCode> {
    // SAFETY: the first word is the size.
    let size = unsafe { raw.cast::<u32>().read() } as usize;
    if size < size_of::<RawConfig>() {
        return Err(ErrorCode::BAD_VERSION);
    }
    // SAFETY: `size` bytes are there: this function's contract.
    let bytes = unsafe { slice::from_raw_parts(raw.cast::<u8>().as_ptr(), size) };
    if bytes[size_of::<RawConfig>()..].iter().any(|&byte| byte != 0) {
        return Err(ErrorCode::BAD_VERSION);
    }
    // SAFETY: as long as that at least; numbers and nullable pointers.
    Ok(unsafe { raw.read() })
}
