#!/usr/bin/env bash
# Loom: every interleaving of the models of the lock-free structures, on the real code
# limit: 1500
source "$(dirname "$0")/../environment.sh"
export RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$target/loom
# Optimised for the millions of executions, but linked without LTO: that would take longer than it saves.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=false
status=0
cargo test --quiet --release -p stratalloc-primitives --lib --tests || status=1
cargo test --quiet --release -p stratalloc-heap --lib || status=1
cargo test --quiet --release -p stratalloc-strategies --lib || status=1
cargo test --quiet --release -p stratalloc-modifiers --lib --test loom_spin_lock || status=1
exit $status
