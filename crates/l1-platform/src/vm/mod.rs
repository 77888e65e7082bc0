//! Pages of address space: the contract that every operating system's file fulfils.
//!
//! ```text
//!                 reserve(None)               commit
//!   (nothing) ───────────────▶  RESERVED  ─────────────▶  COMMITTED ◀────────────┐
//!       ▲  │                        ▲                      │  │  ▲               │
//!       │  │ reserve(ReadWrite)     │ protect              │  │  │ purge         │ purge
//!       │  │ map_at                 └──────────────────────┘  │  │               │
//!       │  └─────────────────────────────────────────────▶    │  └── (reads zero)│
//!       │                                           first     ▼                  │
//!       └──────────────── release ◀───────────      access: RESIDENT ────────────┘
//!                  (from every state)
//! ```
//!
//! | state | reads and writes | costs |
//! |---|---|---|
//! | reserved | fault (SIGSEGV) | address space only; not charged against an overcommit limit |
//! | committed | allowed; never-touched and purged bytes read as zero | address space; charged where the system counts commitments |
//! | resident | allowed | a physical page |
//!
//! **Fit.** `size` is a positive multiple of [`page::size`](crate::page::size) in every function, pointers are
//! page-aligned. **Disjoint.** A range handed out overlaps no other mapping of the process. **Stable.** It stays
//! mapped until [`release`], [`remap`] or [`move_pages`] says otherwise. **Threads.** Any thread may call any function
//! on any range at any time; two threads must not call functions on overlapping ranges at once, with two exceptions:
//! [`resident`] and [`first_resident`] only look, and may beside anything but what ends the mapping; [`commit`] and
//! [`install_guard`] may overlap with each other, themselves and [`purge`], because in every order memory is committed
//! afterwards, a guard a guard, and what was purged zero. **Errors** are values: after an error the range is as it was, unless the function says otherwise; the
//! C variable `errno` is never touched. **No allocation**, no lock, no panic.
//!
//! | function | Linux | before `main` | in a signal handler | after `fork` in a threaded process |
//! |---|---|---|---|---|
//! | all of this module | one system call (`reserve`: one to four; `resident`: one per 4 MiB) | yes | yes | yes |
//!
//! A port is one file with these functions and is chosen in this one place. `fake` is the port for Miri: pages come
//! from the system allocator. A fixed buffer would be a port whose `reserve` cuts from the buffer, whose `commit` and
//! `protect` do nothing, whose `purge` writes zeros, and which refuses the rest as
//! [unsupported](crate::vm::OsError::is_unsupported).
//!
//! **Windows** has no [`remap`], [`move_pages`], [`advise_huge`], [`wipe_on_fork`], [`prefault`], [`install_guard`] and no [`release`] of
//! a part of a reservation, and says so the same way. A range given to [`commit`], [`decommit`] or [`reset`] lies in one reservation. All
//! commitments are charged. [`map_at`] takes multiples of
//! [`page::allocation_granularity`](crate::page::allocation_granularity) only. Calls change the thread's last error. *Cost*: one system
//! call; `release` four; `purge` and `protect` two or three for each run of pages in the same state; `reserve` above the granularity
//! three or more; `resident` one per 256 KiB.

use core::ptr::NonNull;

pub use crate::error::OsError;

#[cfg(miri)]
#[path = "fake.rs"]
mod port;
#[cfg(all(target_os = "linux", not(miri)))]
#[path = "linux.rs"]
mod port;
#[cfg(all(windows, not(miri)))]
#[path = "windows.rs"]
mod port;

#[cfg(not(any(miri, target_os = "linux", windows)))]
compile_error!(
    "stratalloc-platform knows Linux and Windows so far: add src/vm/<system>.rs with the functions of this contract"
);

#[cfg(windows)]
pub(crate) use port::{is_readable, working_set};

#[cfg(test)]
mod tests;

/// What may be done with freshly reserved pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing until [`commit`]: the reservation is not charged. For systems that count commitments (overcommit
    /// mode 2) and for guard pages.
    None,
    /// Reads and writes at once; physical pages come at first touch.
    ReadWrite,
    /// Like [`ReadWrite`](Self::ReadWrite), but charged in advance, so that the system refuses what it could not
    /// possibly provide: for single large blocks, whose caller expects to be told.
    Charged,
}

/// Reserves `size` bytes of address space whose start is a multiple of `align`.
///
/// *Precondition*: none on memory; `size` is a positive multiple of the page size, `align` a power of two (smaller
/// than a page counts as a page), else [`OsError::INVALID`]. *Effect*: a private, anonymous mapping, in the state that
/// `access` names; it reads as zero, is not charged in advance (`MAP_NORESERVE`) and is inherited by `fork` as a copy.
/// *Errors*: [`is_out_of_memory`](OsError::is_out_of_memory) when address space, a limit (`RLIMIT_AS`, cgroup,
/// overcommit) or the number of mappings is exhausted.
///
/// The exact size is tried first, which recent kernels align by themselves for large sizes; otherwise more is mapped
/// and trimmed. Should the system refuse to trim, the surplus stays behind as untouched address space and the
/// reservation succeeds.
#[inline]
pub fn reserve(size: usize, align: usize, access: Access) -> Result<NonNull<u8>, OsError> {
    port::reserve(size, align, access)
}

