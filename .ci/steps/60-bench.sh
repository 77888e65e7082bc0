#!/usr/bin/env bash
# The bench runs: a smoke of every workload, checksums compared, on three allocators
# limit: 1500
source "$(dirname "$0")/../environment.sh"
CARGO_TARGET_DIR=$target/bench BENCH_RUNNERS="stratalloc system mimalloc3" bench/run.sh --quick
CARGO_TARGET_DIR=$target/bench bench/toolkit.sh --quick
