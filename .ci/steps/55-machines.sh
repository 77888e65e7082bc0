#!/usr/bin/env bash
# Torture and real programs under the preloaded library in emulated machines: THP modes, NUMA, little memory, 8 CPUs, strict overcommit
# limit: 1500
source "$(dirname "$0")/../environment.sh"
need_tool vm-run.sh
build_library
STRATALLOC_SO=$library VM_RUN=$tools/vm-run.sh tests/preload/vm.sh