/// Maps `size` bytes of explicit huge pages of `page` bytes each, committed and set aside for this mapping.
///
/// *Precondition*: none on memory; `size` is a positive multiple of `page`, a power of two above [`page::size`](crate::page::size), else
/// [`OsError::INVALID`]. *Effect*: as [`reserve`], aligned to `page`; the pages are taken from the kernel's pool for this size now, so no
/// later access can fail for want of one, but in a child of `fork`. [`release`] takes whole huge pages only; [`protect`], [`purge`] and
/// [`remap`] too. *Errors*: out of memory when the pool has too few free ones; unsupported where the kernel has no pages of this size.
#[inline]
pub fn reserve_huge(size: usize, page: usize) -> Result<NonNull<u8>, OsError> {
    port::reserve_huge(size, page)
}

/// Maps `size` bytes, committed, at exactly `addr`, only if nothing is there.
///
/// *Errors*: [`is_occupied`](OsError::is_occupied) when any page of the range is mapped (also on kernels before 4.17,
/// which do not know `MAP_FIXED_NOREPLACE`: their answer elsewhere is unmapped again); out of memory as for
/// [`reserve`]; a permission error below `vm.mmap_min_addr`.
///
/// # Safety
///
/// Nobody else may count on `addr .. addr + size` staying unmapped: the caller is about to own memory that was not
/// handed out by the system's choice (for instance, the rest of a reservation of its own).
#[inline]
pub unsafe fn map_at(addr: usize, size: usize) -> Result<NonNull<u8>, OsError> {
    // SAFETY: same contract.
    unsafe { port::map_at(addr, size) }
}

/// Makes a reserved range readable and writable (`mprotect`).
///
/// *Effect*: reserved pages become committed and read as zero; committed ones stay as they are. *Errors*: out of
/// memory when the commitment is not granted or a mapping had to be split and no more are allowed.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of this module.
#[inline]
pub unsafe fn commit(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::commit(ptr, size) }
}

/// Makes a range inaccessible (`PROT_NONE`): a guard, or the way back to reserved.
///
/// *Effect*: any access faults. The contents are kept, physical pages too: [`purge`] first to give them back.
/// *Errors*: out of memory when a mapping had to be split and no more are allowed; the range is then as it was.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of this module and nobody accesses it until the next [`commit`].
#[inline]
pub unsafe fn protect(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::protect(ptr, size) }
}

/// Gives the physical pages of a range back at once (`MADV_DONTNEED`).
///
/// *Effect*: on success every byte of the range **reads as zero** and no page of it is resident; the range stays
/// committed (or reserved). *Errors*: pages locked by `mlock` or `mlockall` are refused as invalid, and then some of
/// the contents may be kept and some be zero: after an error assume neither.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of this module and nobody relies on its contents.
#[inline]
pub unsafe fn purge(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::purge(ptr, size) }
}

/// Gives pages and address space back (`munmap`); any whole-page part of a reservation may go by itself.
///
/// *Errors*: out of memory when a mapping had to be split and no more are allowed; the range is then still mapped and
/// still the caller's: keep it (after [`purge`] it costs address space only) and try again later.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of this module and nobody accesses it any more.
#[inline]
pub unsafe fn release(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::release(ptr, size) }
}

/// Changes the size of a mapping from `old` to `new` bytes (`mremap`), moving page tables instead of bytes.
///
/// *Effect*: the first `min(old, new)` bytes keep their contents, added ones read as zero, cut ones are released. With
/// `may_move` the range may get another address, aligned to a page only; without it the address is kept or the
/// call fails. *Errors*: out of memory when there is no room (in place, or at all); invalid or bad address (`EFAULT`)
/// when the range is made of several mappings, for instance after part of it was protected or advised. After an error
/// the range is as it was.
///
/// # Safety
///
/// `ptr .. ptr + old` lies in mappings of this module; after success nobody uses the old range beyond the new one's
/// bytes, or at all if the address changed.
#[inline]
pub unsafe fn remap(
    ptr: NonNull<u8>,
    old: usize,
    new: usize,
    may_move: bool,
) -> Result<NonNull<u8>, OsError> {
    // SAFETY: same contract.
    unsafe { port::remap(ptr, old, new, may_move) }
}

