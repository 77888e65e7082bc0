//! Builds `libstratalloc.so` in a target folder of its own, so that the command can embed it: one cargo command makes a
//! command that works from a fresh clone, and that goes on working when only the binary is installed.
//!
//! The inner cargo gets the toolchain and the target of the outer one, and none of its flags: `--cfg loom`,
//! sanitizers, coverage or clippy are about the command, never about the library inside it.
//!
//! `LIBSTRATALLOC_PREBUILT=PATH` embeds that library instead of building one: for packagers, who build each part once.
//!
//! Under `cargo clippy`, and for targets without preloading, an empty file stands in; the command then says so.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Variables of the outer cargo that would change what the inner one builds.
const NOT_INHERITED: [&str; 12] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_TARGET",
    "CARGO_UNSTABLE_BUILD_STD",
];

fn main() {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(variable("OUT_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CLIPPY_ARGS");
    let embedded = out.join("libstratalloc.so");
    let linting = env::var_os("CLIPPY_ARGS").is_some();
    println!("cargo::rerun-if-env-changed=LIBSTRATALLOC_PREBUILT");
    if let Some(prebuilt) = env::var_os("LIBSTRATALLOC_PREBUILT") {
        println!("cargo::rerun-if-changed={}", prebuilt.display());
        copy_if_different(Path::new(&prebuilt), &embedded);
        return announce(&embedded);
    }
    let source =
        sources(&here).filter(|_| !linting && env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux"));
    match source {
        Some(root) => copy_if_different(&build(&root, &out), &embedded),
        None => fs::write(&embedded, []).expect("write the stand-in"),
    }
    announce(&embedded);
}

/// Writes the source that `library.rs` includes. (Not `rustc-env`: cargo would pass that on to what it runs, and the
/// library takes every variable of its prefix for a setting.)
fn announce(embedded: &Path) {
    let content = fs::read(embedded).expect("read the library");
    let source = format!(
        "static EMBEDDED: &[u8] = include_bytes!({embedded:?});\nconst HASH: &str = \"{:016x}\";\n",
        hash(&content)
    );
    fs::write(embedded.with_file_name("embedded.rs"), source).expect("write the source");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

/// The root of the workspace, with everything that the library is made of watched for changes; `None` when this package
/// was unpacked alone.
fn sources(here: &Path) -> Option<PathBuf> {
    let crates = here.parent()?;
    let root = crates.parent()?;
    if !crates.join("l4-capi/Cargo.toml").is_file() {
        return None;
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(file).display());
    }
    for folder in fs::read_dir(crates).ok()?.flatten() {
        // The layers are l0 … l4; other crates are not part of the library.
        let name = folder.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('l') && name[1..].starts_with(|digit: char| digit.is_ascii_digit()) {
            for part in ["src", "Cargo.toml", "build.rs"] {
                let path = folder.path().join(part);
                if path.exists() {
                    println!("cargo::rerun-if-changed={}", path.display());
                }
            }
        }
    }
    Some(root.to_owned())
}

/// Builds the library and returns its path.
fn build(root: &Path, out: &Path) -> PathBuf {
    let target = variable("TARGET");
    let folder = out.join("library");
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(root).args(["rustc", "--quiet", "--package", "stratalloc-capi", "--lib", "--release"]);
    // Debug tables would make the command three times as large; symbol names stay, for profilers.
    cargo.args(["--crate-type", "cdylib", "--config", "profile.release.strip='debuginfo'"]);
    cargo.args(["--target", &target, "--target-dir"]).arg(&folder);
    for name in NOT_INHERITED {
        cargo.env_remove(name);
    }
    let status = cargo.status().expect("start cargo for the shared library");
    assert!(status.success(), "libstratalloc.so could not be built: {status}");
    folder.join(target).join("release/libstratalloc.so")
}

/// Leaves the file alone when nothing changed, so that the command is not compiled again for nothing.
fn copy_if_different(from: &Path, to: &Path) {
    let content = fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    if fs::read(to).ok().as_deref() != Some(&content) {
        fs::write(to, content).expect("write the library");
    }
}

/// FNV-1a. It only names a folder: whoever uses a file from there compares all of its bytes.
fn hash(content: &[u8]) -> u64 {
    content
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
