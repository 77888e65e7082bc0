//! Linker options of `libstratalloc.so`.
//!
//! Exports need none: rustc writes the version script of a `cdylib` itself (`global:` every `#[no_mangle]` item,
//! `local: *`), and linkers refuse a second anonymous one. `tests/capi/run.sh` compares the result with
//! `tests/capi/exports.txt`, name by name.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |key: &str| std::env::var(key).unwrap_or_default();
    if target("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    let options = [
        // `realloc` reaches our own `malloc` without a PLT stub and whatever else interposes the name.
        "-Bsymbolic-functions",
        // Bind at load: a lazy stub would run ld.so's resolver, which may call `malloc`, inside `free`.
        "-znow",
        // Blocks and the thread-exit hook outlive any `dlclose`.
        "-znodelete",
        // Code and read-only data lie in one segment: a page fault maps what is around it of one segment only, and fewer pages are
        // cut in two. `/bin/true` has 18 KiB less resident (tests/preload/torture.sh light_start).
        "-znoseparate-code",
        "--no-rosegment",
        // Data that becomes read-only begins a page, and so takes one, not two.
        "-zseparate-loadable-segments",
    ];
    for option in options {
        println!("cargo:rustc-cdylib-link-arg=-Wl,{option}");
    }
    // What programs linked with the library are bound to. It changes when an exported name goes or changes its meaning,
    // which semantic versioning allows to a major version only. `install.sh` makes the links.
    let major = target("CARGO_PKG_VERSION_MAJOR");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname=libstratalloc.so.{major}");
    // No start files of the compiler: they would run code at load and exit (for C++ objects, profilers and transactional
    // memory, none of which is here) and so touch pages. Constructors need only `.init_array`.
    println!("cargo:rustc-cdylib-link-arg=-nostartfiles");
}