/// Moves the physical pages of `from` to `to` without copying (`mremap` with `DONTUNMAP`, Linux 5.7).
///
/// *Effect*: `to` is replaced and has the contents of `from`; `from` stays mapped and committed and reads as zero.
/// `to` takes over the access and the huge-page advice of `from`. *Errors*: invalid where the kernel cannot; out of
/// memory; `EFAULT` when `from` is made of several mappings. After an error `from` is as it was, `to` is mapped, committed,
/// and its contents are lost or kept.
///
/// # Safety
///
/// Both ranges lie in mappings of this module and do not overlap; nobody accesses either during the call; nobody relies
/// on the contents of `to`. The kernel unmaps `to` before it finds out whether it can move; after a refusal this function
/// maps it again. Two gaps remain, both only when the kernel is out of memory in the middle: if `to` cannot be mapped
/// again the answer is [`OsError::OCCUPIED`] and `to` is not the caller's any more; and a `mmap` of another thread that
/// lands in `to` in between goes unnoticed.
#[inline]
pub unsafe fn move_pages(from: NonNull<u8>, to: NonNull<u8>, len: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::move_pages(from, to, len) }
}

/// Replaces the mapping of a range by a fresh one, committed and not charged (`mmap` with `MAP_FIXED`).
///
/// *Effect*: the range reads as zero, no page is resident, advice is forgotten; a mapping that [`move_pages`] had split
/// from its neighbours can join them again. *Errors*: out of memory when no more mappings are allowed; the range is then
/// as it was.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of this module, and its contents are no longer needed.
#[inline]
pub unsafe fn reset(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::reset(ptr, size) }
}

/// Turns a committed range back into a reserved one (`mmap` with `MAP_FIXED` and no access): its pages are given back, and
/// so is the commitment, which neither [`purge`] nor [`protect`] does.
///
/// *Effect*: any access faults until the next [`commit`]; then the range reads as zero. *Errors*: out of memory when a
/// mapping had to be split and no more are allowed; the range is then as it was.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of this module, nobody uses it, and its contents are no longer needed.
#[inline]
pub unsafe fn decommit(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::decommit(ptr, size) }
}

/// Asks for huge pages in a range, or for none (`MADV_HUGEPAGE`, `MADV_NOHUGEPAGE`).
///
/// *Effect*: advice for later faults and for the kernel's collector; pages that are there stay. Splits mappings.
/// *Errors*: invalid where the kernel has no transparent huge pages; out of memory when no more mappings are allowed.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of this module. (Contents and addresses do not change.)
#[inline]
pub unsafe fn advise_huge(ptr: NonNull<u8>, size: usize, on: bool) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::advise_huge(ptr, size, on) }
}

/// Lets a range read as zero in children of `fork` (`MADV_WIPEONFORK`, Linux 4.14); children of `vfork` share it.
///
/// *Effect*: none here. *Errors*: invalid or unsupported where the kernel cannot, or would only say that it can; out of memory when
/// no more mappings are allowed.
///
/// # Safety
///
/// `ptr .. ptr + size` is committed, and no child relies on what it contains here.
#[inline]
pub unsafe fn wipe_on_fork(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::wipe_on_fork(ptr, size) }
}

/// Makes a committed range resident now instead of at first touch (`MADV_POPULATE_WRITE`, Linux 5.14).
///
/// *Effect*: every page is resident; contents are kept. *Errors*: invalid where the kernel cannot (touch the pages
/// instead); out of memory when a cgroup or the machine has no more: some pages may be resident then.
///
/// # Safety
///
/// `ptr .. ptr + size` is committed.
#[inline]
pub unsafe fn prefault(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::prefault(ptr, size) }
}

/// How many bytes of a range are resident (`mincore`). A snapshot: other threads and the kernel change it. A page that
/// was only ever read counts although it is the shared page of zeros.
///
/// *Cost*: one system call per 1024 pages. *Errors*: out of memory when part of the range is not mapped.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of this module. (Nothing is read or changed.)
#[inline]
pub unsafe fn resident(ptr: NonNull<u8>, size: usize) -> Result<usize, OsError> {
    // SAFETY: same contract.
    unsafe { port::resident(ptr, size) }
}

/// How far from its start the first resident page of a range lies; `None` if no page is. As [`resident`] otherwise, and ends at
/// that page: how deep a stack, which grows down, has been used.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of this module. (Nothing is read or changed.)
#[inline]
pub unsafe fn first_resident(ptr: NonNull<u8>, size: usize) -> Result<Option<usize>, OsError> {
    // SAFETY: same contract.
    unsafe { port::first_resident(ptr, size) }
}

/// Makes a committed range inaccessible without splitting its mapping (`MADV_GUARD_INSTALL`, Linux 6.13): a guard that does not
/// count against the number of mappings that a process may have.
///
/// *Effect*: any access faults, its physical pages are given back; [`purge`], [`commit`] and `fork` leave the guard where it is. A guard
/// may be installed twice. *Errors*: invalid where the kernel cannot, or the range is locked: [`protect`] it instead. An emulator
/// may accept and do nothing, which [`probe`](crate::probe) finds out.
///
/// # Safety
///
/// `ptr .. ptr + size` lies in mappings of this module, nobody accesses it any more, and its contents are no longer needed.
#[inline]
pub unsafe fn install_guard(ptr: NonNull<u8>, size: usize) -> Result<(), OsError> {
    // SAFETY: same contract.
    unsafe { port::install_guard(ptr, size) }
}
