#!/usr/bin/env bash
# The tests of memory nodes in emulated machines with several: the kernel there is asked on which node each page lies.
#   tests/numa/machines.sh [NODES…]      by default 2 and 4
# Needs the tool of the toolchain page (VM_RUN, by default ../shared/tools/vm-run.sh beside the repository); skips, and says why,
# where it is missing or starts no machine.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
tool=${VM_RUN:-$root/../shared/tools/vm-run.sh}
[ -x "$tool" ] || { echo "numa: skip: no $tool"; exit 77; }
if ! said=$("$tool" --mem 256 --limit 120 -- /bin/true 2>&1); then
  echo "numa: skip: no emulated machine starts here: $(tail -n 1 <<<"$said")"
  exit 77
fi

# The test program of a package's library (`--lib`) or of one of its tests (`--test NAME`).
program() { # PACKAGE TARGET…
  local found
  found=$(cargo test --quiet --no-run --message-format=json -p "$@" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
  [ -x "$found" ] || { echo "numa: no test program of $*" >&2; return 1; }
  echo "$found"
}
platform=$(program stratalloc-platform --lib)
pages=$(program stratalloc-strategies --test node_pages)
replicated=$(program stratalloc-strategies --test replicated)

# Of the replicated values only what asks the kernel: the storms of threads know no nodes, and take over five minutes there.
[ $# -gt 0 ] || set -- 2 4
bad=()
for nodes in "$@"; do
  for run in "$platform numa::" "$pages" "$replicated each_node"; do
    read -r test filter <<<"$run"
    echo "-- $nodes nodes: $(basename "$test") $filter"
    # NUMA_NODES: a test that finds fewer nodes than the machine has would pass without having tried anything.
    out=$("$tool" --nodes "$nodes" --cpus 4 --mem 1024 --env "NUMA_NODES=$nodes" --limit 300 -- "$test" $filter 2>&1) || bad+=("$nodes: $test")
    grep -E '^test |^test result|panicked|assert' <<<"$out" || tail -n 20 <<<"$out"
    grep -qE '^test result: ok\. [1-9]' <<<"$out" || bad+=("$nodes: $test ran nothing")
  done
done
if [ ${#bad[@]} = 0 ]; then echo "numa: all machines passed"; else printf 'numa: FAILED: %s\n' "${bad[@]}"; exit 1; fi
