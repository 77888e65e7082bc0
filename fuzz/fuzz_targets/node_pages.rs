//! See `stratalloc_fuzz::node_pages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::node_pages(data));
