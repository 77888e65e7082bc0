#!/usr/bin/env bash
# Builds every peer as a library that can be preloaded into a C program, and checks each.
#   bench/preload/build.sh [NAME…]      into $CARGO_TARGET_DIR/peers/lib<name>.so; prints the folder
# Sources are those inside the crates that the bench's lock file names, so a peer here is the same version as the runner; where
# a Debian package is the usual way, it is taken from there. A peer that cannot be built is left out, and said so.
# `stratalloc` is this tree (BENCH_STRATALLOC_TARGET: another target folder for it).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${CARGO_TARGET_DIR:-$here/../target}/peers
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jobs=${BENCH_JOBS:-$(nproc)}

sources() { # CRATE: where its sources are
  [ -s "$work/metadata" ] || cargo metadata --quiet --locked --format-version 1 --manifest-path "$here/../Cargo.toml" >"$work/metadata"
  tr ',' '\n' <"$work/metadata" | sed -n "s|.*\"manifest_path\":\"\(.*/$1-[0-9][^/]*\)/Cargo.toml\".*|\1|p" | head -n 1
}
from_debian() { # PACKAGE FILE
  local found
  found=$(ls /usr/lib/*/"$2" 2>/dev/null | head -n 1)
  if [ -z "$found" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1 || true
    found=$(ls /usr/lib/*/"$2" 2>/dev/null | head -n 1)
  fi
  [ -n "$found" ] && cp -L "$found" "$work/lib.so" && dpkg-query -W -f '${Package} ${Version}' "$1" >"$work/version"
}
version_of() { basename "$1" >"$work/version"; }

# The flags of mimalloc's own CMakeLists.txt for a release build of the shared library.
mimalloc() { # v2 or v3
  local crate; crate=$(sources libmimalloc-sys)
  version_of "$crate"
  gcc -std=gnu11 -O3 -DNDEBUG -DMI_MALLOC_OVERRIDE -DMI_SHARED_LIB -DMI_SHARED_LIB_EXPORT -fPIC -fvisibility=hidden \
    -ftls-model=initial-exec -fno-builtin-malloc -I "$crate/c_src/mimalloc/$1/include" -I "$crate/c_src/mimalloc/$1/src" \
    -shared "$crate/c_src/mimalloc/$1/src/static.c" -o "$work/lib.so" -pthread -lrt
}
build_mimalloc2() { mimalloc v2; }
build_mimalloc3() { mimalloc v3; }
build_snmalloc() {
  local crate; crate=$(sources snmalloc-sys)
  version_of "$crate"
  cmake -S "$crate/upstream" -B "$work/snmalloc" -DCMAKE_BUILD_TYPE=Release -DSNMALLOC_BUILD_TESTING=OFF >"$work/log" 2>&1 &&
    cmake --build "$work/snmalloc" --target snmallocshim -j "$jobs" >>"$work/log" 2>&1 || { tail -n 5 "$work/log" >&2; return 1; }
  cp "$work/snmalloc/libsnmallocshim.so" "$work/lib.so"
}
build_rpmalloc() {
  local crate; crate=$(sources rpmalloc-sys)
  version_of "$crate"
  gcc -std=gnu11 -O3 -DNDEBUG -DENABLE_PRELOAD=1 -DENABLE_OVERRIDE=1 -fPIC -fvisibility=hidden -fno-builtin -ftls-model=initial-exec \
    -w -shared "$crate/rpmalloc/rpmalloc/rpmalloc.c" -o "$work/lib.so" -pthread -ldl
}
build_jemalloc() { from_debian libjemalloc2 libjemalloc.so.2; }
build_tcmalloc() { from_debian libtcmalloc-minimal4 libtcmalloc_minimal.so.4; } # the one of gperftools
build_stratalloc() {
  local target=${BENCH_STRATALLOC_TARGET:-${CARGO_TARGET_DIR:-$root/target}}
  (cd "$root" && CARGO_TARGET_DIR=$target cargo build --quiet --release --package stratalloc-capi --jobs "$jobs")
  cp "$target/release/libstratalloc.so" "$work/lib.so"
  git -C "$root" describe --always --dirty >"$work/version" 2>/dev/null || echo unknown >"$work/version"
}

gcc -O2 -Wall -Wextra -fno-builtin "$here/check.c" -o "$work/check" -pthread -ldl
all=(stratalloc mimalloc3 mimalloc2 snmalloc jemalloc rpmalloc tcmalloc)
[ $# -gt 0 ] || set -- "${all[@]}"
for name in "$@"; do
  declare -F "build_$name" >/dev/null || { echo "no peer called $name; known: ${all[*]}" >&2; exit 2; }
  # Whatever was built earlier must not stand in for what fails now.
  rm -f "$out/lib$name.so" "$out/$name.version" "$work/lib.so"
  problem=""
  if ! ("build_$name"); then problem="does not build here"
  elif [ "$(nm -D --defined-only "$work/lib.so" | grep -cE ' [TWi] malloc$')" = 0 ]; then problem="does not export malloc"
  else
    cp "$work/lib.so" "$out/lib$name.so"
    said=$(env -i LD_PRELOAD="$out/lib$name.so" "$work/check" 2>&1) || problem="fails the check: $said"
    [ -n "$problem" ] || [ "$said" = "$out/lib$name.so" ] || problem="is not used by a program it is preloaded into: $said"
  fi
  if [ -n "$problem" ]; then
    rm -f "$out/lib$name.so"
    echo "$name $problem" >&2
    [ "$name" != stratalloc ] || exit 1
  else
    cp "$work/version" "$out/$name.version"
    echo "$name: $(cat "$work/version")" >&2
  fi
done
echo "$out"
