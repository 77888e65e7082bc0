#!/usr/bin/env bash
# Real programs under every preloadable allocator, side by side: CPU time, peak resident size, faults.
#   bench/programs/run.sh [--rounds N] [--quick] [--out FILE] [--allocators A,B,…] [PROGRAM…]
#   bench/programs/run.sh --list
# Prints tables; --out keeps the lines of JSON they are made of. Rounds are interleaved: for each program all allocators in turn,
# the order shifted by one each round. bench/launch starts each run in a fresh process and reads what the kernel counted for it and
# for the children it waited for. Before anything is measured each pair runs once, untimed: its output must be that of the plain
# program, and the loader must say that malloc was bound to the library; a pair that fails is left out, said so, and ends in status 1.
# `system` is the C library by a preload too, since Debian's redis is linked with jemalloc. `…-nothp` is mimalloc without huge pages.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$here/../target}
scripts=$root/tests/preload/programs
all=(python redis sqlite compiler ruby lua node perl)
rounds=5 quick=0 out="" allocators=""
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2; shift ;;
    --out) out=$2; shift ;;
    --allocators) allocators=${2//,/ }; shift ;;
    --quick) quick=1 rounds=1 ;;
    --list) printf '%s\n' "${all[@]}"; exit ;;
    --*) sed -n 2,4p "$0" >&2; exit 2 ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || set -- "${all[@]}"
size() { if [ $quick = 1 ]; then echo "$1"; else echo "$2"; fi; } # QUICK FULL

(cd "$here/.." && cargo build --release --quiet --package bench-launch && cargo build --release --quiet --package bench-table) || exit 1
peers=$("$here/../preload/build.sh" $(echo "$allocators" | tr ' ' '\n' | sed 's/-nothp$//; /^system$/d' | sort -u)) || exit 1
[ -n "$allocators" ] || allocators="$(cd "$peers" && ls lib*.so | sed 's/^lib//; s/\.so$//; s/^mimalloc.*/& &-nothp/' | sort -r) system"
read -ra allocators <<<"$(echo $allocators)"
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
[ -n "$out" ] || out=$work/lines
: >"$out"

library() { # ALLOCATOR: what is preloaded
  if [ "$1" = system ]; then ldd "$(type -P bash)" | sed -n 's/.* => \(.*\/libc\.so[^ ]*\) .*/\1/p'; else echo "$peers/lib${1%-nothp}.so"; fi
}
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null && return
  [ "$(id -u)" = 0 ] && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 timeout 300 apt-get install -y -qq --no-install-recommends "$2" >/dev/null 2>&1
  command -v "$1" >/dev/null || { echo "no $1, left out" >&2; return 1; }
}
# The measured command: nothing in its environment but what is named here.
variables=()
launch() { env -i PATH=/usr/bin:/bin HOME="$work" LC_ALL=C "${variables[@]}" "$target/release/bench-launch" 600 "$@"; }

# Each program: `need_X`, and `run_X`, which prints what must be equal and the launcher's line. $run is a folder of this run.
need_python() { need python3 python3; }
run_python() { PYTHON=${PYTHON:-$(python3 -c 'import sys; print(sys.executable)')}; variables+=(PYTHONMALLOC=malloc PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1); launch "$PYTHON" "$here/objects.py" "$(size 2000 20000)"; }
need_sqlite() { need sqlite3 sqlite3; }
run_sqlite() { sed "s/ROWS/$(size 10000 250000)/; /^vacuum/d" "$scripts/script.sql" >"$run/sql"; launch "$(type -P sqlite3)" :memory: ".read $run/sql"; }
need_compiler() { need g++ g++; }
run_compiler() { launch "$(type -P g++)" -std=c++17 "$(size -O0 -O2)" -c "$scripts/templates.cpp" -o "$run/o" && sha256sum <"$run/o"; }
need_ruby() { need ruby ruby; }
run_ruby() { launch "$(type -P ruby)" "$scripts/script.rb" "$(size 20000 250000)"; }
need_lua() { need lua5.4 lua5.4; }
run_lua() { launch "$(type -P lua5.4)" "$scripts/script.lua" "$(size 30000 700000)"; }
need_node() { need node nodejs; }
run_node() { launch "$(type -P node)" "$scripts/script.js" "$(size 5000 60000)"; }
need_perl() { need perl perl; }
run_perl() { variables+=(PERL_HASH_SEED=0); launch "$(type -P perl)" "$scripts/script.pl" "$(size 20000 400000)"; }
need_redis() { need redis-server redis-server && need redis-benchmark redis-tools; }
run_redis() { # the server is measured, the clients are not
  local cli=(redis-cli -s "$run/socket") pid
  launch "$(type -P redis-server)" --port 0 --unixsocket "$run/socket" --dir "$run" --save '' --enable-debug-command yes --logfile "$run/log" >"$run/said" &
  pid=$!
  until "${cli[@]}" ping >/dev/null 2>&1; do kill -0 $pid 2>/dev/null || { cat "$run/log"; return 1; }; done
  # What these clients send is random within bounds; it is load. What comes after the flush is compared.
  redis-benchmark -s "$run/socket" -n "$(size 5000 150000)" -c 20 -P 8 -r 5000 -d 120 -q -t set,get,incr,lpush,lpop,sadd,hset,zadd,mset >"$run/benchmark" 2>&1 || echo "redis-benchmark failed"
  "${cli[@]}" flushall
  awk -v n="$(size 2000 30000)" 'BEGIN { for (i = 1; i <= n; i++) { print "set key:" i " " i i i; print "hset hash:" i % 50 " field:" i " value-" i; print "zadd zset:" i % 7 " " i * 7919 % 1000 " member:" i; print "rpush list:" i % 20 " " i; if (i % 9 == 0) print "del key:" int(i / 2) } }' | "${cli[@]}" --pipe >/dev/null
  "${cli[@]}" debug digest
  "${cli[@]}" shutdown nosave 2>/dev/null
  wait $pid
  cat "$run/said"
}

