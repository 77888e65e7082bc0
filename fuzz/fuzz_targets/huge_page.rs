//! See `stratalloc_fuzz::huge_page`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::huge_page(data));
