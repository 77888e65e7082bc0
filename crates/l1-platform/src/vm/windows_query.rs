//! What lies in a range of addresses, asked of Windows.

use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};

use super::OsError;
use crate::kernel32::{self, MemoryInformation, WorkingSetPage, done, refusal};
use crate::page;

pub(super) const MEM_COMMIT: u32 = 0x1000;
pub(super) const MEM_FREE: u32 = 0x1_0000;
pub(super) const PAGE_NOACCESS: u32 = 1;

/// Tells `visit` of each page, by its offset, whether it is in the working set, until `visit` says that it is enough.
pub(super) fn look(
    ptr: NonNull<u8>,
    size: usize,
    mut visit: impl FnMut(usize, bool) -> bool,
) -> Result<(), OsError> {
    for_each_run(ptr, size, |run| match run.state {
        MEM_FREE => Err(OsError::OUT_OF_MEMORY),
        _ => Ok(()),
    })?;
    let page = page::size();
    let start = ptr.as_ptr().expose_provenance();
    let mut pages = [WorkingSetPage { address: 0, attributes: 0 }; 64];
    for from in (0..size).step_by(pages.len() * page) {
        let asked = pages.len().min((size - from) / page);
        for (index, place) in pages.iter_mut().take(asked).enumerate() {
            *place = WorkingSetPage { address: start + from + index * page, attributes: 0 };
        }
        working_set(pages.get_mut(..asked).unwrap_or(&mut []))?;
        for (index, answer) in pages.iter().take(asked).enumerate() {
            if visit(from + index * page, answer.is_resident()) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Fills in the answers.
pub(crate) fn working_set(pages: &mut [WorkingSetPage]) -> Result<(), OsError> {
    let bytes = u32::try_from(size_of_val(pages)).map_err(|_| OsError::INVALID)?;
    // SAFETY: QueryWorkingSetEx reads and writes `bytes` bytes of the array, and touches no page that is asked about.
    done(unsafe { kernel32::K32QueryWorkingSetEx(kernel32::GetCurrentProcess(), pages.as_mut_ptr(), bytes) })
}

/// Pages in the same state, one after the other.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) start: *mut u8,
    pub(super) size: usize,
    /// Where the reservation begins; null if there is none.
    pub(super) reservation: *mut u8,
    /// [`MEM_FREE`], [`MEM_RESERVE`] or [`MEM_COMMIT`].
    pub(super) state: u32,
    /// Of committed pages.
    pub(super) protection: u32,
}

/// The run in which an address lies, from its page on.
pub(super) fn query(address: *mut u8) -> Result<Run, OsError> {
    let mut answer = MaybeUninit::<MemoryInformation>::uninit();
    let length = size_of::<MemoryInformation>();
    // SAFETY: VirtualQuery writes one record, and reads no page that it is asked about.
    if unsafe { kernel32::VirtualQuery(address.cast(), answer.as_mut_ptr(), length) } == 0 {
        return Err(refusal());
    }
    // SAFETY: written just now.
    let MemoryInformation { base, allocation_base, size, state, protection, .. } =
        unsafe { answer.assume_init() };
    // Of free pages the other fields mean nothing.
    let reservation = if state == MEM_FREE { null_mut() } else { allocation_base.cast() };
    Ok(Run { start: base.cast(), size, reservation, state, protection })
}

/// Calls `work` for the runs that a range consists of, cut to the range.
pub(super) fn for_each_run(
    ptr: NonNull<u8>,
    size: usize,
    mut work: impl FnMut(Run) -> Result<(), OsError>,
) -> Result<(), OsError> {
    let mut done = 0;
    while done < size {
        let start = ptr.as_ptr().wrapping_add(done);
        let run = query(start)?;
        let length = (run.start.addr() + run.size - start.addr()).min(size - done);
        done += length;
        work(Run { start, size: length, ..run })?;
    }
    Ok(())
}

/// Whether a word can be read: see [`probe`](crate::probe).
pub(crate) fn is_readable(address: *mut u8) -> bool {
    const NO_ACCESS_OR_GUARD: u32 = PAGE_NOACCESS | 0x100;
    query(address).is_ok_and(|run| run.state == MEM_COMMIT && run.protection & NO_ACCESS_OR_GUARD == 0)
}
