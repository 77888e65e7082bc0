//! See `stratalloc_fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::frame(data));
