#!/usr/bin/env bash
# Primitives, platform, contract, heap, strategies and modifiers on Windows, under wine
# limit: 1800
source "$(dirname "$0")/../environment.sh"
need_tool cargo-cross.sh
export CARGO_TARGET_DIR=$target/cross
# A standard library that is built from source for tests unwinds. A little optimisation, as there are programs of many threads among them.
export CARGO_PROFILE_DEV_PANIC=unwind CARGO_PROFILE_DEV_OPT_LEVEL=1
cross=("$tools/cargo-cross.sh" x86_64-pc-windows-gnu test --quiet)
# One server for all of the programs: each program's own ends some seconds after it, at times just when the next one has called.
"$tools/cargo-cross.sh" x86_64-pc-windows-gnu build --quiet -p stratalloc-primitives
# (The prefix of cargo-cross.sh: nobody else's programs run in it.)
export WINEPREFIX="${XDG_CACHE_HOME:-$HOME/.cache}/stratalloc-wine/prefix"
mkdir -p "$WINEPREFIX"
server=/usr/lib/wine/wineserver64
"$server" -k || true
"$server" -w
"$server" -p
trap '"$server" -k || true' EXIT
# The program that lives on the global allocator, and the heap itself.
"${cross[@]}" -p stratalloc --test conformance
"${cross[@]}" -p stratalloc-heap --lib --tests
# Apart from the others: the feature makes the platform refuse calls that a test arms, and asks at each call whether it is to be refused.
"${cross[@]}" -p stratalloc-platform -p stratalloc-strategies --features fault-injection --lib --tests
"${cross[@]}" -p stratalloc-primitives -p stratalloc-resource -p stratalloc-modifiers --lib --tests
