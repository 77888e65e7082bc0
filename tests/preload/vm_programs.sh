# Real programs for vm.sh, which sources this: what they need is packed, and each is run twice inside the machine, without and with
# the library; the outputs must be equal. What is not on this machine is left out, and said.
#   stage_programs FOLDER NAME…   fills FOLDER, and the arrays `add` (what the machine gets beside it), `staged` and `missing` (names)
#   programs_for CONDITION        the names that fit a condition
# Inside, `programs.sh` of FOLDER defines a function for each; `pre` puts the library in front of a command.

programs_for() {
  case $1 in
    # The machine's files lie in its memory.
    small-memory) echo sqlite perl lua redis ;;
    strict-overcommit) echo sqlite perl lua ruby version_control redis ;;
    # A compiler and node take much time.
    thp-always) echo python sqlite perl ruby lua version_control redis compiler ;;
    many-cpus) echo python sqlite perl ruby lua version_control redis node ;;
    *) echo python sqlite perl ruby lua version_control redis ;;
  esac
}
libraries_of() { # FILE…: the shared libraries that they need, but for those that need none themselves: the tool stops at these
  local file
  for file in $(ldd "$@" 2>/dev/null | grep -oE '=> /[^ ]+' | cut -c4- | sort -u); do
    ! ldd "$file" 2>/dev/null | grep -q / || echo "$file"
  done
}
# COMMAND…: true if all are there; scripts (shims of version managers) do not count. The tool brings a link's target under the
# target's name; the command's own name is made inside.
add_commands() {
  local command path real
  for command; do
    path=$(PATH=/usr/bin:/usr/local/bin:/bin type -P "$command") && real=$(readlink -f "$path") || return 1
    [ "$(head -c 4 "$real" | tail -c 3)" = ELF ] || return 1
    add+=(--add "$real")
    echo "[ -e $path ] || { mkdir -p $(dirname "$path"); ln -s $real $path; }" >>"$to/programs.sh"
  done
}

stage_programs() {
  local to=$1 name
  shift
  cp "$here/programs"/script.* "$to"
  : >"$to/programs.sh"
  staged=() missing=()
  for name; do
    if "stage_$name" >"$to/body"; then
      staged+=("$name")
      { echo "$name() {"; cat "$to/body"; echo "}"; } >>"$to/programs.sh"
    else
      missing+=("$name")
    fi
  done
}

# stage_NAME: adds what the program needs and prints the body of its function; false if it is not on this machine.
stage_python() {
  add_commands python3.11 && [ -d /usr/lib/python3.11 ] || return
  # The standard library without what a script never imports.
  mkdir -p "$to/python/lib"
  tar -C /usr/lib --exclude='config-*' --exclude=__pycache__ --exclude=test --exclude=lib2to3 --exclude=pydoc_data --exclude=idlelib \
    --exclude=ensurepip --exclude=distutils --exclude=asyncio -cf - python3.11 | tar -C "$to/python/lib" -xf -
  local file
  for file in $(libraries_of /usr/lib/python3.11/lib-dynload/*.so); do add+=(--add "$file"); done
  echo "PYTHONHOME=$to/python PYTHONMALLOC=malloc PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 pre python3.11 -S $to/script.py 1500"
}
stage_sqlite() { add_commands sqlite3 && echo "sed s/ROWS/2500/ $to/script.sql | pre sqlite3 \$work/db"; }
stage_perl() {
  local modules=/usr/lib/x86_64-linux-gnu/perl-base
  add_commands perl && [ -d $modules ] || return
  add+=(--add $modules)
  echo "PERL_HASH_SEED=0 pre perl $to/script.pl 4000"
}
stage_ruby() {
  local folder
  add_commands ruby || return
  for folder in /usr/lib/x86_64-linux-gnu/ruby/*/enc; do add+=(--add "$folder"); done
  echo "pre ruby --disable-gems $to/script.rb 3000"
}
stage_lua() { add_commands lua5.4 && echo "pre lua5.4 $to/script.lua 8000"; }
stage_version_control() {
  add_commands git && cat <<'END'
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_GLOBAL=/dev/null GIT_PAGER=cat
g() { pre git -C $work/one "$@"; }
pre git init -q -b main $work/one
for i in 1 2 3 4 5 6; do
  seq $((i * 3)) $((i * 5 + 400)) >$work/one/file$((i % 3))
  g add -A && GIT_AUTHOR_DATE="$((1700000000 + i)) +0000" GIT_COMMITTER_DATE="$((1700000000 + i)) +0000" g commit -q -m "number $i" || return
done
g repack -adq && g fsck --full 2>&1
g log -p --stat -M -C | sha256sum
g rev-parse HEAD
END
}
stage_redis() {
  add_commands redis-server redis-cli redis-benchmark && cat <<'END'
local s=$work/socket server
pre redis-server --port 0 --unixsocket $s --dir $work --save '' --enable-debug-command yes >$work/log 2>&1 &
server=$!
until redis-cli -s $s ping >/dev/null 2>&1; do kill -0 $server || return; done
pre redis-benchmark -s $s -n 400 -c 8 -P 4 -r 1000 -d 100 --csv -t set,get,lpush,hset,zadd,lrange_100 2>&1 | cut -d, -f1
redis-cli -s $s flushall
for i in $(seq 300); do
  echo "set key:$i $i$i"; echo "hset hash:$((i % 9)) field:$i value-$i"; echo "zadd zset:$((i % 3)) $i member:$i"; echo "append long:$((i % 5)) text-$i"
done | pre redis-cli -s $s | sha256sum
redis-cli -s $s debug reload
redis-cli -s $s debug digest
redis-cli -s $s shutdown nosave 2>/dev/null
wait $server; echo "ended with $?"
END
}
stage_compiler() { # the compiler proper, on a file that was preprocessed here: no headers, no driver
  local proper
  proper=$(g++ -print-prog-name=cc1plus 2>/dev/null) && [ -x "$proper" ] && g++ -std=c++17 -E "$here/torture/dl_object.cpp" -o "$to/source.ii" || return
  add+=(--add "$proper")
  echo "pre $proper -quiet -std=c++17 -fpreprocessed $to/source.ii -o \$work/out.s && sha256sum <\$work/out.s"
}
stage_node() { add_commands node && echo "pre node $to/script.js 800"; }
