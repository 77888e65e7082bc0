# Sourced by latency.sh, drift.sh, overhead.sh and cache.sh: their options, and the rows of their tables.
#   --allocators A,B,…   the rows                       --rounds N   how often each is run, interleaved
#   --out FILE           keep the lines of JSON         --build      build the runners first (bench/run.sh does that too)
# Other options are left in `rest`. A row is a runner, with `-nothp` one without huge pages (mimalloc asks for them by default).

target=${CARGO_TARGET_DIR:-$PWD/target}
runners=$target/release
allocators="stratalloc mimalloc3 mimalloc3-nothp mimalloc2 mimalloc2-nothp snmalloc jemalloc rpmalloc tcmalloc dlmalloc system"
rounds=3 out="" build=0 rest=()
while [ $# -gt 0 ]; do
  case $1 in
    --allocators) allocators=${2//,/ }; shift ;;
    --rounds) rounds=$2; shift ;;
    --out) out=$2; shift ;;
    --build) build=1 ;;
    --help) sed -n '2,/^[^#]/{/^#/p}' "$0"; exit ;;
    *) rest+=("$1") ;;
  esac
  shift
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -n "$out" ] || out=$work/lines
: >"$out"

# Each by itself: features of several peers must not be united (see run.sh).
build() {
  local package
  for package in "$@"; do
    CARGO_PROFILE_RELEASE_DEBUG=false cargo build --release --quiet ${BENCH_JOBS:+--jobs "$BENCH_JOBS"} --package "$package" || return
  done
}
build bench-launch bench-table
[ $build = 0 ] || for row in $allocators; do build "runner-${row%-nothp}" || echo "runner-$row does not build here" >&2; done

runner() { echo "$runners/runner-${1%-nothp}"; } # ROW
# ROW COMMAND…: runs the command in the row's environment and no other.
in_row() {
  local row=$1 settings=(); shift
  case $row in *-nothp) settings=(MIMALLOC_ALLOW_THP=0) ;; esac
  env -i "${settings[@]}" "$@"
}
rows=()
for row in $allocators; do
  if [ -x "$(runner "$row")" ]; then rows+=("$row"); else echo "no $(runner "$row"): left out (--build builds it)" >&2; fi
done
# The rows of one round: each begins one further on.
rows_of_round() { local i; for ((i = 0; i < ${#rows[@]}; i++)); do echo "${rows[$(((i + $1) % ${#rows[@]}))]}"; done; }
# A runner says what it was linked with; the row's name also tells its environment.
named() { sed "s/\"allocator\":\"[^\"]*\"/\"allocator\":\"$1\",\"round\":$2/"; }
table() { "$runners/bench-table" "$@" <"$out"; }
