#!/usr/bin/env bash
# Real programs give the same output under the preload library as without it.
#   tests/preload/programs.sh [--quick] [NAME…]
# STRATALLOC_SO: the library (empty: both runs are plain, a test of this script). What is missing is installed from Debian's
# packages when we are root, or the program is skipped with the reason. Everything stays on this machine: Unix sockets only.
# KEEP=FOLDER keeps the output of what failed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
quick=${QUICK:-0}
if [ "${1:-}" = --quick ]; then quick=1; shift; fi
size() { if [ "$quick" = 1 ]; then echo "$1"; else echo "$2"; fi; } # QUICK FULL

# Each program is a function that prints what must be equal; `with` puts the library under one command of it.
mode=${MODE:-plain} work=${WORK:-} so=${SO:-} # set when the script calls itself for one run of one program
with() {
  if [ $mode = preloaded ] && [ -n "$so" ]; then env -u STRATALLOC_SO LD_PRELOAD="$so" "$@"; else "$@"; fi
}
skip() { echo "$*" >"$work/why"; return 77; } # a program that cannot be tried
# COMMAND PACKAGE…: is it there, or can it be installed? Services are not started (RUNLEVEL=1).
need() {
  local command=$1; shift
  command -v "$command" >/dev/null && return 0
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { skip "no $command, and not root"; return 1; }
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  { timeout 300 apt-get install -y -qq --no-install-recommends "$@" || { timeout 120 apt-get update -qq && timeout 300 apt-get install -y -qq --no-install-recommends "$@"; }; } >"$work/apt" 2>&1
  command -v "$command" >/dev/null || { skip "no $command, and apt-get install $* failed: $(tail -n 1 "$work/apt")"; return 1; }
}
# Put before a command, this runs it as somebody who is not root.
unprivileged=()
[ "$(id -u)" != 0 ] || unprivileged=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/tmp)
digest() { sha256sum | cut -c1-16; }
# Is the library really in this process? Without this a refused preload would pass everything.
must_be_preloaded() { [ $mode = plain ] || [ -z "$so" ] || grep -q "$so" "/proc/$1/maps" || echo "the library is not in process $1"; }

