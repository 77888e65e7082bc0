//! See `stratalloc_fuzz::traced`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::traced(data));
