//! See `stratalloc_fuzz::replicated`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::replicated(data));
