#!/usr/bin/env bash
# Memory overhead: peak resident size by the most that the workload ever has live, for every workload.
#   bench/overhead.sh [--workloads A,B,…] [--threads 1,2,…] [--scale N] [--allocators …] [--rounds N] [--out FILE] [--build]
# What is live is counted by runner-counting in a run of its own; nothing counts in the runs whose resident size is read. A process
# without a heap has about 2 MiB resident: workloads with little live show that, not the allocator.
set -euo pipefail
cd "$(dirname "$0")"
source ./rows.sh
workloads="" threads=1 scale=1000
for ((i = 0; i < ${#rest[@]}; i += 2)); do
  case ${rest[i]} in
    --workloads) workloads=${rest[i + 1]//,/ } ;;
    --threads) threads=${rest[i + 1]//,/ } ;;
    --scale) scale=${rest[i + 1]} ;;
    *) echo "unknown option ${rest[i]}" >&2; exit 2 ;;
  esac
done
build runner-counting
# The list is what a runner prints when it is asked for nothing: name and thread counts.
"$runners/runner-counting" 2>"$work/list" || true
[ -n "$workloads" ] || workloads=$(awk 'NR > 1 { print $1 }' "$work/list")
for workload in $workloads; do
  for count in $threads; do
    awk -v name="$workload" -v count="$count" '$1 == name && $0 ~ "[[ ]" count "[],]" { found = 1 } END { exit !found }' "$work/list" || continue
    live=$("$runners/runner-counting" "$workload" "$count" "$scale" | sed -n 's/^peak_live_bytes //p')
    for ((round = 0; round < rounds; round++)); do
      for row in $(rows_of_round $round); do
        # The larger of two readings of a counter that the kernel updates lazily, as the driver does it.
        in_row "$row" "$runners/bench-launch" 300 "$(runner "$row")" "$workload" "$count" "$scale" |
          awk -v w="$workload" -v t="$count" -v a="$row" -v r=$round -v live="$live" '
            $1 == "peak_kib" { peak = $2 } $1 == "launched" { status = $2; if ($5 > peak) peak = $5 }
            END { if (status != 0) { print w " on " a " ended with status " status > "/dev/stderr"; exit 1 }
              printf "{\"kind\":\"overhead\",\"workload\":\"%s\",\"threads\":%d,\"allocator\":\"%s\",\"round\":%d,\"peak_live_kib\":%d,\"peak_kib\":%d,\"overhead\":%.3f}\n", w, t, a, r, live / 1024, peak, peak * 1024 / live }' >>"$out"
      done
    done
    echo "$workload × $count" >&2
  done
done
table --row workload --row threads --value peak_live_kib --only allocator="${rows[0]}"
table --row workload --row threads --value overhead --ours stratalloc
