//! Symbols that may be absent: the C++ runtime, and the allocator behind ours.
//!
//! Two ways to find one. A *weak reference* (`weak_symbol!` of the platform) is resolved by the dynamic linker at load and costs one load, but knows
//! only what was loaded with the program. *Searching* also finds a C++ runtime that came later with a `dlopen`ed
//! module, whose symbols are in no global scope. Searching takes the loader's (recursive) lock and may allocate, so it
//! is for cold paths where the heap's state is settled.

use crate::{errno, os};
use core::ffi::{CStr, c_void};

/// `RTLD_NEXT`: search behind the object that calls.
const NEXT: *mut c_void = core::ptr::without_provenance_mut(usize::MAX);
/// `RTLD_LAZY | RTLD_NOLOAD`: a handle only if the library is there already.
const NO_LOAD: i32 = 1 | 4;

/// Libraries that hold `std::get_new_handler` and its relatives.
const RUNTIMES: [&CStr; 3] = [c"libstdc++.so.6", c"libc++.so.1", c"libc++abi.so.1"];

/// The definition of `name` behind this library in the global search order; 0 if there is none.
///
/// Keeps `errno`. `dlsym` tells the caller by its return address: this must stay a real call from this object, which
/// the work after it (`errno`) guarantees.
#[inline(never)]
pub(crate) fn next(name: &CStr) -> usize {
    errno::keeping(|| {
        // SAFETY: a valid name; `RTLD_NEXT` is a valid handle.
        unsafe { os::dlsym(NEXT, name.as_ptr()) }.addr()
    })
}

/// The definition of `name` in a C++ runtime that is loaded, wherever it is; 0 if there is none.
#[inline(never)]
pub(crate) fn in_cxx_runtime(name: &CStr) -> usize {
    let mut found = next(name);
    for library in RUNTIMES {
        if found != 0 {
            break;
        }
        found = errno::keeping(|| {
            // SAFETY: a valid name; nothing is loaded. The handle is kept on purpose: the runtime must stay.
            let handle = unsafe { os::dlopen(library.as_ptr(), NO_LOAD) };
            if handle.is_null() {
                return 0;
            }
            // SAFETY: a handle from `dlopen` and a valid name.
            unsafe { os::dlsym(handle, name.as_ptr()) }.addr()
        });
    }
    found
}
