#!/usr/bin/env bash
# Torture and real programs under the preloaded library
# limit: 1200
source "$(dirname "$0")/../environment.sh"
build_library
STRATALLOC_SO=$library tests/preload/run.sh --quick
