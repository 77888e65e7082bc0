//! See `stratalloc_fuzz::lock_free_pool`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::lock_free_pool(data));