python() { # the interpreter itself, not a shim of a version manager
  local exe
  exe=$(python3 -c 'import sys; print(sys.executable)') || { skip "no python3"; return; }
  export PYTHONMALLOC=malloc PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
  with "$exe" "$here/programs/script.py" "$(size 20000 200000)" || return 1
}
python_tests() { # part of CPython's own test suite
  local exe tests
  exe=$(python3 -c 'import sys; print(sys.executable)') || { skip "no python3"; return; }
  if ! "$exe" -c 'import test.test_dict' 2>/dev/null; then
    need python3.11 python3.11 && { dpkg -s libpython3.11-testsuite >/dev/null 2>&1 || timeout 300 apt-get install -y -qq --no-install-recommends libpython3.11-testsuite >/dev/null 2>&1; }
    exe=/usr/bin/python3.11
    "$exe" -c 'import test.test_dict' 2>/dev/null || { skip "no python with its test package"; return; }
  fi
  export PYTHONMALLOC=malloc PYTHONHASHSEED=0
  tests="test_dict test_list test_bytes test_set test_json test_struct test_gc test_weakref test_memoryio test_threading_local test_contextlib"
  [ $quick = 1 ] || tests="$tests test_fork1 test_unicode test_re test_array test_long test_io test_bz2 test_zlib test_pickle test_sqlite3 test_subprocess test_threading test_thread test_ctypes test_queue test_capi test_asyncio.test_tasks test_concurrent_futures.test_thread_pool test_coroutines test_generators test_itertools test_collections test_functools test_decimal test_hashlib test_buffer test_mmap test_ssl test_exceptions test_faulthandler"
  # The order of results and the times differ; the set of failed and run tests must not.
  mkdir -p "$work/regrtest"
  (cd "$work/regrtest" && with timeout "$(size 120 500)" "$exe" -m test --randseed 1 -j2 $tests 2>&1) >"$work/python_tests.$mode"
  grep -E '^(Result|Tests result|== Tests result)|tests? (OK|failed|skipped)|^    test_' "$work/python_tests.$mode"
}
sqlite() {
  need sqlite3 sqlite3 || return
  rm -f "$work/db"
  sed "s/ROWS/$(size 60000 400000)/" "$here/programs/script.sql" | with sqlite3 "$work/db" || return 1
}
redis() {
  need redis-server redis-server && need redis-benchmark redis-tools || return
  local s=$work/redis.$mode pid i
  mkdir -p "$s"
  with redis-server --port 0 --unixsocket "$s/socket" --dir "$s" --save '' --enable-debug-command yes --hash-max-listpack-entries 64 >"$s/log" 2>&1 &
  pid=$!
  for _ in $(seq 200); do redis-cli -s "$s/socket" ping >/dev/null 2>&1 && break; sleep 0.05; done
  must_be_preloaded "$(redis-cli -s "$s/socket" info server | sed -n "s/^process_id:\([0-9]*\).*/\1/p")"
  with timeout 200 redis-benchmark -s "$s/socket" -n "$(size 10000 100000)" -c 20 -P 8 -r 10000 -d 100 --csv -t set,get,incr,lpush,lpop,sadd,hset,spop,zadd,lrange_100,mset >"$s/benchmark" 2>&1 || echo "redis-benchmark: $?"
  cut -d, -f1 "$s/benchmark"
  redis-cli -s "$s/socket" flushall
  for i in $(seq "$(size 3000 20000)"); do
    echo "set key:$i $i$i$i"; echo "hset hash:$((i % 50)) field:$i value-$i"; echo "zadd zset:$((i % 7)) $((i * 7919 % 1000)) member:$i"
    echo "rpush list:$((i % 20)) $i"; echo "append long:$((i % 5)) some-text-$i"; [ $((i % 9)) = 0 ] && echo "del key:$((i / 2))"
  done | with redis-cli -s "$s/socket" | digest
  echo "eval 'local t={} for i=1,20000 do t[i]=tostring(i) end return #table.concat(t)' 0" | redis-cli -s "$s/socket"
  redis-cli -s "$s/socket" save
  redis-cli -s "$s/socket" debug reload
  redis-cli -s "$s/socket" debug digest
  redis-cli -s "$s/socket" shutdown nosave 2>/dev/null
  wait $pid; echo "redis-server ended with $?"
}
compiler() {
  need g++ g++ || return
  with g++ -std=c++17 "$(size -O0 -O2)" -g -c "$here/programs/templates.cpp" -o "$work/templates.o" || return 1
  digest <"$work/templates.o"
}
perl() { need perl perl || return; PERL_HASH_SEED=0 with "$(type -P perl)" "$here/programs/script.pl" "$(size 60000 400000)"; }
ruby() { need ruby ruby || return; with "$(type -P ruby)" "$here/programs/script.rb" "$(size 50000 300000)"; }
lua() { need lua5.4 lua5.4 || return; with lua5.4 "$here/programs/script.lua" "$(size 100000 600000)"; }
node() { need node nodejs || return; with "$(type -P node)" "$here/programs/script.js" "$(size 20000 100000)"; }
postgres() {
  local bin s=$work/pg.$mode
  bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  if [ ! -x "$bin/initdb" ]; then
    mkdir -p /etc/postgresql-common 2>/dev/null && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf 2>/dev/null
    need no-postgres-in-path postgresql
    bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
    [ -x "$bin/initdb" ] || { skip "no initdb, and apt-get install postgresql failed"; return; }
  fi
  # A service manager's preload would be lost: each server program gets it by the environment.
  mkdir -p "$s" && { [ "$(id -u)" != 0 ] || chown nobody:nogroup "$s"; }
  with "${unprivileged[@]}" "$bin/initdb" -D "$s/data" -A trust -U test --no-sync --locale=C >"$s.initdb" 2>&1 || { tail -n 5 "$s.initdb"; return 1; }
  grep -c 'ok$' "$s.initdb"
  with "${unprivileged[@]}" "$bin/pg_ctl" -D "$s/data" -l "$s/log" -w -t 60 -o "-c listen_addresses='' -c unix_socket_directories='$s' -c fsync=off -c max_parallel_workers_per_gather=2" start >/dev/null 2>&1 || { tail -n 5 "$s/log"; return 1; }
  must_be_preloaded "$(head -n 1 "$s/data/postmaster.pid")"
  sql() { with "${unprivileged[@]}" "$bin/psql" -h "$s" -U test -d postgres -v ON_ERROR_STOP=1 -Atq "$@" 2>&1; }
  with "${unprivileged[@]}" "$bin/pgbench" -h "$s" -U test -i -q -s "$(size 1 4)" postgres >/dev/null 2>&1 || echo "pgbench -i failed"
  # One client with a fixed seed: the sums are the same each time.
  with "${unprivileged[@]}" "$bin/pgbench" -h "$s" -U test -n -c 1 -t "$(size 300 2000)" --random-seed=1 postgres 2>&1 | grep -E 'processed|failed'
  sql -c 'select sum(abalance) from pgbench_accounts; select sum(tbalance) from pgbench_tellers; select count(*), sum(delta) from pgbench_history'
  # Many clients: only that all is consistent.
  with "${unprivileged[@]}" "$bin/pgbench" -h "$s" -U test -n -c 6 -j 2 -t "$(size 100 500)" postgres 2>&1 | grep -E 'processed|failed'
  sql -c 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history), (select sum(bbalance) from pgbench_branches) = (select sum(tbalance) from pgbench_tellers)'
  sql -c "create table t as select i, md5(i::text) m, repeat('x', i % 300) r from generate_series(1, $(size 50000 300000)) i; create index on t(m); analyze t;
    select md5(string_agg(m, ',' order by i)) from t; select i % 10, count(distinct m), sum(length(r)) from t group by 1 order by 1;
    select count(*) from t a join t b on a.m > b.m and a.i = b.i + 1; do \$\$ begin for k in 1..2000 loop perform length(repeat('y', k)); end loop; end \$\$; vacuum full t;
    select jsonb_array_length(jsonb_agg(to_jsonb(t))) from (select * from t where i % 10 = 0) t"
  with "${unprivileged[@]}" "$bin/pg_ctl" -D "$s/data" -m fast -w stop >/dev/null 2>&1; echo "stopped with $?"
  grep -E 'PANIC|by signal|crash' "$s/log"
  return 0
}
git() {
  need git git || return
  local g s=$work/git.$mode i
  g=$(type -P git)
  rm -rf "$s"; mkdir -p "$s"
  export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_PAGER=cat
  with "$g" init -q -b main "$s/one"
  for i in $(seq "$(size 30 150)"); do
    seq "$((i * 3))" "$((i * 5 + 400))" >"$s/one/file$((i % 12))"
    mkdir -p "$s/one/dir$((i % 5))"; seq "$i" 300 >"$s/one/dir$((i % 5))/part$i"
    with "$g" -C "$s/one" add -A
    GIT_AUTHOR_DATE="@$((1700000000 + i)) +0000" GIT_COMMITTER_DATE="@$((1700000000 + i)) +0000" with "$g" -C "$s/one" commit -q -m "number $i" || return 1
  done
  with "$g" clone -q --no-hardlinks "file://$s/one" "$s/two" || return 1
  with "$g" -C "$s/two" gc -q --aggressive --prune=now
  with "$g" -C "$s/two" fsck --full --strict 2>&1
  with "$g" -C "$s/two" log -p --stat -M -C | digest
  with "$g" -C "$s/two" blame file3 | cut -c10- | digest
  with "$g" -C "$s/two" grep -c 77 | digest
  with "$g" -C "$s/two" rev-parse HEAD
}
cargo() { # our own build: cargo, rustc (which brings an allocator of its own), the linker
  local c
  c=$(type -P cargo) || { skip "no cargo"; return; }
  rm -rf "$work/cargo"
  (cd "$root" && CARGO_INCREMENTAL=0 with "$c" build --offline --locked -q --release $(size "" "-p stratalloc-platform -p stratalloc-resource") -p stratalloc-primitives --target-dir "$work/cargo" 2>&1) || return 1
  find "$work/cargo" -name 'libstratalloc_*.rlib' -path '*deps*' -print0 | sort -z | xargs -0 cat | digest
}
tools() { # the small ones: threads in xz and sort, big tables in awk, archives
  need xz xz-utils || return
  local n; n=$(size 200000 1500000)
  with seq "$n" | with awk '{ a[$1 % 5003] = a[$1 % 5003] $1; s += length(a[$1 % 5003]) % 7 } END { print s }' | digest
  with seq "$n" | with sort --parallel=4 -S 4M -r | with xz -1 -T4 --block-size=200000 -c | with xz -dc | digest
  with tar -C "$here" -cf - --sort=name --mtime=@0 --owner=0 --group=0 programs | with gzip -n | digest
  with find "$root/crates" -name '*.toml' | with sort | with xargs grep -c name | digest
}

