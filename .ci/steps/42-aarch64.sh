#!/usr/bin/env bash
# Primitives, platform and heap on aarch64 Linux, under qemu
# limit: 1200
source "$(dirname "$0")/../environment.sh"
need_tool cargo-cross.sh
export CARGO_TARGET_DIR=$target/cross
# A standard library that is built from source for tests unwinds.
cross() { CARGO_PROFILE_DEV_PANIC=unwind "$tools/cargo-cross.sh" aarch64-unknown-linux-gnu test --quiet "$@"; }
cross -p stratalloc-primitives -p stratalloc-platform --lib --tests
# The heap's unit tests only: qemu-user keeps a table of every page that is reserved, and the heap reserves 1 TiB.
cross -p stratalloc-heap --lib
