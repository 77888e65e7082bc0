//! See `stratalloc_fuzz::thread_cached`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::thread_cached(data));
