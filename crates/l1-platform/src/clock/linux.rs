//! `clock_gettime` of libc, which reads the kernel's shared page.

use core::ffi::{c_int, c_long};

/// `struct timespec` of the plain `clock_gettime` symbol; on 32-bit systems both fields have 32 bits, which is enough
/// for the time since boot.
#[repr(C)]
struct Timespec {
    seconds: c_long,
    nanoseconds: c_long,
}

#[cfg_attr(not(miri), link(name = "c"))]
unsafe extern "C" {
    fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
}

const CLOCK_MONOTONIC: c_int = 1;
const CLOCK_MONOTONIC_COARSE: c_int = 6;

#[inline]
pub(super) fn coarse_millis() -> u64 {
    let (seconds, nanoseconds) = now(CLOCK_MONOTONIC_COARSE);
    seconds * 1_000 + nanoseconds / 1_000_000
}

#[inline]
pub(super) fn monotonic_nanos() -> u64 {
    let (seconds, nanoseconds) = now(CLOCK_MONOTONIC);
    seconds * 1_000_000_000 + nanoseconds
}

/// Seconds and nanoseconds of a clock that every Linux has; zero if it says no.
#[inline]
fn now(clock: c_int) -> (u64, u64) {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: `time` is a valid timespec to write to.
    let _ = unsafe { clock_gettime(clock, &raw mut time) };
    (u64::try_from(time.seconds).unwrap_or(0), u64::try_from(time.nanoseconds).unwrap_or(0))
}
