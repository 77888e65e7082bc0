#!/usr/bin/env bash
# Every source file is formatted
# limit: 120
source "$(dirname "$0")/../environment.sh"
status=0
cargo fmt --all --check -- --color never || status=1
cargo fmt --all --check --manifest-path bench/Cargo.toml -- --color never || status=1
cargo fmt --all --check --manifest-path examples/embedded/Cargo.toml -- --color never || status=1
exit $status
