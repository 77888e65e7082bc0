//! Asks the compiler whether it has `core::alloc::Allocator`, by compiling `src/allocator/core_allocator.rs`.
//!
//! Sets `core_allocator` where the trait can be implemented, and `core_allocator_unstable` where that takes a feature gate.

use std::env;
use std::process::{Command, Stdio};

const PROBE: &str = "src/allocator/core_allocator.rs";

/// Whether the probe compiles for the target. Anything that goes wrong is a no: the crate then does without the trait.
fn compiles(arguments: &[&str]) -> bool {
    let (Ok(compiler), Ok(out), Ok(target)) = (env::var("RUSTC"), env::var("OUT_DIR"), env::var("TARGET"))
    else {
        return false;
    };
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let status = Command::new(compiler)
        .args(["--edition=2021", "--crate-name=core_allocator", "--crate-type=lib", "--emit=metadata"])
        .args(["--target", &target, "--out-dir", &out])
        .args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()))
        .args(arguments)
        .arg(PROBE)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn main() {
    println!("cargo:rerun-if-changed={PROBE}");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(core_allocator, core_allocator_unstable)");
    if compiles(&[]) {
        println!("cargo:rustc-cfg=core_allocator");
    } else if env::var_os("CARGO_FEATURE_NIGHTLY").is_some() {
        if !compiles(&["--cfg", "unstable"]) {
            println!(
                "cargo:warning=no `core::alloc::Allocator` of the form of {PROBE} here: `nightly` adds nothing"
            );
            return;
        }
        println!("cargo:rustc-cfg=core_allocator");
        println!("cargo:rustc-cfg=core_allocator_unstable");
    }
}
