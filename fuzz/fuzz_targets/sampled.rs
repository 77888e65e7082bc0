//! See `stratalloc_fuzz::sampled`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::sampled(data));
