#!/usr/bin/env bash
# Miri: no undefined behaviour in the primitives' tests
# limit: 1200
source "$(dirname "$0")/../environment.sh"
need_tool cargo-miri.sh
export CARGO_TARGET_DIR=$target/miri
"$tools/cargo-miri.sh" test --quiet -p stratalloc-primitives --lib --tests
