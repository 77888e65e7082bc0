#!/usr/bin/env bash
# Each fuzz target for some seconds.
#
#   fuzz/run.sh                  every target, 10 seconds each
#   fuzz/run.sh 60 tlsf buddy    these, 60 seconds each
#
# Builds what `cargo fuzz build --sanitizer none` builds, with the same flags, but needs neither cargo-fuzz nor a nightly compiler for it: a C++ compiler,
# for libFuzzer itself, is all. Without one it says so and ends with status 77. No sanitizer: the shadow is what finds mistakes, and the
# strategies' memory is one buffer to a sanitizer.
#
# What was tried and reached something new stays in fuzz/corpus/TARGET, and what fails in fuzz/artifacts/TARGET; the last lines say how to repeat it.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v "${CXX:-c++}" >/dev/null; then
    echo "skipped: libFuzzer needs a C++ compiler (${CXX:-c++} is not there)"
    exit 77
fi

seconds=${1:-10}
shift || true
targets=("$@")
if ((${#targets[@]} == 0)); then mapfile -t targets < <(sed -n 's/^name = "\([a-z_]*\)"$/\1/p' Cargo.toml); fi

host=$(rustc --version --verbose | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# Counters for each branch, and the operands of comparisons, for libFuzzer (`rustc` runs LLVM's pass; its options belong to that pass).
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
coverage+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
coverage+=" -Cllvm-args=-simplifycfg-branch-fold-threshold=0 -Ccodegen-units=1 --cfg fuzzing"
# With a target named, build scripts and macros are built without these flags.
RUSTFLAGS=$coverage cargo build --release --quiet --target "$host" "${targets[@]/#/--bin=}"

failed=()
for target in "${targets[@]}"; do
    echo "== $target, $seconds s"
    mkdir -p "corpus/$target" "artifacts/$target"
    "$CARGO_TARGET_DIR/$host/release/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" -max_total_time="$seconds" \
        -max_len=1024 -timeout=60 -print_final_stats=1 -verbosity=0 2>&1 |
        sed '/Recommended dictionary/,/End of recommended/d' || failed+=("$target")
done

for target in "${failed[@]}"; do
    echo "$target failed; again: $CARGO_TARGET_DIR/$host/release/$target fuzz/artifacts/$target/crash-…"
done
((${#failed[@]} == 0))
