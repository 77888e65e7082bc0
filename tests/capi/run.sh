#!/bin/sh
# Tests of libstratalloc as C and C++ programs see it.
#
#   tests/capi/run.sh [path of libstratalloc.so [path of libstratalloc_toolkit.so]]
#
# Without a path it builds that library (release) first. Needs a C and a C++ compiler, binutils and glibc.
# Prints a line per failed test and "N passed, M failed"; the exit status is 0 if M is 0.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
if [ $# -gt 0 ]; then
    library=$(realpath "$1")
else
    (cd "$root" && cargo build -q --release -p stratalloc-capi) || exit 2
    library=$target/release/libstratalloc.so
fi
archive=${library%.so}.a
if [ $# -gt 1 ]; then
    toolkit=$(realpath "$2")
else
    (cd "$root" && cargo build -q --release -p stratalloc-capi-toolkit) || exit 2
    toolkit=$target/release/libstratalloc_toolkit.so
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
# Variables of the caller would change what is tested.
for name in $(env | sed -n 's/^\(STRATALLOC_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done

passed=0
failed=0
# expect NAME COMMAND…: the command must succeed; its output is shown if it does not.
expect() {
    name=$1
    shift
    "$@" >output 2>&1
    status=$?
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name (status $status)"
        head -n 40 output | sed 's/^/    /'
    fi
}
preloaded() { LD_PRELOAD=$library timeout 120 "$@"; }

# ---- build ------------------------------------------------------------------------------------------------------
# -fno-builtin: gcc must not fold malloc/free pairs or believe what it knows of their results.
c="gcc -std=gnu11 -O1 -g -fno-builtin -Wall -Wno-alloc-size-larger-than -I$here -I$root/crates/l4-capi/include"
cxx="g++ -std=c++17 -O1 -g -fno-builtin -fno-allocation-dce -Wall -Wno-alloc-size-larger-than -Wno-unused-result -I$here"
build() { "$@" || { echo "cannot build: $*"; exit 2; }; }
build $c "$here/entry_points.c" -o entry_points
# As the loader looks for it, which is not how cargo names it; install.sh makes such links.
mkdir lib && ln -s "$library" lib/libstratalloc.so.0 && ln -s libstratalloc.so.0 lib/libstratalloc.so
linked="-L$work/lib -Wl,--no-as-needed -lstratalloc -Wl,-rpath,$work/lib"
build $c "$here/extras.c" -o extras $linked
build $c -shared -fPIC "$here/foreign_library.c" -o foreign_library.so -pthread
build $c "$here/foreign.c" -o foreign $linked -ldl
build $cxx "$here/cxx.cpp" -o cxx -pthread
build $cxx -static-libstdc++ -static-libgcc "$here/cxx.cpp" -o cxx_static_runtime -pthread
build $cxx -shared -fPIC "$here/cxx_module.cpp" -o cxx_module.so
build $c "$here/cxx_host.c" -o cxx_host -ldl
build $c "$here/leaves_summary.c" -o leaves_summary
build $c "$here/ends.c" -o ends -pthread
build $c -shared -fPIC "$here/late_end.c" -o late_end.so
build $c -static -Os "$here/peak_rss.c" -o peak_rss

# ---- the file itself --------------------------------------------------------------------------------------------
exports_are_exact() { nm -D --defined-only "$library" | sed 's/.* //' | LC_ALL=C sort | diff "$here/exports.txt" -; }
expect "exports are those of exports.txt" exports_are_exact
no_panic_is_reachable() { ! nm "$library" | grep -E 'rust_begin_unwind|never_reached|9panicking|panic_fmt|rust_panic'; }
expect "no panic is reachable" no_panic_is_reachable
code_is_small() { # at most 76 KiB; what a small process has of it in memory is looked at below
    bytes=$(size -A "$library" | awk '$1 == ".text" { print $2 }')
    echo ".text: $bytes bytes" | tee -a figures
    [ "$bytes" -le 77824 ]
}
expect "code is small" code_is_small
flags_are_set() { readelf -dW "$library" | grep -q 'Flags:.*NOW.*NODELETE' && readelf -dW "$library" | grep -qF 'soname: [libstratalloc.so.0]'; }
expect "binds at load, stays loaded" flags_are_set
tls_is_initial_exec() { ! readelf -rW "$library" | grep -E 'DTPMOD|TLSDESC' && ! nm -D "$library" | grep __tls_get_addr; }
expect "thread-local storage is initial-exec" tls_is_initial_exec
tls_is_small() { # design §2.3: at most 64 bytes of the static surplus
    bytes=$(readelf -lW "$library" | awk '$1 == "TLS" { print $6 }')
    [ $((${bytes:-0})) -le 64 ]
}
expect "thread-local storage has at most 64 bytes" tls_is_small
little_memory() { # by the exact figure; the reported peak is off by up to 128 KiB per processor (see peak_rss.c)
    # Twice within an hour the machine of the first CI runs gave 40 to 50 KiB more for some seconds, to all of 40 starts, right after the
    # library had been linked; never again with the same file. So it is looked at up to five times, and every figure is shown.
    for attempt in 1 2 3 4 5; do
        set -- $(./peak_rss 40 - /bin/true && ./peak_rss 40 "$library" /bin/true)
        echo "/bin/true under the library: $3 KiB resident at exit, $(($3 - $1)) more than without; peak RSS $4, $(($4 - $2)) more" | tee -a figures
        [ $(($3 - $1)) -le 120 ] && return 0
        sync "$library"
        sleep 3
    done
    return 1
}
expect "/bin/true needs at most 120 KiB more" little_memory

# ---- semantics --------------------------------------------------------------------------------------------------
same_as_glibc() {
    ./entry_points | sed -f "$here/justified.sed" >glibc.txt
    preloaded ./entry_points >ours.txt || { echo "status $?"; return 1; }
    [ "$(wc -l <glibc.txt)" -gt 9000 ] || { echo "glibc's transcript is short"; return 1; }
    diff glibc.txt ours.txt
}
expect "every entry point does as glibc's" same_as_glibc
expect "functions beyond glibc's" timeout 60 ./extras
expect "blocks of glibc are forwarded" timeout 60 ./foreign ./foreign_library.so known
says_nothing() { [ -z "$(./foreign ./foreign_library.so known 2>&1 >/dev/null)" ]; }
expect "… without a word" says_nothing
expect "foreign pointers are ignored" timeout 60 ./foreign ./foreign_library.so all
warns_once() {
    ./foreign ./foreign_library.so all 2>&1 >/dev/null | tee /dev/stderr | grep -c '^stratalloc: free of 0x.*: ignored (said once)$' | grep -qx 1
}
expect "… with one warning" warns_once
expect "C++ operators under glibc (test of the test)" timeout 60 ./cxx
expect "C++ operators" preloaded ./cxx
expect "C++ operators beside a static C++ runtime" preloaded ./cxx_static_runtime
expect "C++ in a module of a C program" preloaded ./cxx_host ./cxx_module.so
aborts_without_runtime() {
    (ulimit -c 0; preloaded ./cxx_host) >said 2>&1
    status=$?
    cat said
    [ $status -eq 134 ] && grep -q '^stratalloc: operator new: out of memory, and no C++ runtime' said
}
expect "operator new without a C++ runtime aborts with a message" aborts_without_runtime

# ---- linked, not preloaded --------------------------------------------------------------------------------------
build $cxx "$here/cxx.cpp" -o cxx_linked -pthread $linked
expect "C++ linked against the shared library" timeout 60 ./cxx_linked
if [ -f "$archive" ]; then
    links() { $cxx "$here/cxx.cpp" -o cxx_archive -pthread "$archive" && $c "$here/extras.c" -o extras_archive "$archive"; }
    expect "links with the archive" links
    expect "C++ with the archive" timeout 60 ./cxx_archive
    expect "C with the archive" timeout 60 ./extras_archive
fi

. "$here/toolkit.sh"
. "$here/installed.sh"

# ---- environment ------------------------------------------------------------------------------------------------
summary_is_left() {
    env STRATALLOC_SUMMARY="$work/summary" LD_PRELOAD="$library" ./leaves_summary || return 1
    ls "$work"
    [ "$(ls "$work"/summary.* | wc -l)" -eq 2 ] || return 1
    for file in "$work"/summary.*; do
        cat "$file"
        [ "$(head -n 1 "$file")" = "version 1" ] || return 1
        grep -qx 'program leaves_summary' "$file" || return 1
        [ "$(grep -cE '^(time_ms|peak_rss_kib|minor_faults|major_faults|small\.live_bytes|medium\.peak_bytes|large\.allocations|huge\.releases|committed_bytes|resident_bytes|purges|purged_bytes|remote_frees|remote_batches|thread_heaps|slabs|huge_page_chunks) [0-9]+$' "$file")" -eq 17 ] || return 1
        grep -vqE '^(program [ -~]*|[a-z_.0-9]+ [0-9]+)$' "$file" && return 1
        awk '$1 == "small.live_bytes" && $2 >= 50000 { small = 1 } $1 == "medium.live_bytes" && $2 >= 3145728 { medium = 1 }
             $1 == "peak_rss_kib" && $2 > 3072 { peak = 1 } $1 ~ /^class\.[0-9]+\.live$/ && $2 == 50 { class = 1 }
             END { exit !(small && medium && peak && class) }' "$file" || return 1
    done
}
expect "a summary for each process of a tree" summary_is_left
only_the_child() { # of this shell: leaves_summary itself, not the process that it forks
    rm -f summary.*
    env STRATALLOC_SUMMARY="$work/summary" STRATALLOC_ONLY_CHILD_OF=$$ LD_PRELOAD="$library" ./leaves_summary || return 1
    [ "$(ls summary.* | wc -l)" -eq 1 ] || { ls; return 1; }
    rm -f summary.*
    env STRATALLOC_SUMMARY="$work/summary" STRATALLOC_ONLY_CHILD_OF=1 LD_PRELOAD="$library" ./leaves_summary || return 1
    [ -z "$(ls | grep '^summary')" ]
}
expect "only children of the named process are summarised" only_the_child
# preload_seen EXPECTED OBSERVER PRELOAD: what the program sees as LD_PRELOAD.
preload_seen() {
    seen=$(env STRATALLOC_ONLY_CHILD_OF="$2" LD_PRELOAD="$3" /usr/bin/env | sed -n 's/^LD_PRELOAD=/=/p')
    echo "LD_PRELOAD$seen"
    [ "$seen" = "$1" ]
}
expect "others drop the library" preload_seen "" 1 "$library"
expect "others keep what else is preloaded" preload_seen "=$work/foreign_library.so:libm.so.6" 1 "$work/foreign_library.so $library:libm.so.6"
child_keeps_it() { # without a subshell: the program must be a child of $$
    env STRATALLOC_ONLY_CHILD_OF=$$ LD_PRELOAD="$library" /usr/bin/env >environment
    grep -x "LD_PRELOAD=$library" environment
}
expect "the child keeps it" child_keeps_it
. "$here/ends.sh"
no_summary() { mkdir none && cd none && preloaded ../leaves_summary && [ -z "$(ls)" ] && cd ..; }
expect "no summary unasked" no_summary
survives_a_bad_prefix() {
    env STRATALLOC_SUMMARY=/nonexistent/x LD_PRELOAD="$library" /bin/true && env STRATALLOC_SUMMARY= LD_PRELOAD="$library" /bin/true &&
        env STRATALLOC_SUMMARY="$(head -c 5000 /dev/zero | tr '\0' x)" LD_PRELOAD="$library" /bin/true
}
expect "a summary that cannot be written does no harm" survives_a_bad_prefix
# complaints EXPECTED VARIABLE=VALUE…: how many lines /bin/true says, all of them ours.
complaints() {
    want=$1
    shift
    env "$@" LD_PRELOAD="$library" /bin/true 2>said || return 1
    cat said
    [ "$(wc -l <said)" -eq "$want" ] && [ "$(grep -c "^stratalloc: the setting '.*; ignored$" said)" -eq "$want" ]
}
expect "an unknown key is reported" complaints 1 STRATALLOC_CONF=no_such_key:1
expect "an unknown variable is reported" complaints 1 STRATALLOC_NO_SUCH_KEY=1
expect "each wrong setting is reported once" complaints 3 STRATALLOC_CONF=no_such_key:1,alone STRATALLOC_ANOTHER=1
expect "an overlong name is reported" complaints 1 "STRATALLOC_$(head -c 500 /dev/zero | tr '\0' X)=1"
expect "control characters are not passed on" complaints 1 "STRATALLOC_CONF=$(printf 'a\033[31m\nb'):1"
expect "empty pairs and other variables are fine" complaints 0 STRATALLOC_CONF=' , ,' STRATALLOCATOR=1 STRATALLOC=2
valid_header() { printf '#include "stratalloc.h"\nint main(void) { return stratalloc_version() == 0; }\n' >h.c && $c -std=c99 -pedantic -Werror h.c -c && cp h.c h.cpp && $cxx -I"$root/crates/l4-capi/include" -Werror h.cpp -c; }
expect "the header is C99 and C++" valid_header

cat figures
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
