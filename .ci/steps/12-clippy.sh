#!/usr/bin/env bash
# No lint fires, with and without the features, in the library's workspace and in the bench's own code
# limit: 900
source "$(dirname "$0")/../environment.sh"
status=0
lint() { cargo clippy --quiet --keep-going "$@" -- -D warnings || status=1; }
# The C libraries are `no_std` with a panic handler: they cannot share a build with the tests of others, or their own, which bring `std`.
others="--workspace --exclude stratalloc-capi --exclude stratalloc-capi-toolkit"
lint $others --all-targets
lint $others --all-targets --all-features
lint --package stratalloc-capi --all-targets --all-features
lint --package stratalloc-capi-toolkit --lib
lint --package stratalloc-capi-toolkit --tests
# The peers of the bench have no say here: their crates would build C++.
lint --manifest-path bench/Cargo.toml -p bench-workloads -p bench-launch -p stratalloc-bench
# For this machine, since clippy has no other standard library; a release build, where a panic handler of its own is in nobody's way.
lint --manifest-path examples/embedded/Cargo.toml --release
exit $status
