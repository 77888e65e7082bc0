//! See `stratalloc_fuzz::pool`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::pool(data));
