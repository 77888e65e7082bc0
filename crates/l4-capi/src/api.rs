//! The library's own C functions, declared in `include/stratalloc.h`.

use crate::text::{self, Text};
use crate::{errno, report};
use core::ffi::c_char;
use stratalloc_heap as heap;
use stratalloc_platform::report::Report;

/// The version as `major.minor.patch`.
#[unsafe(no_mangle)]
extern "C" fn stratalloc_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Gives all empty memory back to the system now; returns the number of bytes.
#[unsafe(no_mangle)]
extern "C" fn stratalloc_collect() -> usize {
    errno::keeping(heap::collect)
}

/// The heap's figures as lines `key value` on a descriptor.
#[unsafe(no_mangle)]
extern "C" fn stratalloc_statistics_print(fd: i32) {
    report::statistics(&mut Text::Descriptor(Report::new(fd)));
}

/// Checks every invariant of the heap: 0, or -1 and a line on standard error.
#[unsafe(no_mangle)]
extern "C" fn stratalloc_validate() -> i32 {
    match heap::validate() {
        Ok(()) => 0,
        Err(broken) => {
            let mut report = text::complaint();
            report.str("the heap is broken: ").str(broken.invariant()).str(": ").str(broken.formula());
            for (name, value) in broken.terms() {
                report.str(", ").str(name).str(" = ").number(value as u64);
            }
            report.str("\n");
            -1
        }
    }
}

/// 1 if the pointer is a block of this heap.
#[unsafe(no_mangle)]
extern "C" fn stratalloc_owns(ptr: *const u8) -> i32 {
    i32::from(heap::owns(ptr))
}
