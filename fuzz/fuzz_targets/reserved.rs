//! See `stratalloc_fuzz::reserved`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::reserved(data));
