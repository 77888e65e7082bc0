#!/usr/bin/env bash
# The handle as a `core::alloc::Allocator`, which a nightly compiler has
# limit: 600
source "$(dirname "$0")/../environment.sh"
cargo +nightly --version >/dev/null 2>&1 || skip "no nightly toolchain"
export CARGO_TARGET_DIR=$target/nightly
cargo +nightly test --quiet -p stratalloc-resource --features nightly --test standard_traits --test std_collections
