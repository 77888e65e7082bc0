//! See `stratalloc_fuzz::system`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::system(data));
