//! The workloads on stratalloc. `STRATALLOC_CONF=key:value,…` is applied first, for experiments.

#[global_allocator]
static ALLOCATOR: stratalloc::Stratalloc = stratalloc::Stratalloc;

fn main() {
    let settings = std::env::var("STRATALLOC_CONF").unwrap_or_default();
    for pair in settings.split(',').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(':').unwrap_or((pair, ""));
        if let Err(error) = stratalloc::configure(key.as_bytes(), value.as_bytes()) {
            eprintln!("STRATALLOC_CONF: {key}: {error:?}");
            std::process::exit(2);
        }
    }
    bench_probes::main("stratalloc");
}
