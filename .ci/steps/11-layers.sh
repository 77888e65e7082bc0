#!/usr/bin/env bash
# A crate depends on smaller layers only; the bench's peers stay out of the lock file, which is up to date
# limit: 300
source "$(dirname "$0")/../environment.sh"
cargo metadata --locked --format-version 1 >/dev/null
cargo xtask layers
