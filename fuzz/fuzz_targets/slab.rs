//! See `stratalloc_fuzz::slab`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::slab(data));
