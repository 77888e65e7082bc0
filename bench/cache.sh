#!/usr/bin/env bash
# Cache and TLB misses by simulation, where the machine has no counters: chosen workloads under valgrind's cachegrind.
#   bench/cache.sh [--workloads A,B,…] [--scale N] [--allocators A,B,…] [--out FILE] [--build]
# Two simulated runs each: one with the geometry of a present server's caches, and one in which a "cache line" is a page of 4 KiB, so
# that the caches are the two levels of a TLB. One thread (valgrind runs threads in turn); the counts repeat exactly but for
# addresses, so one round is enough. Not simulated: huge pages, prefetching, the kernel. Slow: about 50 times the plain run, hence
# --scale 20 (thousandths) by default. An allocator that does not run under valgrind (snmalloc) is left out. Misses include the
# program's own, which are the same for every allocator.
set -euo pipefail
cd "$(dirname "$0")"
source ./rows.sh
workloads="random-replace permuted-free server-mix hash-churn tree-teardown interpreter order-book frames" scale=20
for ((i = 0; i < ${#rest[@]}; i += 2)); do
  case ${rest[i]} in
    --workloads) workloads=${rest[i + 1]//,/ } ;;
    --scale) scale=${rest[i + 1]} ;;
    *) echo "unknown option ${rest[i]}" >&2; exit 2 ;;
  esac
done
if ! command -v valgrind >/dev/null; then
  [ "$(id -u)" = 0 ] && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq valgrind >/dev/null || { echo "no valgrind" >&2; exit 1; }
fi
# Size, associativity, line, of a server core of 2023: data caches of 48 KiB and 2 MiB, data TLBs of 96 and 2048 pages.
caches="--I1=32768,8,64 --D1=49152,12,64 --LL=2097152,16,64"
tlbs="--I1=393216,6,4096 --D1=393216,6,4096 --LL=8388608,16,4096"

# ROW WORKLOAD GEOMETRY: "instructions data-accesses first-level-misses last-level-misses", of data.
simulate() {
  local file=$work/cachegrind
  in_row "$1" valgrind --tool=cachegrind --cache-sim=yes $3 --cachegrind-out-file="$file" "$(runner "$1")" "$2" 1 "$scale" >/dev/null 2>"$work/valgrind" ||
    { echo "$2 on $1 fails under valgrind: $(grep -v '^[=-][=-][0-9]' "$work/valgrind" | grep . | tail -n 1)" >&2; return 1; }
  # The summary has the columns that `events:` names.
  awk '$1 == "events:" { for (i = 2; i <= NF; i++) at[$i] = i } $1 == "summary:" { print $at["Ir"], $at["Dr"] + $at["Dw"], $at["D1mr"] + $at["D1mw"], $at["DLmr"] + $at["DLmw"] }' "$file"
}
failed=0
for workload in $workloads; do
  for row in "${rows[@]}"; do
    { cache=$(simulate "$row" "$workload" "$caches") && tlb=$(simulate "$row" "$workload" "$tlbs"); } || { [ "$row" != stratalloc ] || failed=1; continue; }
    awk -v w="$workload" -v a="$row" -v s="$scale" '{ printf "{\"kind\":\"cache\",\"workload\":\"%s\",\"allocator\":\"%s\",\"scale\":%d,\"instructions\":%d,\"data_accesses\":%d,\"l1_misses\":%d,\"l2_misses\":%d,\"tlb_misses\":%d,\"second_tlb_misses\":%d}\n", w, a, s, $1, $2, $3, $4, $7, $8 }' <<<"$cache $tlb" >>"$out"
  done
  echo "$workload" >&2
done
values=()
for value in instructions l1_misses l2_misses tlb_misses second_tlb_misses; do values+=(--value $value); done
table --row workload "${values[@]}" --ours stratalloc
exit $failed
