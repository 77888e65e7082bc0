#!/usr/bin/env bash
# Primitives, platform and heap on i686 Linux, natively
# limit: 1200
source "$(dirname "$0")/../environment.sh"
need_tool cargo-cross.sh
export CARGO_TARGET_DIR=$target/cross
# A standard library that is built from source for tests unwinds.
CARGO_PROFILE_DEV_PANIC=unwind "$tools/cargo-cross.sh" i686-unknown-linux-gnu test --quiet \
  -p stratalloc-primitives -p stratalloc-platform -p stratalloc-heap --lib --tests
