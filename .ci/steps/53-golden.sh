#!/usr/bin/env bash
# The fast paths cost what tests/golden/counts.toml says
# limit: 600
source "$(dirname "$0")/../environment.sh"
cargo xtask golden
