//! Calling cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Environment that would change what is built: a count is of the plain release build, whoever asks.
const NOT_INHERITED: [&str; 4] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"];

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// `cargo metadata` of a manifest below `root`, without the dependencies' own.
pub(crate) fn metadata(root: &Path, manifest: &str) -> Result<Value, String> {
    let mut command = cargo(root);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path", manifest]);
    let text = output(&mut command)?;
    serde_json::from_str(&text).map_err(|error| format!("cargo metadata of {manifest}: {error}"))
}

/// Builds with the release profile; returns the folder of the results.
pub(crate) fn build_release(root: &Path, arguments: &[&str]) -> Result<PathBuf, String> {
    let mut command = cargo(root);
    command.args(["build", "--quiet", "--release"]).args(arguments);
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    output(&mut command)?;
    let metadata = metadata(root, "Cargo.toml")?;
    let target = metadata["target_directory"].as_str().ok_or("cargo metadata: no target_directory")?;
    Ok(PathBuf::from(target).join("release"))
}

/// What rustdoc knows about the library of a package: its public items, their texts, where the links in these lead.
///
/// rustdoc's JSON is not stable yet; `RUSTC_BOOTSTRAP` makes the stable compiler write it. That variable is for this call
/// only, which has a folder of its own for what it builds: build scripts that ask what the compiler can do would find more.
pub(crate) fn rustdoc_json(root: &Path, package: &str) -> Result<Value, String> {
    let metadata = metadata(root, "Cargo.toml")?;
    let target = metadata["target_directory"].as_str().ok_or("cargo metadata: no target_directory")?;
    let target = PathBuf::from(target).join("examples-check");
    let mut command = cargo(root);
    command.args(["rustdoc", "--quiet", "--lib", "--package", package, "--target-dir"]).arg(&target);
    command.args(["--", "-Z", "unstable-options", "--output-format", "json"]).env("RUSTC_BOOTSTRAP", "1");
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    output(&mut command)?;
    let file = target.join("doc").join(package.replace('-', "_")).with_extension("json");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Runs a program to its end and returns what it wrote to stdout; its stderr is part of the message if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{program}: {error}"))
}
