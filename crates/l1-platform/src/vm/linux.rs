//! The contract of [`vm`](super) on Linux: `mmap` and its family, by raw system calls.

use core::ptr::{self, NonNull};

use super::{Access, OsError};
use crate::fault::{self, Call};
use crate::page;
use crate::sys::{self, nr};

const PROT_NONE: usize = 0;
const PROT_READ_WRITE: usize = 1 | 2;
/// `MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE`: the same bits on the three architectures.
const MAP_PAGES: usize = 0x02 | 0x20 | MAP_NORESERVE;
const MAP_NORESERVE: usize = 0x4000;
const MAP_FIXED: usize = 0x10;
/// Linux 4.17; older kernels ignore the bit and treat the address as a hint.
const MAP_FIXED_NOREPLACE: usize = 0x10_0000;
const MAP_HUGETLB: usize = 0x4_0000;
/// Where the flags hold the logarithm of the huge page's size.
const MAP_HUGE_SHIFT: u32 = 26;
const MREMAP_MAYMOVE: usize = 1;
const MREMAP_FIXED: usize = 2;
const MREMAP_DONTUNMAP: usize = 4;
const MADV_DONTNEED: usize = 4;
const MADV_HUGEPAGE: usize = 14;
const MADV_NOHUGEPAGE: usize = 15;
const MADV_WIPEONFORK: usize = 18;
const MADV_POPULATE_WRITE: usize = 23;
/// Linux 6.13.
const MADV_GUARD_INSTALL: usize = 102;
/// No kernel knows this one, and must say so.
const MADV_UNKNOWN: usize = 0x7fff_0000;
/// "No file" where `mmap` expects a descriptor.
const NO_FILE: usize = usize::MAX;

/// The pointer to a mapping that the kernel has just named.
fn pointer(address: usize) -> Result<NonNull<u8>, OsError> {
    // Address 0 is mapped only by programs that asked for it; treat it as a refusal rather than a null "success".
    NonNull::new(ptr::with_exposed_provenance_mut(address)).ok_or(OsError::INVALID)
}

/// The address as the kernel sees it; exposed, because the kernel changes what is behind it.
fn address(ptr: NonNull<u8>) -> usize {
    ptr.as_ptr().expose_provenance()
}

/// `mmap` of anonymous pages at `hint`, without `MAP_FIXED`: never replaces anything.
fn map(hint: usize, size: usize, access: Access, flags: usize) -> Result<usize, OsError> {
    fault::check(Call::Map)?;
    let protection = match access {
        Access::None => PROT_NONE,
        Access::ReadWrite | Access::Charged => PROT_READ_WRITE,
    };
    let charge = if access == Access::Charged { MAP_NORESERVE } else { 0 };
    // SAFETY: without MAP_FIXED the kernel chooses free addresses only, so no memory of this process changes.
    unsafe { sys::call(nr::MMAP, [hint, size, protection, (MAP_PAGES & !charge) | flags, NO_FILE, 0]) }
}

/// # Safety
///
/// As for [`super::decommit`].
pub(super) unsafe fn decommit(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Map)?;
    // SAFETY: the range is ours and its contents are not needed (caller's contract).
    unsafe { sys::call(nr::MMAP, [address(ptr), size, PROT_NONE, MAP_PAGES | MAP_FIXED, NO_FILE, 0]) }
        .map(drop)
}

/// # Safety
///
/// As for [`super::reset`].
pub(super) unsafe fn reset(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    fault::check(Call::Map)?;
    // SAFETY: the range is ours and its contents are not needed (caller's contract).
    unsafe { sys::call(nr::MMAP, [address(ptr), size, PROT_READ_WRITE, MAP_PAGES | MAP_FIXED, NO_FILE, 0]) }
        .map(drop)
}

/// `munmap`.
///
/// # Safety
///
/// As for [`super::release`].
unsafe fn unmap(address: usize, size: usize) -> Result<(), OsError> {
    fault::check(Call::Unmap)?;
    // SAFETY: the caller gives the range up.
    unsafe { sys::call(nr::MUNMAP, [address, size, 0, 0, 0, 0]) }.map(drop)
}

pub(super) fn reserve(size: usize, align: usize, access: Access) -> Result<NonNull<u8>, OsError> {
    let page = page::size();
    if size == 0 || !size.is_multiple_of(page) || !align.is_power_of_two() {
        return Err(OsError::INVALID);
    }
    let base = map(0, size, access, 0)?;
    if base.is_multiple_of(align) {
        return pointer(base);
    }
    // SAFETY: the mapping was made above and nobody knows it. If it is refused, untouched address space is left over.
    let _ = unsafe { unmap(base, size) };
    reserve_trimmed(size, align, page, access)
}

