#!/usr/bin/env bash
# No lint fires, with and without the features, in the library's workspace and in the bench's own code
# limit: 900
source "$(dirname "$0")/../environment.sh"
status=0
lint() { cargo clippy --quiet --keep-going "$@" -- -D warnings || status=1; }
# The C library is `no_std` with a panic handler: it cannot share a build with the tests of others, which bring `std`.
lint --workspace --exclude stratalloc-capi --all-targets
lint --workspace --exclude stratalloc-capi --all-targets --all-features
lint --package stratalloc-capi --all-targets --all-features
# The peers of the bench have no say here: their crates would build C++.
lint --manifest-path bench/Cargo.toml -p bench-workloads -p bench-launch -p stratalloc-bench
# For this machine, since clippy has no other standard library; a release build, where a panic handler of its own is in nobody's way.
lint --manifest-path examples/embedded/Cargo.toml --release
exit $status
