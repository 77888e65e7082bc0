#!/usr/bin/env bash
# The tests, by the command that README.md gives
# limit: 1500
source "$(dirname "$0")/../environment.sh"
# The toolchain of the machine is the minimum version that Cargo.toml states, or that one is tried as well.
minimum=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
case $(rustc --version) in
  "rustc $minimum."*) echo "this is the minimum Rust, $minimum" ;;
  *) rustup run "$minimum" cargo check --quiet --workspace --all-targets ;;
esac
command=$(readme_command test "cargo test --workspace")
bash -euo pipefail -c "$command"
# What needs a feature: the platform refuses the calls that a test arms.
cargo test --quiet -p stratalloc-heap --features fault-injection --test fault_injection
cargo test --quiet -p stratalloc-strategies --features fault-injection --test system_faults
cargo test --quiet -p stratalloc-strategies --features fault-injection --test fiber_stacks_faults
cargo test --quiet -p stratalloc-strategies --features fault-injection --test partition_faults
cargo test --quiet -p stratalloc-strategies --features fault-injection --test huge_page_faults
cargo test --quiet -p stratalloc-strategies --features fault-injection --test shared_region_faults
cargo test --quiet -p stratalloc-strategies --features fault-injection --test reserved_faults
# As a release build has it: without debug assertions it is the feature that reports.
cargo test --quiet --config profile.dev.debug-assertions=false -p stratalloc --features checked --test checked
