#!/usr/bin/env bash
# Where pages lie on machines with two and four memory nodes, as the kernel there says: bindings, pages of a node, replicated values
# limit: 1200
source "$(dirname "$0")/../environment.sh"
need_tool vm-run.sh
VM_RUN=$tools/vm-run.sh tests/numa/machines.sh
