#!/usr/bin/env bash
# Fragmentation over time: resident bytes by live bytes while sizes and amounts change, on every allocator.
#   bench/drift.sh [--scale N] [--allocators A,B,…] [--rounds N] [--out FILE] [--build]
# N is in thousandths of the full size (64 MiB live). The row `24` of the table is what stays when everything is freed.
set -euo pipefail
cd "$(dirname "$0")"
source ./rows.sh
scale=1000
case ${rest[0]:-} in
  --scale) scale=${rest[1]} ;;
  ?*) echo "unknown option ${rest[0]}" >&2; exit 2 ;;
esac
for ((round = 0; round < rounds; round++)); do
  for row in $(rows_of_round $round); do
    in_row "$row" "$(runner "$row")" drift "$scale" | named "$row" $round >>"$out"
  done
  echo "round $((round + 1)) of $rounds" >&2
done
table --row segment --row smallest_size --value live_bytes --only allocator="${rows[0]}"
table --row segment --row smallest_size --value resident_bytes --ours stratalloc
