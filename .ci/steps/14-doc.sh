#!/usr/bin/env bash
# The documentation builds without a warning, private items too
# limit: 600
source "$(dirname "$0")/../environment.sh"
export RUSTDOCFLAGS="-D warnings"
status=0
cargo doc --quiet --keep-going --workspace --no-deps || status=1
cargo doc --quiet --keep-going --workspace --no-deps --document-private-items || status=1
exit $status
