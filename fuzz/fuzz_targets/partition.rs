//! See `stratalloc_fuzz::partition`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::partition(data));
