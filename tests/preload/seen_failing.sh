#!/usr/bin/env bash
# The test of the tests: every torture program must fail under at least one planted fault, and pass without.
#   tests/preload/seen_failing.sh
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$("$here/build.sh") || exit 1
gcc -O1 -g -fPIC -shared -fno-builtin "$here/broken/broken_malloc.c" -o "$out/broken_malloc.so" -lpthread || exit 1
missed=0
faulty() { # FAULT LIMIT PROGRAM…: each must end with something else than 0 and 77
  local fault=$1 limit=$2 name status; shift 2
  for name in "$@"; do
    { SCALE=${SCALE:-0.3} FAULT=$fault timeout -k 1 "$limit" env LD_PRELOAD="$out/broken_malloc.so" "$out/$name" >"$out/said" 2>&1; status=$?; } 2>/dev/null
    if [ $status = 0 ] || [ $status = 77 ]; then missed=$((missed + 1)); printf 'MISSED  '; else printf 'noticed '; fi
    printf '%-9s %-18s %s\n' "$fault" "$name" "$(tail -n 1 "$out/said" | cut -c1-140) [$status]"
  done
}
faulty errno 20 aligned_walk short_memory exerciser
faulty dirty 20 calloc_zero exerciser
faulty align 20 aligned_walk
faulty scribble 20 many_threads producer_consumer signal_storm atexit_storm thread_storm soak
faulty half 20 realloc_walk atexit_storm exerciser
faulty leak 60 thread_storm late_destructors dlopen_storm soak
SCALE=1 faulty leak 60 many_keys many_keys_all trim
faulty silent 20 short_memory
faulty kill 20 short_memory
faulty greedy 20 short_memory
faulty mappings 20 many_maps
faulty lock 90 fork_busy
faulty lock 20 fork_in_signal step_fork
faulty none 20 foreign_free # glibc's free aborts
[ $missed = 0 ] && echo "seen_failing: every fault was noticed" || echo "seen_failing: $missed faults were missed"
[ $missed = 0 ]
