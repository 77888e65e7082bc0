#!/usr/bin/env bash
# The N-th mmap, munmap, mprotect, madvise or mremap of a whole process is refused with ENOMEM by strace, alone and together
# with the calls after it, for sampled N: the exerciser may get null with ENOMEM, must not crash, hang or lose a byte, and
# works again afterwards. (Every N of every call is tried inside the process by the heap's own tests; this one sees the
# library as it is shipped.)
#   tests/preload/fault_injection.sh [SAMPLES]     (default 12 for each call)
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
samples=${1:-12}
command -v strace >/dev/null || { echo "fault_injection: skip: no strace (apt-get install strace)"; exit 77; }
out=$("$here/build.sh") || exit 1
so=${STRATALLOC_SO:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
traced() { timeout -k 2 30 env -u STRATALLOC_SO strace -f --seccomp-bpf -o "$1" ${so:+-E LD_PRELOAD="$so"} "${@:2}" "$out/exerciser"; }

# How many calls of each kind does the main thread make before and after the first mark? The loader's are not ours to refuse.
traced "$work/log" -e trace=getppid,mmap,munmap,mprotect,madvise,mremap >"$work/said" 2>&1 ||
  { cat "$work/said"; echo "fault_injection: skip: strace cannot trace here"; exit 77; }
main=$(awk 'NR == 1 { print $1 }' "$work/log")

one() { # CALL RANGE
  local said="$work/$1.$2" status
  traced /dev/null -e trace="$1" -e "inject=$1:error=ENOMEM:when=$2" >"$said" 2>&1
  status=$?
  [ $status = 0 ] && return
  echo "FAIL $1 when=$2 status $status: $(tail -n 2 "$said" | tr '\n' ' ')"
  echo "     again: strace -f ${so:+-E LD_PRELOAD=$so }-e trace=$1 -e inject=$1:error=ENOMEM:when=$2 $out/exerciser"
}
runs=0 skipped=()
for call in mmap munmap mprotect madvise mremap; do
  read -r before inside < <(awk -v main="$main" -v call="$call(" '$1 != main { next } /getppid\(/ { marks++; next }
    index($2, call) == 1 { if (marks == 0) before++; else if (marks == 1) inside++ } END { print before + 0, inside + 0 }' "$work/log")
  [ "$inside" -gt 0 ] || { skipped+=("$call"); continue; }
  step=$(((inside + samples - 1) / samples))
  for ((n = before + 1; n <= before + inside; n += step)); do
    # Alone; with the 3 after it; a long drought of 150.
    for range in "$n" "$n..$((n + 3))" "$n..$((n + 150))"; do
      while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
      one "$call" "$range" >"$work/verdict.$call.$range" &
      runs=$((runs + 1))
    done
  done
done
wait
cat "$work"/verdict.* >"$work/verdicts"
cat "$work/verdicts"
failed=$(grep -c ^FAIL "$work/verdicts")
echo "fault_injection: $((runs - failed)) passed, $failed failed${skipped:+ (never called: ${skipped[*]})}"
[ "$failed" = 0 ]
