//! The workloads on mimalloc 2.

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    bench_probes::main("mimalloc2");
}
