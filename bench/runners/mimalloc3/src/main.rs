//! The workloads on mimalloc 3.

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    bench_probes::main("mimalloc3");
}
