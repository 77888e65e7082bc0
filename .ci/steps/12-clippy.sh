#!/usr/bin/env bash
# No lint fires, with and without the features, in the library's workspace and in the bench's own code
# limit: 900
source "$(dirname "$0")/../environment.sh"
status=0
cargo clippy --quiet --keep-going --workspace --all-targets -- -D warnings || status=1
cargo clippy --quiet --keep-going --workspace --all-targets --all-features -- -D warnings || status=1
# The peers of the bench have no say here: their crates would build C++.
cargo clippy --quiet --keep-going --manifest-path bench/Cargo.toml -p bench-workloads -p bench-launch -p stratalloc-bench -- -D warnings || status=1
exit $status