pub(super) fn reserve_huge(size: usize, page: usize) -> Result<NonNull<u8>, OsError> {
    if !page.is_power_of_two() || page <= page::size() || size == 0 || !size.is_multiple_of(page) {
        return Err(OsError::INVALID);
    }
    fault::check(Call::Map)?;
    // Not MAP_NORESERVE: a page that is missing shall be missed here, not by a SIGBUS at its first touch.
    let flags = (MAP_PAGES & !MAP_NORESERVE) | MAP_HUGETLB | (page.ilog2() as usize) << MAP_HUGE_SHIFT;
    // SAFETY: without MAP_FIXED the kernel chooses free addresses only, so no memory of this process changes.
    let base = unsafe { sys::call(nr::MMAP, [0, size, PROT_READ_WRITE, flags, NO_FILE, 0]) }?;
    if base.is_multiple_of(page) {
        return pointer(base);
    }
    // An emulator that ignores the flag (qemu-user 7.2).
    // SAFETY: the mapping was made above and nobody knows it.
    let _ = unsafe { unmap(base, size) };
    Err(OsError::UNSUPPORTED)
}

/// Maps enough for an aligned range inside and cuts the rest away.
#[cold]
fn reserve_trimmed(size: usize, align: usize, page: usize, access: Access) -> Result<NonNull<u8>, OsError> {
    let Some(padded) = size.checked_add(align - page) else { return Err(OsError::OUT_OF_MEMORY) };
    let base = map(0, padded, access, 0)?;
    // `base` is page-aligned, so the aligned start lies at most `align - page` further on: no overflow.
    let start = (base + align - 1) & !(align - 1);
    let head = start - base;
    let tail = padded - size - head;
    if head != 0 {
        // SAFETY: the head of our own mapping, known to nobody. A refusal leaves untouched address space behind.
        let _ = unsafe { unmap(base, head) };
    }
    if tail != 0 {
        // SAFETY: the tail of our own mapping, as above.
        let _ = unsafe { unmap(start + size, tail) };
    }
    pointer(start)
}

/// # Safety
///
/// As for [`super::map_at`].
pub(super) unsafe fn map_at(addr: usize, size: usize) -> Result<NonNull<u8>, OsError> {
    if addr == 0 || size == 0 {
        return Err(OsError::INVALID);
    }
    let base = map(addr, size, Access::ReadWrite, MAP_FIXED_NOREPLACE)?;
    if base != addr {
        // SAFETY: an old kernel took the address for a hint; this mapping is new and known to nobody.
        let _ = unsafe { unmap(base, size) };
        return Err(OsError::OCCUPIED);
    }
    pointer(base)
}

/// # Safety
///
/// As for [`super::commit`] and [`super::protect`].
unsafe fn set_protection(ptr: NonNull<u8>, size: usize, protection: usize) -> Result<(), OsError> {
    fault::check(Call::Protect)?;
    // SAFETY: the range is ours, and nobody relies on the access that is taken away (caller's contract).
    unsafe { sys::call(nr::MPROTECT, [address(ptr), size, protection, 0, 0, 0]) }.map(drop)
}

/// # Safety
///
/// As for [`super::commit`].
pub(super) unsafe fn commit(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: access is only added; the rest is this function's contract.
    unsafe { set_protection(ptr, size, PROT_READ_WRITE) }
}

/// # Safety
///
/// As for [`super::protect`].
pub(super) unsafe fn protect(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: this function's contract.
    unsafe { set_protection(ptr, size, PROT_NONE) }
}

/// # Safety
///
/// The range is ours, and what the advice does to its contents is the caller's wish.
unsafe fn advise(ptr: NonNull<u8>, size: usize, advice: usize) -> Result<(), OsError> {
    fault::check(Call::Advise)?;
    // SAFETY: this function's contract.
    unsafe { sys::call(nr::MADVISE, [address(ptr), size, advice, 0, 0, 0]) }.map(drop)
}

/// # Safety
///
/// As for [`super::purge`].
pub(super) unsafe fn purge(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: the contents are the caller's to lose.
    unsafe { advise(ptr, size, MADV_DONTNEED) }
}

/// # Safety
///
/// As for [`super::release`].
pub(super) unsafe fn release(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { unmap(address(ptr), size) }
}

/// # Safety
///
/// As for [`super::remap`].
pub(super) unsafe fn remap(
    ptr: NonNull<u8>,
    old: usize,
    new: usize,
    may_move: bool,
) -> Result<NonNull<u8>, OsError> {
    // The kernel reads an old size of zero as "duplicate", a new one as an error.
    if old == 0 || new == 0 {
        return Err(OsError::INVALID);
    }
    fault::check(Call::Remap)?;
    let flags = if may_move { MREMAP_MAYMOVE } else { 0 };
    // SAFETY: the old range is ours to resize or move (caller's contract).
    let base = unsafe { sys::call(nr::MREMAP, [address(ptr), old, new, flags, 0, 0]) }?;
    pointer(base)
}

