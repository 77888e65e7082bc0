//! See `stratalloc_fuzz::compositions`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::compositions(data));
