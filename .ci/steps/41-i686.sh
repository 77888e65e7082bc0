#!/usr/bin/env bash
# Primitives, platform, contract, heap, strategies and modifiers on i686 Linux, natively
# limit: 1200
source "$(dirname "$0")/../environment.sh"
need_tool cargo-cross.sh
export CARGO_TARGET_DIR=$target/cross
# A standard library that is built from source for tests unwinds.
CARGO_PROFILE_DEV_PANIC=unwind "$tools/cargo-cross.sh" i686-unknown-linux-gnu test --quiet \
  -p stratalloc-primitives -p stratalloc-platform -p stratalloc-resource -p stratalloc-heap -p stratalloc-strategies \
  -p stratalloc-modifiers --lib --tests
