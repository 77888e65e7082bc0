#!/usr/bin/env bash
# Runs the torture programs, each under its own time limit, and counts.
#   tests/preload/torture.sh [--limit SECONDS] [PROGRAM…]
# STRATALLOC_SO: the library to preload; empty = the system's allocator (to test the tests). SCALE: amount of work.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
limit=60
if [ "${1:-}" = --limit ]; then limit=$2; shift 2; fi
out=$("$here/build.sh") || { echo "torture: the build failed"; exit 1; }
so=${STRATALLOC_SO:-}
all=(thread_storm late_destructors many_threads producer_consumer fork_busy fork_in_signal step_fork dlopen_storm atexit_storm
  many_keys many_keys_all realloc_walk calloc_zero aligned_walk short_memory many_maps trim soak foreign_free signal_storm
  overcommit2 light_start exerciser)
[ $# -gt 0 ] || set -- "${all[@]}"
passed=0 failed=0 skipped=0 failures=()
for name in "$@"; do
  began=$EPOCHREALTIME
  # timeout ends the whole group: what a hung program forked goes with it. STRATALLOC_SO would be read as a setting of the library.
  line=$(timeout -k 2 "$limit" env -u STRATALLOC_SO ${so:+LD_PRELOAD="$so"} "$out/$name" 2>&1)
  status=$?
  printf '%-18s %6.2f s  %s\n' "$name" "$(bc <<<"$EPOCHREALTIME - $began")" "$(tail -n 1 <<<"${line:-(no output)}")"
  case $status in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) failures+=("$name")
      case $status in 124 | 137) why="did not end within $limit s" ;; 1) why="" ;; *) why="exit status $status" ;; esac
      # What came before the closing line is told as well, but a corrupted heap talks a lot.
      head -n -1 <<<"$line" | cut -c1-200 | head -n 8 | sed 's/^/    | /'
      [ -z "$why" ] || echo "    $why" ;;
  esac
done
echo "torture: $passed passed, $failed failed, $skipped skipped${failures:+ (failed: ${failures[*]})}"
[ "$failed" = 0 ]
