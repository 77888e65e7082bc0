//! See `stratalloc_fuzz::tlsf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::tlsf(data));
