//! The workloads on dlmalloc, in its Rust translation: one heap, one lock.

#[global_allocator]
static GLOBAL: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() {
    bench_probes::main("dlmalloc");
}
