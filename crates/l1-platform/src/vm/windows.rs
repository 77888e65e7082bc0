//! The contract of [`vm`](super) on Windows: `VirtualAlloc` and its family.
//!
//! ```text
//!   reserve ──► MEM_RESERVE ──commit──► MEM_COMMIT, PAGE_READWRITE ──protect──► MEM_COMMIT, PAGE_NOACCESS
//!                  ▲                        │      ▲                               │
//!                  └────── decommit ────────┘      └───────────── commit ──────────┘
//! ```
//!
//! Where it differs from Linux:
//!
//! - A reservation starts at a multiple of 64 KiB ([`page::allocation_granularity`]) and goes as a whole: [`release`] of a part is
//!   unsupported, and nothing is trimmed. For a larger alignment the place is found by a reservation that is too large, given
//!   back and asked for anew at the aligned address, which another thread may take in between: then again.
//! - Every commitment is charged, as with [`Access::Charged`]: [`Access::ReadWrite`] is for what is used soon.
//! - A range given to [`commit`], [`decommit`] or [`reset`] lies in one reservation.
//! - [`purge`] takes the pages out and puts fresh ones in. In between, the machine's last commitment may be gone to another
//!   process; then the range stays reserved and the answer is out of memory.
//! - There is no [`remap`], [`move_pages`], [`advise_huge`], [`wipe_on_fork`], [`prefault`] or [`install_guard`].

use core::ptr::{self, NonNull, null_mut};

use super::{Access, OsError};
use crate::fault::{self, Call};
use crate::kernel32::{self, done, refusal};
use crate::{page, sys};

#[path = "windows_query.rs"]
mod query;

use query::{MEM_COMMIT, MEM_FREE, PAGE_NOACCESS, for_each_run, look, query};
pub(crate) use query::{is_readable, working_set};

const MEM_RESERVE: u32 = 0x2000;
const MEM_DECOMMIT: u32 = 0x4000;
const MEM_RELEASE: u32 = 0x8000;
const MEM_LARGE_PAGES: u32 = 0x2000_0000;
const PAGE_READWRITE: u32 = 4;
/// `ERROR_INVALID_ADDRESS`: what asks for a certain place is told so that it is taken.
const INVALID_ADDRESS: i32 = 487;
/// How often another thread may take a place that was found, and another process a commitment. Neither waits for anybody,
/// so that each failure is somebody's success: more than a few in a row mean that there is really none left.
const ATTEMPTS: usize = 64;

/// `VirtualAlloc`, at a place of the system's choice if `place` is null.
///
/// # Safety
///
/// If `place` is not null, its pages are the caller's to change, or nobody's.
unsafe fn allocate(place: *mut u8, size: usize, kind: u32, protection: u32) -> Result<NonNull<u8>, OsError> {
    // SAFETY: this function's contract.
    let start = unsafe { kernel32::VirtualAlloc(place.cast(), size, kind, protection) };
    NonNull::new(start.cast()).ok_or_else(refusal)
}

/// Gives a reservation back.
///
/// # Safety
///
/// It starts at `base`, and nobody uses it any more.
unsafe fn free(base: NonNull<u8>) -> Result<(), OsError> {
    // SAFETY: this function's contract; a size of 0 means all of it.
    done(unsafe { kernel32::VirtualFree(base.as_ptr().cast(), 0, MEM_RELEASE) })
}

/// The kind and the protection of new pages.
fn kind(access: Access) -> (u32, u32) {
    match access {
        Access::None => (MEM_RESERVE, PAGE_NOACCESS),
        Access::ReadWrite | Access::Charged => (MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE),
    }
}

pub(super) fn reserve(size: usize, align: usize, access: Access) -> Result<NonNull<u8>, OsError> {
    if size == 0 || !size.is_multiple_of(page::size()) || !align.is_power_of_two() {
        return Err(OsError::INVALID);
    }
    fault::check(Call::Map)?;
    let granularity = page::allocation_granularity();
    let (kind, protection) = kind(access);
    if align > granularity {
        return reserve_aligned(size, align, granularity, (kind, protection));
    }
    // SAFETY: a place of the system's choice.
    unsafe { allocate(null_mut(), size, kind, protection) }.map_err(too_large)
}

/// Arguments that are right are invalid only if the size is beyond every address space.
fn too_large(error: OsError) -> OsError {
    if error == OsError::INVALID { OsError::OUT_OF_MEMORY } else { error }
}