if [ -n "${ONE:-}" ]; then "$ONE"; exit; fi

all=(python python_tests sqlite redis compiler perl ruby lua node postgres git cargo tools)
[ $# -gt 0 ] || set -- "${all[@]}"
work=$(mktemp -d) # readable by the unprivileged user that PostgreSQL wants, and so is the copy of the library
chmod 755 "$work"
stop_postgres() { for p in "$work"/pg.*/data/postmaster.pid; do [ -e "$p" ] && kill -QUIT "$(head -n 1 "$p")"; done 2>/dev/null; }
trap 'stop_postgres; rm -rf "$work"' EXIT
if [ -n "${STRATALLOC_SO:-}" ]; then
  cp "$STRATALLOC_SO" "$work/preloaded.so" && chmod 755 "$work/preloaded.so" && so=$work/preloaded.so || exit 1
fi
# timeout ends the whole process group of a program that hangs.
run() { QUICK=$quick ONE=$1 MODE=$2 WORK=$work SO=$so timeout -k 5 "$(size 150 600)" "$here/programs.sh" >"$work/$1.$2.out" 2>"$work/$1.$2.err"; }
passed=0 failed=0 skipped=0 failures=()
for name in "$@"; do
  began=$EPOCHREALTIME middle=$EPOCHREALTIME note=""
  run "$name" plain; plain=$?
  middle=$EPOCHREALTIME status=0
  [ $plain != 0 ] || { run "$name" preloaded; status=$?; }
  ended=$EPOCHREALTIME
  stop_postgres
  if [ $plain = 77 ]; then verdict=skip note=$(cat "$work/why") skipped=$((skipped + 1))
  elif [ $plain != 0 ] || [ ! -s "$work/$name.plain.out" ]; then
    verdict=skip note="fails without the library too (status $plain): $(tail -n 1 "$work/$name.plain.err")" skipped=$((skipped + 1))
  elif [ $status = 0 ] && cmp -s "$work/$name.plain.out" "$work/$name.preloaded.out"; then verdict=ok passed=$((passed + 1))
  else verdict=FAIL failed=$((failed + 1)) failures+=("$name"); fi
  printf '%-13s %-5s plain %6.1f s, preloaded %6.1f s  %s\n' "$name" "$verdict" "$(bc <<<"$middle - $began")" "$(bc <<<"$ended - $middle")" "$note"
  if [ $verdict = FAIL ]; then
    echo "    status $status; lines that differ (< plain, > preloaded), and what it said:"
    diff "$work/$name.plain.out" "$work/$name.preloaded.out" | head -n 12 | cut -c1-200 | sed 's/^/    | /'
    tail -n 8 "$work/$name.preloaded.err" | cut -c1-200 | sed 's/^/    | /'
    if [ -n "${KEEP:-}" ]; then mkdir -p "$KEEP" && cp -r "$work"/*"$name"* "$KEEP"; fi
  fi
done
echo "programs: $passed passed, $failed failed, $skipped skipped${failures:+ (failed: ${failures[*]})}"
[ $failed = 0 ]