# One run: the output goes to $run/out without the launcher's line, which is returned in `figures`.
one() { # PROGRAM ALLOCATOR [VARIABLE…]
  local program=$1 allocator=$2; shift 2
  run=$work/run; rm -rf "$run"; mkdir -p "$run"
  variables=("$@")
  case $allocator in *-nothp) variables+=(MIMALLOC_ALLOW_THP=0) ;; esac
  [ "$allocator" = plain ] || variables+=(LD_PRELOAD="$(library "$allocator")")
  "run_$program" >"$run/all" 2>"$run/err"
  grep '^launched ' "$run/all" | tail -n 1 >"$run/figures"
  grep -v '^launched ' "$run/all" >"$run/out"
  read -ra figures <"$run/figures"
}
# Does this pair do the same, and does it use the library? Prints what is wrong.
problem() { # PROGRAM ALLOCATOR
  one "$1" "$2" LD_DEBUG=bindings LD_DEBUG_OUTPUT="$work/bindings"
  local bound; bound=$(cat "$work"/bindings.* 2>/dev/null | grep -c "to $(library "$2") .*symbol .malloc'")
  rm -f "$work"/bindings.*
  if [ "${figures[1]:-missing}" != 0 ]; then echo "ended with ${figures[1]:-nothing}: $(tail -n 1 "$run/err")"
  elif ! cmp -s "$run/out" "$work/$1.plain"; then echo "has another output: $(diff "$run/out" "$work/$1.plain" | sed -n 2p)"
  elif [ "$bound" = 0 ]; then echo "does not take malloc from the library"; fi
}

failed=0
for program in "$@"; do
  declare -F "run_$program" >/dev/null || { echo "no program $program; known: ${all[*]}" >&2; exit 2; }
  "need_$program" || continue
  one "$program" plain; cp "$run/out" "$work/$program.plain"
  [ -s "$work/$program.plain" ] && [ "${figures[1]:-1}" = 0 ] || { echo "$program fails by itself: $(tail -n 1 "$run/err")" >&2; failed=1; continue; }
  good=()
  for allocator in "${allocators[@]}"; do
    wrong=$(problem "$program" "$allocator")
    if [ -z "$wrong" ]; then good+=("$allocator"); else echo "$program on $allocator $wrong" >&2; failed=1; fi
  done
  for ((round = 0; round < rounds; round++)); do
    for ((turn = 0; turn < ${#good[@]}; turn++)); do
      allocator=${good[$(((turn + round) % ${#good[@]}))]}
      one "$program" "$allocator"
      [ "${figures[1]:-1}" = 0 ] && cmp -s "$run/out" "$work/$program.plain" || { echo "$program on $allocator failed in round $round" >&2; failed=1; continue; }
      awk -v program="$program" -v allocator="$allocator" -v round=$round '{ printf "{\"kind\":\"program\",\"program\":\"%s\",\"allocator\":\"%s\",\"round\":%d,\"cpu_ms\":%.1f,\"user_ms\":%.1f,\"system_ms\":%.1f,\"wall_ms\":%.1f,\"peak_kib\":%d,\"minor_faults\":%d,\"involuntary_switches\":%d}\n", program, allocator, round, ($3 + $4) / 1e3, $3 / 1e3, $4 / 1e3, $10 / 1e6, $5, $6, $9 }' "$run/figures" >>"$out"
    done
    echo "$program: round $((round + 1)) of $rounds" >&2
  done
done
"$target/release/bench-table" --row program --value cpu_ms --value peak_kib --value minor_faults --ours stratalloc <"$out" || failed=1
exit $failed