/// Finds a place with an aligned address inside, gives it back, and asks for the aligned one. (These are not subject to
/// fault injection: the caller's one call was counted.)
#[cold]
fn reserve_aligned(
    size: usize,
    align: usize,
    granularity: usize,
    (kind, protection): (u32, u32),
) -> Result<NonNull<u8>, OsError> {
    let padded = size.checked_add(align - granularity).ok_or(OsError::OUT_OF_MEMORY)?;
    for _ in 0..ATTEMPTS {
        // SAFETY: a place of the system's choice.
        let found = unsafe { allocate(null_mut(), padded, MEM_RESERVE, PAGE_NOACCESS) }.map_err(too_large)?;
        let offset = found.as_ptr().align_offset(align);
        let start = found.as_ptr().wrapping_add(offset);
        // SAFETY: reserved just now, known to nobody.
        unsafe { free(found) }?;
        // SAFETY: reserves, if nobody has pages there, and fails else.
        match unsafe { allocate(start, size, kind, protection) } {
            Err(error) if error.code() == INVALID_ADDRESS => {}
            answer => return answer,
        }
    }
    Err(OsError::OUT_OF_MEMORY)
}

pub(super) fn reserve_huge(size: usize, page: usize) -> Result<NonNull<u8>, OsError> {
    if !page.is_power_of_two() || page <= page::size() || size == 0 || !size.is_multiple_of(page) {
        return Err(OsError::INVALID);
    }
    fault::check(Call::Map)?;
    if page != kernel32::GetLargePageMinimum() {
        return Err(OsError::UNSUPPORTED);
    }
    let kind = MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES;
    // SAFETY: a place of the system's choice.
    let start = unsafe { allocate(null_mut(), size, kind, PAGE_READWRITE) }?;
    if start.as_ptr().addr().is_multiple_of(page) {
        return Ok(start);
    }
    // An emulator that ignores the flag.
    // SAFETY: reserved just now, known to nobody.
    let _ = unsafe { free(start) };
    Err(OsError::UNSUPPORTED)
}

/// # Safety
///
/// As for [`super::map_at`].
pub(super) unsafe fn map_at(addr: usize, size: usize) -> Result<NonNull<u8>, OsError> {
    // A place that does not begin at a multiple of the granularity would be moved to one.
    if addr == 0 || size == 0 || !addr.is_multiple_of(page::allocation_granularity()) {
        return Err(OsError::INVALID);
    }
    fault::check(Call::Map)?;
    let place = ptr::with_exposed_provenance_mut(addr);
    // SAFETY: reserves, if nobody has pages there, and fails else.
    let start = unsafe { allocate(place, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) };
    start.map_err(|error| if error.code() == INVALID_ADDRESS { OsError::OCCUPIED } else { error })
}

/// # Safety
///
/// As for [`super::commit`].
pub(super) unsafe fn commit(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Protect)?;
    // SAFETY: pages of ours become accessible; those that are committed keep their contents (caller's contract).
    unsafe { allocate(ptr.as_ptr(), size, MEM_COMMIT, PAGE_READWRITE) }.map(drop)
}

/// # Safety
///
/// As for [`super::protect`].
pub(super) unsafe fn protect(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Protect)?;
    for_each_run(ptr, size, |run| {
        let mut before = 0;
        match run.state {
            // SAFETY: committed pages of ours, which nobody accesses (caller's contract).
            MEM_COMMIT => done(unsafe {
                kernel32::VirtualProtect(run.start.cast(), run.size, PAGE_NOACCESS, &raw mut before)
            }),
            MEM_FREE => Err(OsError::INVALID),
            _ => Ok(()),
        }
    })
}

/// # Safety
///
/// As for [`super::decommit`].
pub(super) unsafe fn decommit(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Map)?;
    // SAFETY: this function's contract.
    unsafe { take_out(ptr.as_ptr(), size) }
}

/// # Safety
///
/// As for [`super::reset`].
pub(super) unsafe fn reset(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Map)?;
    // SAFETY: this function's contract.
    unsafe { renew(ptr.as_ptr(), size, PAGE_READWRITE) }
}

/// Takes the pages out of a range and leaves it reserved.
///
/// # Safety
///
/// The range is ours, and nobody relies on its contents.
unsafe fn take_out(start: *mut u8, size: usize) -> Result<(), OsError> {
    // The system reads a size of 0 as "all".
    if size == 0 {
        return Err(OsError::INVALID);
    }
    // SAFETY: this function's contract.
    done(unsafe { kernel32::VirtualFree(start.cast(), size, MEM_DECOMMIT) })
}

