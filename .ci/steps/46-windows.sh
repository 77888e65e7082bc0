#!/usr/bin/env bash
# Primitives, platform, contract, strategies and modifiers on Windows, under wine
# limit: 1500
source "$(dirname "$0")/../environment.sh"
need_tool cargo-cross.sh
export CARGO_TARGET_DIR=$target/cross
# A standard library that is built from source for tests unwinds. A little optimisation, as there are programs of many threads among them.
export CARGO_PROFILE_DEV_PANIC=unwind CARGO_PROFILE_DEV_OPT_LEVEL=1
# In two runs: the feature makes the platform refuse calls that a test arms, and asks at each call whether it is to be refused.
cross=("$tools/cargo-cross.sh" x86_64-pc-windows-gnu test --quiet)
"${cross[@]}" -p stratalloc-platform -p stratalloc-strategies --features fault-injection --lib --tests
"${cross[@]}" -p stratalloc-primitives -p stratalloc-resource -p stratalloc-modifiers --lib --tests
