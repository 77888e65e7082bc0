#!/usr/bin/env bash
# Every strategy beside the crate or the C function that one would take in its place.
#
#   bench/toolkit.sh                                   tables in the terminal
#   bench/toolkit.sh --rounds 15 --instructions --record    also bench/runs/<date>-<machine>/toolkit.{json,md,html}
#   bench/toolkit.sh --quick                           a smoke run of seconds: all contestants read the same from their blocks
#   bench/toolkit.sh --cases tlsf,buddy                some cases only; `bench/toolkit.sh list` names them
set -euo pipefail
cd "$(dirname "$0")"
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$target CARGO_PROFILE_RELEASE_DEBUG=false

arguments=()
for argument; do
    if [ "$argument" = --record ]; then
        machine=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1 | tr '[:upper:]' '[:lower:]' |
            sed 's/(r)//g; s/(tm)//g; s/[^a-z0-9]\+/-/g; s/^-//; s/-$//')
        arguments+=(--out "runs/$(date -u +%Y-%m-%d)-$machine-$(nproc)cpu")
    else
        arguments+=("$argument")
    fi
done
cargo build --release --quiet ${BENCH_JOBS:+--jobs "$BENCH_JOBS"} --package bench-toolkit
exec "$target/release/bench-toolkit" "${arguments[@]}"
