//! The workloads on Google's tcmalloc.

#[global_allocator]
static GLOBAL: tcmalloc_better::TCMalloc = tcmalloc_better::TCMalloc;

fn main() {
    bench_probes::main("tcmalloc");
}
