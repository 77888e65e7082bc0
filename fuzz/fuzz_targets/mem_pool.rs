//! See `stratalloc_fuzz::mem_pool`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::mem_pool(data));
