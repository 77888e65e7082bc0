#!/usr/bin/env bash
# Miri: no undefined behaviour in tests of the primitives, strategies and modifiers
# limit: 1200
source "$(dirname "$0")/../environment.sh"
need_tool cargo-miri.sh
export CARGO_TARGET_DIR=$target/miri
miri=("$tools/cargo-miri.sh" test --quiet)
"${miri[@]}" -p stratalloc-primitives --lib --tests

# Tests inside the crates. Left out: operations on a region cut off after each store, or overwritten at random; what walks
# thousands of links; all layouts that slabs can have.
slow=(shared_region::crash_tests shared_region::scribble_tests mem_pool::validate slab::geometry)
"${miri[@]}" -p stratalloc-strategies --lib -- "${slow[@]/#/--skip=}"
"${miri[@]}" -p stratalloc-modifiers --lib

# Of those in tests/ the ones that end in seconds and leak nothing on purpose: properties and the conformance kit take minutes each.
"${miri[@]}" -p stratalloc-strategies --test slab -- constructors_and_destructors a_small
"${miri[@]}" -p stratalloc-modifiers --test modifiers -- a_panic counts guarded_bytes a_damaged a_block_moves a_block_that
