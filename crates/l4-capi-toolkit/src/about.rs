//! What the library says about itself.

use core::ffi::{c_char, c_int};

use stratalloc_resource::abi::{self, ErrorCode};

/// The version as `major.minor.patch`.
#[unsafe(no_mangle)]
extern "C" fn stratalloc_toolkit_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The version of the tables that this library makes and takes.
#[unsafe(no_mangle)]
extern "C" fn stratalloc_toolkit_abi() -> u32 {
    abi::VERSION
}

/// A sentence about an error; never null.
#[unsafe(no_mangle)]
extern "C" fn stratalloc_error_text(error: c_int) -> *const c_char {
    ErrorCode::new(error).text().as_ptr()
}
