#!/usr/bin/env bash
# Everything of this folder under the preload library.
#   tests/preload/run.sh [--quick|--full]
# --quick (the default): about three minutes on two cores, for each CI run. --full: the full amounts, a soak of minutes, more
# samples, all programs at full size, the emulated machines.
# STRATALLOC_SO names the library; unset, it is built here; set but empty, nothing is preloaded (a test of the tests).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mode=${1:---quick}
case $mode in --quick | --full) ;; *) echo "usage: run.sh [--quick|--full]" >&2; exit 2 ;; esac
if [ -z "${STRATALLOC_SO+set}" ]; then
  cargo build --release -q --manifest-path "$root/Cargo.toml" -p stratalloc-capi || exit 1
  STRATALLOC_SO=$(realpath "${CARGO_TARGET_DIR:-$root/target}/release/libstratalloc.so") || exit 1
fi
export STRATALLOC_SO
[ -z "$STRATALLOC_SO" ] || [ -r "$STRATALLOC_SO" ] || { echo "run: cannot read $STRATALLOC_SO" >&2; exit 1; }
bad=()
part() { # TITLE COMMAND…; 77 = skipped, and it has said why
  local title=$1 status; shift
  echo "== $title"
  "$@"; status=$?
  [ $status = 0 ] || [ $status = 77 ] || bad+=("$title")
}
if [ "$mode" = --quick ]; then
  SCALE=${SCALE:-0.3} part torture "$here/torture.sh"
  part "fault injection" "$here/fault_injection.sh" 4
  part programs "$here/programs.sh" --quick
else
  part torture "$here/torture.sh" --limit 120
  SCALE=${SOAK_SCALE:-40} part "long soak" "$here/torture.sh" --limit 900 soak
  part "fault injection" "$here/fault_injection.sh" 60
  part programs "$here/programs.sh"
  part "test of the tests" "$here/seen_failing.sh"
  part "other machines" "$here/vm.sh"
fi
if [ ${#bad[@]} = 0 ]; then echo "preload: all passed"; else echo "preload: FAILED: ${bad[*]}"; exit 1; fi
