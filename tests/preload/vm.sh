#!/usr/bin/env bash
# The torture programs and real programs under other conditions, each in an emulated machine of its own (about ten times slower: a
# small SCALE). Without STRATALLOC_SO all of them run on the system's malloc. What runs inside is vm_inside.sh.
#   tests/preload/vm.sh [CONDITION…]      thp-always thp-never numa small-memory many-cpus strict-overcommit
# Needs the tool of the toolchain page (VM_RUN, by default ../shared/tools/vm-run.sh beside the repository); skips, and says why,
# where it is missing or starts no machine.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tool=${VM_RUN:-$here/../../../shared/tools/vm-run.sh}
[ -x "$tool" ] || { echo "vm: skip: no $tool"; exit 77; }
# The tool fetches the emulator and a kernel where they are missing, if it may. A machine that boots and runs /bin/true is all
# that is taken for granted from here on.
if ! said=$("$tool" --mem 256 --limit 120 -- /bin/true 2>&1); then
  echo "vm: skip: no emulated machine starts here: $(tail -n 1 <<<"$said")"
  exit 77
fi
out=$("$here/build.sh") || exit 1
so=${STRATALLOC_SO:-}
scale=${SCALE:-0.02}
patience=${PATIENCE:-200} # seconds for one program
# The folder as it is; the tool brings the shared libraries of a file only, so one C++ program is named as well. A script
# cannot be added as a file either (the tool stops when ldd finds no library), hence the shell and a folder with the script.
torture=(--add "$out" --add "$out/late_destructors")
[ -z "$so" ] || torture+=(--add "$so")

source "$here/vm_programs.sh"

# The conditions: options of vm-run.sh, then a preparation inside the machine.
condition() {
  before=""
  case $1 in
    thp-always) machine=(--cpus 2 --mem 2048 --append transparent_hugepage=always) ;;
    thp-never) machine=(--cpus 2 --mem 1024 --append transparent_hugepage=never) ;;
    numa) machine=(--nodes 2 --cpus 4 --mem 2048) ;;
    many-cpus) machine=(--cpus 8 --mem 2048) ;;
    small-memory) # 256 MB in all, the programs in a group that may use 120 of them and no swap
      machine=(--cpus 2 --mem 256)
      before='echo +memory >/sys/fs/cgroup/cgroup.subtree_control; mkdir /sys/fs/cgroup/t; echo 120M >/sys/fs/cgroup/t/memory.max; echo $$ >/sys/fs/cgroup/t/cgroup.procs' ;;
    strict-overcommit) machine=(--cpus 2 --mem 1024) before='echo 2 >/proc/sys/vm/overcommit_memory; echo 80 >/proc/sys/vm/overcommit_ratio' ;;
    *) echo "vm: no condition $1" >&2; exit 2 ;;
  esac
}
programs() {
  local all="thread_storm late_destructors many_threads producer_consumer fork_busy fork_in_signal step_fork dlopen_storm atexit_storm
    many_keys many_keys_all realloc_walk calloc_zero aligned_walk short_memory many_maps trim soak foreign_free signal_storm exerciser"
  case $1 in
    # Alignments up to 1 GiB and walks to 64 MiB need address space that is charged, or memory that is not there.
    strict-overcommit) echo "overcommit2 thread_storm late_destructors many_threads producer_consumer fork_busy step_fork dlopen_storm many_keys calloc_zero trim soak foreign_free" ;;
    small-memory) echo "${all//realloc_walk calloc_zero/calloc_zero}" ;;
    *) echo "$all" ;;
  esac
}
script=$(mktemp -d)
trap 'rm -rf "$script"' EXIT
[ $# -gt 0 ] || set -- thp-always thp-never numa small-memory many-cpus strict-overcommit
bad=()
for name in "$@"; do
  condition "$name"
  add=("${torture[@]}")
  rm -rf "${script:?}"/*
  stage_programs "$script" $(programs_for "$name")
  cp "$here/vm_inside.sh" "$here/vm_program.sh" "$script"
  {
    printf "%s='%s'\n" before "$before" out "$out" torture "$(programs "$name" | tr '\n' ' ')" so "$so" script "$script" \
      staged "${staged[*]}" scale "$scale" patience "$patience"
    echo '. "$script/vm_inside.sh"'
  } >"$script/run"
  echo "-- $name: ${machine[*]}${missing[*]:+, without ${missing[*]}: not on this machine}"
  "$tool" "${machine[@]}" --limit 900 "${add[@]}" --add "$script" -- /bin/sh "$script/run" || bad+=("$name")
done
if [ ${#bad[@]} = 0 ]; then echo "vm: all conditions passed"; else echo "vm: FAILED: ${bad[*]}"; exit 1; fi
