//! The size of a page, asked at run time: one binary serves kernels with pages of 4, 16 and 64 KiB.

use core::sync::atomic::{AtomicUsize, Ordering};

/// The page size where the system does not say.
const DEFAULT: usize = 4096;
/// The huge page size where the system does not say: that of x86-64, and of aarch64 with 4 KiB pages.
const DEFAULT_HUGE: usize = 2 << 20;

/// Zero until asked. Relaxed: every thread would find the same value, and nothing else hangs on it.
static SIZE: AtomicUsize = AtomicUsize::new(0);
/// As [`SIZE`].
static HUGE_SIZE: AtomicUsize = AtomicUsize::new(0);

/// Bytes of one page: a power of two.
#[inline]
#[must_use]
pub fn size() -> usize {
    match SIZE.load(Ordering::Relaxed) {
        0 => size_slow(),
        size => size,
    }
}

/// Bytes of one transparent huge page: a power of two, larger than [`size`].
#[inline]
#[must_use]
pub fn huge_size() -> usize {
    match HUGE_SIZE.load(Ordering::Relaxed) {
        0 => huge_size_slow(),
        size => size,
    }
}

/// What the start of a reservation that the system places is a multiple of: a power of two, at least [`size`]. A page on Linux; on
/// Windows 64 KiB, as much address space as the smallest reservation takes.
#[must_use]
pub fn allocation_granularity() -> usize {
    granularity().filter(|granularity| granularity.is_power_of_two()).unwrap_or(DEFAULT).max(size())
}

#[cold]
fn size_slow() -> usize {
    let size = ask().filter(|size| size.is_power_of_two()).unwrap_or(DEFAULT);
    SIZE.store(size, Ordering::Relaxed);
    size
}

#[cold]
fn huge_size_slow() -> usize {
    let size =
        ask_huge().filter(|huge| huge.is_power_of_two() && *huge > self::size()).unwrap_or(DEFAULT_HUGE);
    HUGE_SIZE.store(size, Ordering::Relaxed);
    size
}

#[cfg(not(windows))]
fn ask_huge() -> Option<usize> {
    crate::text::number_file(c"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
        .or_else(|| Some(crate::thp::memory_field(b"Hugepagesize:")? << 10))
        .and_then(|size| usize::try_from(size).ok())
}

/// Zero if the processor has none.
#[cfg(windows)]
fn ask_huge() -> Option<usize> {
    Some(crate::kernel32::GetLargePageMinimum())
}

#[cfg(miri)]
fn ask() -> Option<usize> {
    None
}

/// The auxiliary vector's answer. `getauxval` reads memory that the dynamic linker has set up before it calls any
/// `malloc`; it touches `errno` only for an entry that is missing, which this one never is.
#[cfg(not(any(miri, windows)))]
fn ask() -> Option<usize> {
    const AT_PAGESZ: core::ffi::c_ulong = 6;
    #[link(name = "c")]
    unsafe extern "C" {
        safe fn getauxval(entry: core::ffi::c_ulong) -> core::ffi::c_ulong;
    }
    usize::try_from(getauxval(AT_PAGESZ)).ok()
}

#[cfg(not(windows))]
fn granularity() -> Option<usize> {
    None
}

#[cfg(windows)]
fn ask() -> Option<usize> {
    usize::try_from(system_info().page_size).ok()
}

#[cfg(windows)]
fn granularity() -> Option<usize> {
    usize::try_from(system_info().allocation_granularity).ok()
}

#[cfg(windows)]
fn system_info() -> crate::kernel32::SystemInfo {
    let mut info = core::mem::MaybeUninit::uninit();
    // SAFETY: GetSystemInfo writes one `SYSTEM_INFO`, and never fails.
    unsafe { crate::kernel32::GetSystemInfo(info.as_mut_ptr()) };
    // SAFETY: written just now.
    unsafe { info.assume_init() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two_and_stay() {
        assert!(size().is_power_of_two() && size() >= DEFAULT);
        assert!(huge_size().is_power_of_two() && huge_size() > size());
        assert!(cfg!(miri) || ask() == Some(size()), "the system says");
        assert_eq!((size(), huge_size()), (size_slow(), huge_size_slow()));
        assert!(allocation_granularity().is_power_of_two() && allocation_granularity() >= size());
        assert!(!cfg!(windows) || allocation_granularity() > size(), "64 KiB, ever since");
    }
}