/// Puts fresh pages into a range.
///
/// # Safety
///
/// As for [`take_out`].
unsafe fn renew(start: *mut u8, size: usize, protection: u32) -> Result<(), OsError> {
    // SAFETY: this function's contract.
    unsafe { take_out(start, size) }?;
    let mut answer = Err(OsError::OUT_OF_MEMORY);
    for _ in 0..ATTEMPTS {
        // SAFETY: as above.
        answer = unsafe { allocate(start, size, MEM_COMMIT, protection) }.map(drop);
        if answer.is_ok() {
            break;
        }
        sys::yield_now();
    }
    answer
}

/// # Safety
///
/// As for [`super::purge`].
pub(super) unsafe fn purge(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Advise)?;
    for_each_run(ptr, size, |run| match run.state {
        // SAFETY: committed pages of ours, whose contents nobody relies on (caller's contract).
        MEM_COMMIT => unsafe { renew(run.start, run.size, run.protection) },
        MEM_FREE => Err(OsError::INVALID),
        _ => Ok(()),
    })
}

/// # Safety
///
/// As for [`super::release`].
pub(super) unsafe fn release(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Unmap)?;
    let start = ptr.as_ptr();
    let reservation = |address: *mut u8| query(address).map_or(null_mut(), |run| run.reservation);
    match reservation(start) {
        base if base.is_null() => Err(OsError::INVALID),
        // The first byte, the last one, and the one behind: all of a reservation, and nothing else. (Reservations have no gaps.)
        base if base == start
            && reservation(start.wrapping_add(size).wrapping_sub(1)) == start
            && reservation(start.wrapping_add(size)) != start =>
        {
            // SAFETY: this function's contract, for all of the reservation.
            unsafe { free(ptr) }
        }
        _ => Err(OsError::UNSUPPORTED),
    }
}

/// # Safety
///
/// None is needed; Linux' version needs its own.
pub(super) unsafe fn remap(
    _ptr: NonNull<u8>,
    old: usize,
    new: usize,
    _may_move: bool,
) -> Result<NonNull<u8>, OsError> {
    if old == 0 || new == 0 {
        return Err(OsError::INVALID);
    }
    fault::check(Call::Remap)?;
    Err(OsError::UNSUPPORTED)
}

/// # Safety
///
/// As for [`remap`].
pub(super) unsafe fn move_pages(_from: NonNull<u8>, _to: NonNull<u8>, _len: usize) -> Result<(), OsError> {
    fault::check(Call::Remap)?;
    Err(OsError::UNSUPPORTED)
}

/// # Safety
///
/// As for [`remap`].
pub(super) unsafe fn advise_huge(_ptr: NonNull<u8>, _size: usize, _on: bool) -> Result<(), OsError> {
    fault::check(Call::Advise)?;
    Err(OsError::UNSUPPORTED)
}

/// # Safety
///
/// As for [`remap`].
pub(super) unsafe fn wipe_on_fork(_ptr: NonNull<u8>, _size: usize) -> Result<(), OsError> {
    Err(OsError::UNSUPPORTED)
}

/// # Safety
///
/// As for [`remap`].
pub(super) unsafe fn prefault(_ptr: NonNull<u8>, _size: usize) -> Result<(), OsError> {
    fault::check(Call::Advise)?;
    Err(OsError::UNSUPPORTED)
}

/// # Safety
///
/// As for [`remap`].
pub(super) unsafe fn install_guard(_ptr: NonNull<u8>, _size: usize) -> Result<(), OsError> {
    fault::check(Call::Advise)?;
    Err(OsError::UNSUPPORTED)
}

/// # Safety
///
/// As for [`super::resident`].
pub(super) unsafe fn resident(ptr: NonNull<u8>, size: usize) -> Result<usize, OsError> {
    let mut pages = 0;
    look(ptr, size, |_, is_resident| {
        pages += usize::from(is_resident);
        false
    })?;
    Ok(pages * page::size())
}

/// # Safety
///
/// As for [`super::first_resident`].
pub(super) unsafe fn first_resident(ptr: NonNull<u8>, size: usize) -> Result<Option<usize>, OsError> {
    let mut first = None;
    look(ptr, size, |offset, is_resident| {
        first = is_resident.then_some(offset);
        is_resident
    })?;
    Ok(first)
}
