//! See `stratalloc_fuzz::shared_region`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::shared_region(data));
