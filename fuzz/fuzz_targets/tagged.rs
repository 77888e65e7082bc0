//! See `stratalloc_fuzz::tagged`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::tagged(data));
