#!/usr/bin/env bash
# Builds the torture programs, and prints the folder that holds them.
#   tests/preload/build.sh [OUT]      (default: $CARGO_TARGET_DIR or target, then /preload-tests)
# -fno-builtin and -fno-allocation-dce: a compiler that knows malloc removes pairs of malloc and free.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-${CARGO_TARGET_DIR:-$here/../../target}/preload-tests}
mkdir -p "$out"
out=$(cd "$out" && pwd)
# -Wno-alloc-size...: the tests ask for absurd sizes and free foreign pointers on purpose.
flags=(-O2 -g -pthread -Wall -Wextra -Werror -Wno-alloc-size-larger-than -Wno-free-nonheap-object -Wno-use-after-free -fno-builtin)
src=$here/torture

newer() { # OUTPUT SOURCE: must OUTPUT be built?
  [ ! -e "$1" ] || [ "$2" -nt "$1" ] || [ "$src/torture.h" -nt "$1" ] || [ "$here/build.sh" -nt "$1" ]
}
job() { # at most one compiler a core
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
  "$@" &
}
for c in "$src"/*.c "$src"/*.cpp; do
  name=$(basename "${c%.*}")
  case $c in *.cpp) cc=(g++ -std=c++17 -fno-allocation-dce) ;; *) cc=(gcc -std=gnu11) ;; esac
  case $name in
    dl_*)
      newer "$out/${name}_0.so" "$c" || continue
      "${cc[@]}" "${flags[@]}" -fPIC -shared "$c" -o "$out/${name}_0.so"
      # Copies: the loader must give each its own thread-local module.
      for i in 1 2 3 4 5 6 7; do cp "$out/${name}_0.so" "$out/${name}_$i.so"; done
      ;;
    *) newer "$out/$name" "$c" && job "${cc[@]}" "${flags[@]}" "$c" -o "$out/$name" -ldl ;;
  esac
done
newer "$out/many_keys_all" "$src/many_keys.c" && job gcc -std=gnu11 "${flags[@]}" -DKEYS=1024 "$src/many_keys.c" -o "$out/many_keys_all"
status=0
while [ -n "$(jobs -p)" ]; do wait -n || status=1; done
[ $status = 0 ] || exit 1
echo "$out"
