#!/usr/bin/env bash
# The latency of single operations on every allocator: tables of the median, tails and extremes in nanoseconds.
#   bench/latency.sh [--samples N] [--allocators A,B,…] [--rounds N] [--out FILE] [--build]
# A round is one process for each allocator; the tables show the median of the rounds. The timer's own cost is in the last one.
set -euo pipefail
cd "$(dirname "$0")"
source ./rows.sh
samples=1000000
case ${rest[0]:-} in
  --samples) samples=${rest[1]} ;;
  ?*) echo "unknown option ${rest[0]}" >&2; exit 2 ;;
esac
for ((round = 0; round < rounds; round++)); do
  for row in $(rows_of_round $round); do
    in_row "$row" "$(runner "$row")" latency "$samples" | named "$row" $round >>"$out"
  done
  echo "round $((round + 1)) of $rounds" >&2
done
values=()
for value in min mean p50 p99 p999 max; do values+=(--value $value); done
table --row case --row operation "${values[@]}" --ours stratalloc
table --row case --value preemptions --only operation=malloc
table --row kind --value timer_min --value timer_p50 --value timer_p99 --only operation=malloc --only case=hit-16
