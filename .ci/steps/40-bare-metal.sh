#!/usr/bin/env bash
# Primitives, contract, strategies and modifiers build without an operating system (thumbv7em), warnings are errors
# limit: 600
source "$(dirname "$0")/../environment.sh"
need_tool cargo-cross.sh
export CARGO_TARGET_DIR=$target/cross
RUSTFLAGS="-D warnings" "$tools/cargo-cross.sh" thumbv7em-none-eabihf build --quiet -p stratalloc-primitives -p stratalloc-resource \
  -p stratalloc-strategies -p stratalloc-modifiers
# The allocator traits of collections need neither `std` nor `alloc`.
RUSTFLAGS="-D warnings" "$tools/cargo-cross.sh" thumbv7em-none-eabihf build --quiet -p stratalloc-resource \
  --features allocator-api2,allocator-api2-04
