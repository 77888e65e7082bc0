#!/usr/bin/env bash
# Builds the driver, the launcher and every runner, then measures. Arguments go to stratalloc-bench (see --help).
#
#   bench/run.sh                  the full record, written to bench/runs/<date>-<machine>/: workloads, then the toolkit
#   bench/run.sh --quick          a smoke run of some seconds
#   BENCH_RUNNERS="stratalloc system" bench/run.sh --quick      builds these runners only
#   BENCH_JOBS=1                  how many compilers at a time (default: all CPUs)
#
# A peer that does not build is left out, and said so; ours must build.
set -euo pipefail
cd "$(dirname "$0")"

runners=${BENCH_RUNNERS:-system mimalloc2 mimalloc3 rpmalloc jemalloc snmalloc tcmalloc dlmalloc stratalloc}
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$target

# snmalloc's crate builds with cmake, jemalloc's with make, tcmalloc's and snmalloc's with a C++ compiler.
missing=()
for tool in cmake make g++; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if ((${#missing[@]})) && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

# See `debug` in Cargo.toml: an environment that asks for debug information would falsify the peers.
export CARGO_PROFILE_RELEASE_DEBUG=false

# A runner of an earlier build must not stand in for one that was not built now.
rm -f "$target"/release/runner-*

# Each runner is built by itself: in one build, features of all members would be united, and mimalloc 2 and 3 are two
# features of one crate.
build() {
    cargo build --release ${BENCH_JOBS:+--jobs "$BENCH_JOBS"} --quiet --package "$1"
}

build bench-launch
build stratalloc-bench
for runner in $runners; do
    echo "building runner-$runner" >&2
    if ! build "runner-$runner"; then
        [ "$runner" = stratalloc ] && exit 1
        echo "runner-$runner does not build here and is left out" >&2
    fi
done
case " $* " in
    *" --quick "* | *" --no-record "* | *" --no-toolkit "* | *" --list "* | *" --page "* | *" --help "*) ;;
    *) build bench-toolkit || echo "bench-toolkit does not build here and is left out" >&2 ;;
esac
exec "$target/release/stratalloc-bench" "$@"
