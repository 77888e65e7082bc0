#!/usr/bin/env bash
# The bench runs: a smoke of every workload on three allocators and of every case of the toolkit, checksums compared
# limit: 1500
source "$(dirname "$0")/../environment.sh"
CARGO_TARGET_DIR=$target/bench BENCH_RUNNERS="stratalloc system mimalloc3" bench/run.sh --quick
CARGO_TARGET_DIR=$target/bench bench/toolkit.sh --quick
# Instructions too, where valgrind is there (a note says so where it is not).
CARGO_TARGET_DIR=$target/bench bench/toolkit.sh --quick --instructions auto --cases slab-pairs
