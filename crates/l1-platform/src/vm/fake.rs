//! The contract of [`vm`](super) for Miri, which has no kernel: every reservation is one block of the system allocator.
//!
//! ```text
//! table:  [ base, align, size, mapped ] …     block goes back when mapped == 0
//! ```
//!
//! What is kept of the contract: alignment, zeros at first and after a purge, contents across `remap` and `move_pages`,
//! errors for what cannot be done. What is not: access to released or protected parts of a block that is still partly
//! mapped is not detected; `map_at` always finds the range occupied. Reservations above [`LARGEST`] are refused, as
//! under a small `RLIMIT_AS`, because Miri keeps books for every byte.
//!
//! `System` and not the global allocator: the global allocator may be the heap that asks.

extern crate std;

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Access, OsError};
use crate::fault::{self, Call};
use crate::page;

/// The largest reservation that is granted.
const LARGEST: usize = 1 << 30;
/// Reservations that may exist at once.
const CAPACITY: usize = 1024;

/// One block of the system allocator; `mapped` bytes of its `size` are not yet released. `mapped == 0`: slot is free.
#[derive(Clone, Copy)]
struct Mapping {
    base: *mut u8,
    size: usize,
    align: usize,
    mapped: usize,
}

struct Table([Mapping; CAPACITY]);

// SAFETY: the pointers are only used by whoever holds the lock around the table, and blocks are not tied to a thread.
unsafe impl Send for Table {}

static TABLE: Mutex<Table> =
    Mutex::new(Table([Mapping { base: ptr::null_mut(), size: 0, align: 1, mapped: 0 }; CAPACITY]));

fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    /// The mapping that contains `ptr .. ptr + size`.
    fn find(&mut self, ptr: NonNull<u8>, size: usize) -> Result<&mut Mapping, OsError> {
        let inside = |m: &&mut Mapping| {
            let offset = ptr.addr().get().wrapping_sub(m.base.addr());
            m.mapped != 0 && offset < m.size && size <= m.size - offset
        };
        self.0.iter_mut().find(inside).ok_or(OsError::INVALID)
    }
}

/// Refuses what does not lie in a mapping of ours: under Miri a wrong range is a test's bug, and should show.
fn check(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    table().find(ptr, size).map(drop)
}

pub(super) fn reserve(size: usize, align: usize, _access: Access) -> Result<NonNull<u8>, OsError> {
    if size == 0 || !size.is_multiple_of(page::size()) || !align.is_power_of_two() {
        return Err(OsError::INVALID);
    }
    fault::check(Call::Map)?;
    if size > LARGEST {
        return Err(OsError::OUT_OF_MEMORY);
    }
    let align = align.max(page::size());
    let layout = Layout::from_size_align(size, align).map_err(|_| OsError::OUT_OF_MEMORY)?;
    let mut table = table();
    let slot = table.0.iter_mut().find(|m| m.mapped == 0).ok_or(OsError::OUT_OF_MEMORY)?;
    // SAFETY: the layout's size is not zero.
    let base = unsafe { System.alloc_zeroed(layout) };
    *slot = Mapping { base, size, align, mapped: if base.is_null() { 0 } else { size } };
    NonNull::new(base).ok_or(OsError::OUT_OF_MEMORY)
}

/// There are none here.
pub(super) fn reserve_huge(_size: usize, _page: usize) -> Result<NonNull<u8>, OsError> {
    fault::check(Call::Map)?;
    Err(OsError::UNSUPPORTED)
}

pub(super) unsafe fn map_at(_addr: usize, _size: usize) -> Result<NonNull<u8>, OsError> {
    fault::check(Call::Map)?;
    Err(OsError::OCCUPIED)
}

pub(super) unsafe fn commit(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Protect)?;
    check(ptr, size)
}

pub(super) unsafe fn protect(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Protect)?;
    check(ptr, size)
}

