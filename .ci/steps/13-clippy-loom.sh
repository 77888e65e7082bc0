#!/usr/bin/env bash
# No lint fires in the code behind cfg(loom)
# limit: 600
source "$(dirname "$0")/../environment.sh"
export RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$target/loom
status=0
cargo clippy --quiet -p stratalloc-primitives --lib --tests -- -D warnings || status=1
cargo clippy --quiet -p stratalloc-heap --lib --profile test -- -D warnings || status=1
cargo clippy --quiet -p stratalloc-strategies --lib --profile test -- -D warnings || status=1
cargo clippy --quiet -p stratalloc-modifiers --lib --profile test -- -D warnings || status=1
exit $status