/// # Safety
///
/// As for [`super::move_pages`].
pub(super) unsafe fn move_pages(from: NonNull<u8>, to: NonNull<u8>, len: usize) -> Result<(), OsError> {
    fault::check(Call::Remap)?;
    let flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    // SAFETY: `to` is ours to replace and `from` to empty (caller's contract).
    match unsafe { sys::call(nr::MREMAP, [address(from), len, len, flags, address(to), 0]) } {
        Ok(_) => Ok(()),
        Err(error) => Err(restore_target(address(to), len, error)),
    }
}

/// The kernel unmaps the target before it finds out whether it can move: put it back if it is gone.
///
/// This call is not subject to fault injection: it mends what the refused one broke.
#[cold]
fn restore_target(to: usize, len: usize, refusal: OsError) -> OsError {
    let args = [to, len, PROT_READ_WRITE, MAP_PAGES | MAP_FIXED_NOREPLACE, NO_FILE, 0];
    // SAFETY: MAP_FIXED_NOREPLACE (known to every kernel that knows DONTUNMAP) never replaces a mapping.
    match unsafe { sys::call(nr::MMAP, args) } {
        // It was gone and is back, or (the usual case) the kernel refused before it touched anything.
        Ok(base) if base == to => refusal,
        Err(error) if error.is_occupied() => refusal,
        // A kernel before 4.17: it refused DONTUNMAP at once, and put our mapping elsewhere.
        Ok(base) => {
            // SAFETY: made above, known to nobody.
            let _ = unsafe { sys::call(nr::MUNMAP, [base, len, 0, 0, 0, 0]) };
            refusal
        }
        Err(_) => OsError::OCCUPIED,
    }
}

/// # Safety
///
/// As for [`super::advise_huge`].
pub(super) unsafe fn advise_huge(ptr: NonNull<u8>, size: usize, on: bool) -> Result<(), OsError> {
    // SAFETY: neither advice changes contents.
    unsafe { advise(ptr, size, if on { MADV_HUGEPAGE } else { MADV_NOHUGEPAGE }) }
}

/// # Safety
///
/// As for [`super::wipe_on_fork`].
pub(super) unsafe fn wipe_on_fork(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // An emulator may accept any advice and do nothing about it (qemu-user 7.2).
    // SAFETY: not a known advice: nothing changes.
    if unsafe { advise(ptr, size, MADV_UNKNOWN) }.is_ok() {
        return Err(OsError::UNSUPPORTED);
    }
    // SAFETY: contents change in children only, and there by the caller's wish.
    unsafe { advise(ptr, size, MADV_WIPEONFORK) }
}

/// # Safety
///
/// As for [`super::prefault`].
pub(super) unsafe fn prefault(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: populating changes no contents.
    unsafe { advise(ptr, size, MADV_POPULATE_WRITE) }
}

/// # Safety
///
/// As for [`super::install_guard`].
pub(super) unsafe fn install_guard(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: the range is ours, and its contents are not needed (caller's contract).
    unsafe { advise(ptr, size, MADV_GUARD_INSTALL) }
}

/// # Safety
///
/// As for [`super::resident`].
pub(super) unsafe fn resident(ptr: NonNull<u8>, size: usize) -> Result<usize, OsError> {
    let mut pages = 0;
    let count = |_, answer: &[u8]| {
        pages += answer.iter().filter(|&&byte| is_resident(byte)).count();
        false
    };
    // SAFETY: same contract.
    unsafe { look(ptr, size, count) }?;
    Ok(pages * page::size())
}

/// # Safety
///
/// As for [`super::first_resident`].
pub(super) unsafe fn first_resident(ptr: NonNull<u8>, size: usize) -> Result<Option<usize>, OsError> {
    let mut first = None;
    let find = |offset, answer: &[u8]| {
        first = answer.iter().position(|&byte| is_resident(byte)).map(|page| offset + page * page::size());
        first.is_some()
    };
    // SAFETY: same contract.
    unsafe { look(ptr, size, find) }?;
    Ok(first)
}

/// One byte of `mincore`'s answer: only the lowest bit has a meaning.
fn is_resident(byte: u8) -> bool {
    byte & 1 != 0
}

/// Passes `mincore`'s answer, one byte per page, to `visit` with its offset, piece by piece until `visit` says that it is enough.
///
/// # Safety
///
/// As for [`super::resident`].
unsafe fn look(
    ptr: NonNull<u8>,
    size: usize,
    mut visit: impl FnMut(usize, &[u8]) -> bool,
) -> Result<(), OsError> {
    /// One byte of answer per page; small enough for a signal stack.
    const BATCH: usize = 1024;
    let page = page::size();
    let mut answer = [0_u8; BATCH];
    let mut done = 0;
    while done < size {
        let length = (size - done).min(BATCH * page);
        let args = [address(ptr) + done, length, answer.as_mut_ptr().expose_provenance(), 0, 0, 0];
        // SAFETY: mincore writes one byte per page, at most BATCH, into `answer` and reads no page of the range.
        unsafe { sys::call(nr::MINCORE, args) }?;
        if visit(done, answer.get(..length.div_ceil(page)).unwrap_or(&[])) {
            break;
        }
        done += length;
    }
    Ok(())
}
