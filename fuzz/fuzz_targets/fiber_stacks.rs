//! See `stratalloc_fuzz::fiber_stacks`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stratalloc_fuzz::fiber_stacks(data));
