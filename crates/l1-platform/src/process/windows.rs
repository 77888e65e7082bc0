//! `GetProcessTimes`, `GetProcessMemoryInfo`, `GetModuleFileName`.

use core::ptr::null_mut;

use super::Usage;
use crate::error::OsError;
use crate::kernel32::{self, FileTime, Handle, ProcessMemory, done};

pub(super) fn comm(name: &mut [u8; 16]) -> usize {
    let mut wide = [0_u16; 512];
    let capacity = u32::try_from(wide.len()).unwrap_or(0);
    // SAFETY: writes at most as many units as there are; null stands for the program.
    let length = unsafe { kernel32::GetModuleFileNameW(null_mut(), wide.as_mut_ptr(), capacity) };
    let path = wide.get(..length as usize).unwrap_or(&[]);
    let file = path.rsplit(|&unit| unit == u16::from(b'\\')).next().unwrap_or(path);
    let dot = file.iter().rposition(|&unit| unit == u16::from(b'.')).unwrap_or(file.len());
    let mut used = 0;
    let stem = file.get(..dot).unwrap_or(file);
    for character in char::decode_utf16(stem.iter().copied()).map(|unit| unit.unwrap_or('?')) {
        // One byte less: the last one stays 0.
        let Some(room) = name.get_mut(used..15).filter(|room| room.len() >= character.len_utf8()) else {
            break;
        };
        used += character.encode_utf8(room).len();
    }
    used
}

pub(super) fn usage() -> Usage {
    let process = kernel32::GetCurrentProcess();
    let (Ok(times), Ok(memory)) = (times(process), memory()) else { return Usage::default() };
    Usage {
        minor_faults: u64::from(memory.page_faults),
        major_faults: 0,
        max_rss_kib: (memory.peak_working_set >> 10) as u64,
        user_us: times.user.units() / 10,
        system_us: times.kernel.units() / 10,
    }
}

pub(super) fn resident_bytes() -> u64 {
    memory().map_or(0, |memory| memory.working_set as u64)
}

/// When a process began, and what it has used since.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) start: FileTime,
    kernel: FileTime,
    user: FileTime,
}

/// The times of an open process.
pub(super) fn times(process: Handle) -> Result<Times, OsError> {
    let [mut start, mut end, mut kernel, mut user] = [FileTime::default(); 4];
    // SAFETY: writes four times.
    let answer = unsafe {
        kernel32::GetProcessTimes(process, &raw mut start, &raw mut end, &raw mut kernel, &raw mut user)
    };
    done(answer).map(|()| Times { start, kernel, user })
}

fn memory() -> Result<ProcessMemory, OsError> {
    let length = u32::try_from(size_of::<ProcessMemory>()).unwrap_or(0);
    let mut memory = ProcessMemory { length, ..ProcessMemory::default() };
    // SAFETY: writes one record of this length.
    let answer =
        unsafe { kernel32::K32GetProcessMemoryInfo(kernel32::GetCurrentProcess(), &raw mut memory, length) };
    done(answer).map(|()| memory)
}