pub(super) unsafe fn decommit(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract; contents are not needed there either.
    unsafe { reset(ptr, size) }
}

pub(super) unsafe fn reset(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Map)?;
    check(ptr, size)?;
    // SAFETY: the range lies in a mapping of ours, whose contents are not needed (caller's contract).
    unsafe { ptr.as_ptr().write_bytes(0, size) };
    Ok(())
}

pub(super) unsafe fn purge(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Advise)?;
    check(ptr, size)?;
    // SAFETY: inside a live block (checked), and nobody relies on the contents (caller's contract).
    unsafe { ptr.write_bytes(0, size) };
    Ok(())
}

pub(super) unsafe fn release(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Unmap)?;
    let mut table = table();
    let mapping = table.find(ptr, size)?;
    mapping.mapped = mapping.mapped.checked_sub(size).ok_or(OsError::INVALID)?;
    if mapping.mapped == 0 {
        // SAFETY: size and alignment made a valid layout when the block was allocated with them.
        let layout = unsafe { Layout::from_size_align_unchecked(mapping.size, mapping.align) };
        // SAFETY: allocated by `System` with this layout; every part has been given up.
        unsafe { System.dealloc(mapping.base, layout) };
        mapping.base = ptr::null_mut();
    }
    Ok(())
}

pub(super) unsafe fn remap(
    ptr: NonNull<u8>,
    old: usize,
    new: usize,
    may_move: bool,
) -> Result<NonNull<u8>, OsError> {
    fault::check(Call::Remap)?;
    if old == 0 || new == 0 {
        return Err(OsError::INVALID);
    }
    check(ptr, old)?;
    if new <= old {
        let mut table = table();
        // The tail is given up; the block stays, since `new` is not zero.
        table.find(ptr, old)?.mapped -= old - new;
        return Ok(ptr);
    }
    if !may_move {
        return Err(OsError::OUT_OF_MEMORY);
    }
    let target = reserve(new, 1, Access::ReadWrite)?;
    // SAFETY: `old` bytes are readable at `ptr` (checked) and fit into the new, distinct block.
    unsafe { ptr.copy_to_nonoverlapping(target, old) };
    // SAFETY: the old range moved; nobody uses it any more (caller's contract).
    unsafe { release(ptr, old) }?;
    Ok(target)
}

pub(super) unsafe fn move_pages(from: NonNull<u8>, to: NonNull<u8>, len: usize) -> Result<(), OsError> {
    fault::check(Call::Remap)?;
    check(from, len)?;
    check(to, len)?;
    // SAFETY: both ranges are live (checked) and disjoint (caller's contract).
    unsafe { from.copy_to_nonoverlapping(to, len) };
    // SAFETY: `from` is live and its contents have moved.
    unsafe { from.write_bytes(0, len) };
    Ok(())
}

pub(super) unsafe fn advise_huge(ptr: NonNull<u8>, size: usize, _on: bool) -> Result<(), OsError> {
    fault::check(Call::Advise)?;
    check(ptr, size)
}

/// There is no fork here either.
pub(super) unsafe fn wipe_on_fork(_ptr: NonNull<u8>, _size: usize) -> Result<(), OsError> {
    Err(OsError::INVALID)
}

pub(super) unsafe fn prefault(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Advise)?;
    check(ptr, size)
}

/// Everything is resident.
pub(super) unsafe fn resident(ptr: NonNull<u8>, size: usize) -> Result<usize, OsError> {
    check(ptr, size).map(|()| size)
}

/// Everything is resident.
pub(super) unsafe fn first_resident(ptr: NonNull<u8>, size: usize) -> Result<Option<usize>, OsError> {
    check(ptr, size).map(|()| (size > 0).then_some(0))
}

/// A guard would not be noticed here.
pub(super) unsafe fn install_guard(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Advise)?;
    check(ptr, size)?;
    Err(OsError::UNSUPPORTED)
}
