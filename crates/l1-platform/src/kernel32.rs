//! What this crate calls of Windows: declarations only, with the names and types of the system's documentation.
//!
//! All of it lies in `kernel32.dll`, which every process has, since Windows 7. A call that fails leaves its reason in the
//! thread's last error ([`refusal`]), which is Windows' `errno`: this port cannot leave it alone, as that of Linux does.

use core::ffi::c_void;

use crate::error::OsError;

#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "stratalloc-platform knows 64-bit Windows only: with 32 bits its callbacks have a convention of their own"
);

/// Something of the system's.
pub(crate) type Handle = *mut c_void;
/// Zero for no.
pub(crate) type Bool = i32;

/// `SYSTEM_INFO`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct SystemInfo {
    pub(crate) architecture: u32,
    pub(crate) page_size: u32,
    pub(crate) lowest_address: *mut c_void,
    pub(crate) highest_address: *mut c_void,
    pub(crate) processor_mask: usize,
    pub(crate) processors: u32,
    pub(crate) processor_type: u32,
    pub(crate) allocation_granularity: u32,
    pub(crate) processor_level: u16,
    pub(crate) processor_revision: u16,
}

/// `MEMORY_BASIC_INFORMATION`: a run of pages in the same state.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct MemoryInformation {
    pub(crate) base: *mut c_void,
    pub(crate) allocation_base: *mut c_void,
    pub(crate) allocation_protection: u32,
    pub(crate) partition: u16,
    pub(crate) size: usize,
    pub(crate) state: u32,
    pub(crate) protection: u32,
    pub(crate) kind: u32,
}

/// `PSAPI_WORKING_SET_EX_INFORMATION`: the question and the answer for one page.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkingSetPage {
    pub(crate) address: usize,
    /// Bit 0: resident. Bits 16 to 21: the memory node. Bit 22: part of a large page.
    pub(crate) attributes: usize,
}

impl WorkingSetPage {
    pub(crate) fn is_resident(self) -> bool {
        self.attributes & 1 != 0
    }

    pub(crate) fn is_large(self) -> bool {
        self.attributes & 1 << 22 != 0
    }

    pub(crate) fn node(self) -> u32 {
        (self.attributes as u64 >> 16 & 0x3f).try_into().unwrap_or(0)
    }
}

/// `MEMORYSTATUSEX`.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct MemoryStatus {
    pub(crate) length: u32,
    pub(crate) load: u32,
    pub(crate) total_physical: u64,
    /// Page files, virtual addresses.
    pub(crate) others: [u64; 6],
}

/// `PROCESS_MEMORY_COUNTERS`.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct ProcessMemory {
    pub(crate) length: u32,
    pub(crate) page_faults: u32,
    pub(crate) peak_working_set: usize,
    pub(crate) working_set: usize,
    /// Quotas of the kernel's pools, the use of page files.
    pub(crate) others: [usize; 6],
}

/// `FILETIME`: units of 100 ns.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct FileTime {
    low: u32,
    high: u32,
}

impl FileTime {
    pub(crate) fn units(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }
}

/// `PROCESSOR_NUMBER`.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct ProcessorNumber {
    pub(crate) group: u16,
    pub(crate) number: u8,
    pub(crate) reserved: u8,
}

