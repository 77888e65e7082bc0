#!/usr/bin/env bash
# Torture under the preloaded library in emulated machines: THP modes, NUMA, little memory, 8 CPUs, strict overcommit
# limit: 1500
source "$(dirname "$0")/../environment.sh"
need_tool vm-run.sh
status=0
# Where pages lie on two and four nodes, as the kernel there says.
VM_RUN=$tools/vm-run.sh tests/numa/machines.sh || status=$?
build_library
STRATALLOC_SO=$library VM_RUN=$tools/vm-run.sh tests/preload/vm.sh || { found=$?; [ $status = 1 ] || status=$found; }
exit $status
