//! Linker options of `libstratalloc_toolkit.so`. (Exports need none: rustc exports every `#[no_mangle]` item of a `cdylib`, and nothing else.)

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |key: &str| std::env::var(key).unwrap_or_default();
    if target("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    let major = target("CARGO_PKG_VERSION_MAJOR");
    // Bound at load, so that the first call of a function costs what the others cost; and the tables become read-only.
    for option in ["-Bsymbolic-functions", "-znow", &format!("-soname=libstratalloc_toolkit.so.{major}")] {
        println!("cargo:rustc-cdylib-link-arg=-Wl,{option}");
    }
}