#[link(name = "kernel32")]
unsafe extern "system" {
    pub(crate) fn VirtualAlloc(address: *mut c_void, size: usize, kind: u32, protection: u32) -> *mut c_void;
    pub(crate) fn VirtualFree(address: *mut c_void, size: usize, kind: u32) -> Bool;
    pub(crate) fn VirtualProtect(address: *mut c_void, size: usize, new: u32, old: *mut u32) -> Bool;
    pub(crate) fn VirtualQuery(
        address: *const c_void,
        answer: *mut MemoryInformation,
        length: usize,
    ) -> usize;
    pub(crate) fn K32QueryWorkingSetEx(process: Handle, pages: *mut WorkingSetPage, bytes: u32) -> Bool;
    pub(crate) fn GetSystemInfo(answer: *mut SystemInfo);
    pub(crate) safe fn GetLargePageMinimum() -> usize;
    pub(crate) fn GlobalMemoryStatusEx(answer: *mut MemoryStatus) -> Bool;

    pub(crate) safe fn GetCurrentProcess() -> Handle;
    pub(crate) safe fn GetCurrentProcessId() -> u32;
    pub(crate) safe fn GetCurrentThreadId() -> u32;
    pub(crate) safe fn SwitchToThread() -> Bool;
    pub(crate) safe fn Sleep(milliseconds: u32);
    pub(crate) fn TerminateProcess(process: Handle, status: u32) -> Bool;
    pub(crate) safe fn OpenProcess(access: u32, inherit: Bool, id: u32) -> Handle;
    pub(crate) fn CloseHandle(handle: Handle) -> Bool;
    pub(crate) fn WaitForSingleObject(handle: Handle, milliseconds: u32) -> u32;
    pub(crate) fn GetProcessTimes(
        process: Handle,
        start: *mut FileTime,
        end: *mut FileTime,
        kernel: *mut FileTime,
        user: *mut FileTime,
    ) -> Bool;
    pub(crate) fn K32GetProcessMemoryInfo(process: Handle, answer: *mut ProcessMemory, length: u32) -> Bool;
    pub(crate) fn GetModuleFileNameW(module: Handle, name: *mut u16, length: u32) -> u32;

    pub(crate) safe fn GetActiveProcessorCount(group: u16) -> u32;
    pub(crate) fn GetProcessAffinityMask(process: Handle, own: *mut usize, machine: *mut usize) -> Bool;
    pub(crate) fn GetCurrentProcessorNumberEx(answer: *mut ProcessorNumber);
    pub(crate) fn GetNumaProcessorNodeEx(processor: *const ProcessorNumber, node: *mut u16) -> Bool;
    pub(crate) fn GetNumaHighestNodeNumber(node: *mut u32) -> Bool;

    pub(crate) safe fn TlsAlloc() -> u32;
    pub(crate) fn TlsFree(index: u32) -> Bool;
    pub(crate) safe fn TlsGetValue(index: u32) -> *mut c_void;
    pub(crate) fn TlsSetValue(index: u32, value: *const c_void) -> Bool;

    pub(crate) safe fn GetStdHandle(which: u32) -> Handle;
    pub(crate) fn CreateFileW(
        path: *const u16,
        access: u32,
        share: u32,
        security: *const c_void,
        disposition: u32,
        attributes: u32,
        template: Handle,
    ) -> Handle;
    pub(crate) fn ReadFile(
        file: Handle,
        buffer: *mut c_void,
        length: u32,
        done: *mut u32,
        overlapped: *mut c_void,
    ) -> Bool;
    pub(crate) fn WriteFile(
        file: Handle,
        bytes: *const c_void,
        length: u32,
        done: *mut u32,
        overlapped: *mut c_void,
    ) -> Bool;

    pub(crate) fn QueryPerformanceCounter(count: *mut u64) -> Bool;
    pub(crate) fn QueryPerformanceFrequency(per_second: *mut u64) -> Bool;
    pub(crate) safe fn GetTickCount64() -> u64;

    pub(crate) safe fn GetEnvironmentStringsW() -> *mut u16;
    pub(crate) fn FreeEnvironmentStringsW(strings: *mut u16) -> Bool;

    safe fn GetLastError() -> u32;
}

/// Why the call that was made just now was refused.
#[cold]
pub(crate) fn refusal() -> OsError {
    OsError::from_windows(GetLastError())
}

/// The answer of a call that says only yes or no.
#[inline]
pub(crate) fn done(answer: Bool) -> Result<(), OsError> {
    if answer != 0 { Ok(()) } else { Err(refusal()) }
}
