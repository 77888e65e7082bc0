#!/usr/bin/env bash
# All that bench/run.sh's tables do not show, into one folder: latency, drift, overhead, cache misses, real programs.
#   bench/record.sh FOLDER [--quick]
# Writes FOLDER/<what>.jsonl (every sample) and FOLDER/<what>.md (the tables). bench/run.sh must have built the runners.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { sed -n 2,4p "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
quick=${2:-}
failed=0
measure() { # NAME SCRIPT OPTION…
  local name=$1; shift
  echo "== $name" >&2
  "$@" --out "$folder/$name.jsonl" >"$folder/$name.md" || { echo "$name: failed" >&2; failed=1; }
}
if [ "$quick" = --quick ]; then
  measure latency "$here/latency.sh" --rounds 1 --samples 20000
  measure drift "$here/drift.sh" --rounds 1 --scale 50
  measure overhead "$here/overhead.sh" --rounds 1 --scale 20
  measure cache "$here/cache.sh" --workloads interpreter,order-book --scale 2
  measure programs "$here/programs/run.sh" --quick
else
  measure latency "$here/latency.sh" --rounds 5
  measure drift "$here/drift.sh" --rounds 3
  measure overhead "$here/overhead.sh" --rounds 3 --threads 1,2,4,8,16
  measure cache "$here/cache.sh"
  measure programs "$here/programs/run.sh" --rounds 5
fi
# A record of the workloads in the same folder links these.
driver=${CARGO_TARGET_DIR:-$here/target}/release/stratalloc-bench
if [ -e "$folder/record.json" ] && [ -x "$driver" ]; then
  "$driver" --page "$folder" >&2 || failed=1
fi
exit $failed
