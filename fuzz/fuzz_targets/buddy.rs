//! See `stratalloc_fuzz::buddy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::buddy(data));
