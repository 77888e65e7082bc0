//! See `stratalloc_fuzz::compacting_pool`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::compacting_pool(data));
