#!/usr/bin/env bash
# Each fuzz target for some seconds.
#
#   fuzz/run.sh                  every target, 10 seconds each
#   fuzz/run.sh 60 tlsf buddy    these, 60 seconds each
#
# Needs a nightly compiler and cargo-fuzz (`cargo install cargo-fuzz --locked`), and says so where they are missing: status 0, since nothing
# was found to be wrong. What a target finds stays in fuzz/artifacts/TARGET; `cargo +nightly fuzz run TARGET FILE` repeats it.
set -euo pipefail
cd "$(dirname "$0")"

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "fuzz: skipped, there is no nightly compiler (rustup toolchain install nightly)"
    exit 0
fi
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "fuzz: skipped, there is no cargo-fuzz (cargo install cargo-fuzz --locked)"
    exit 0
fi

seconds=${1:-10}
shift || true
targets=("$@")
if ((${#targets[@]} == 0)); then mapfile -t targets < <(sed -n 's/^name = "\([a-z_]*\)"$/\1/p' Cargo.toml); fi

# Without a sanitizer: the shadow is what finds mistakes, and the strategies' memory is one buffer to a sanitizer.
cargo +nightly fuzz build --fuzz-dir . --sanitizer none
for target in "${targets[@]}"; do
    echo "== $target, $seconds s"
    cargo +nightly fuzz run --fuzz-dir . --sanitizer none "$target" -- \
        -max_total_time="$seconds" -max_len=32 -len_control=0 -print_final_stats=1 -verbosity=0
done
