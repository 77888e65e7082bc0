#!/usr/bin/env bash
# Loom: every interleaving of the models of the lock-free structures, on the real code
# limit: 1500
source "$(dirname "$0")/../environment.sh"
export RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$target/loom
cargo test --quiet --release -p stratalloc-primitives --lib --tests
cargo test --quiet --release -p stratalloc-heap --lib
