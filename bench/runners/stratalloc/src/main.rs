//! The workloads on stratalloc.

#[global_allocator]
static GLOBAL: stratalloc::Stratalloc = stratalloc::Stratalloc;

fn main() {
    bench_workloads::main("stratalloc");
}
