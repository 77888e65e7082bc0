#!/usr/bin/env bash
# Every strategy beside the crate or the C function that one would take in its place.
#
#   bench/toolkit.sh                                   tables in the terminal
#   bench/toolkit.sh --rounds 15 --record              also bench/runs/<date>-<machine>/toolkit.{json,md,html}, linked from the record there
#   bench/toolkit.sh --quick                           a smoke run of seconds: all contestants read the same from their blocks
#   bench/toolkit.sh --cases tlsf,buddy                some cases only; `bench/toolkit.sh list` names them
set -euo pipefail
cd "$(dirname "$0")"
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$target CARGO_PROFILE_RELEASE_DEBUG=false

arguments=() folder=
for argument; do
    if [ "$argument" = --record ]; then
        machine=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1 | tr '[:upper:]' '[:lower:]' |
            sed 's/(r)//g; s/(tm)//g; s/[^a-z0-9]\+/-/g; s/^-//; s/-$//')
        folder=runs/$(date -u +%Y-%m-%d)-$machine-$(nproc)cpu
        arguments+=(--out "$folder")
    else
        arguments+=("$argument")
    fi
done
cargo build --release --quiet ${BENCH_JOBS:+--jobs "$BENCH_JOBS"} --package bench-toolkit
status=0
"$target/release/bench-toolkit" "${arguments[@]}" || status=$?
# The workloads' record in the same folder shows what is there now.
if [ "$status" = 0 ] && [ -n "$folder" ] && [ -e "$folder/record.json" ]; then
    cargo build --release --quiet ${BENCH_JOBS:+--jobs "$BENCH_JOBS"} --package stratalloc-bench
    "$target/release/stratalloc-bench" --page "$folder"
fi
exit "$status"
