//! See `stratalloc_fuzz::small_object`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::small_object(data));
