# Sourced by run.sh: libstratalloc_toolkit, the strategies for C and C++.

header=$root/crates/l4-capi-toolkit/include/stratalloc_toolkit.h
toolkit_archive=${toolkit%.so}.a
mkdir -p lib && ln -s "$toolkit" lib/libstratalloc_toolkit.so.0 && ln -s libstratalloc_toolkit.so.0 lib/libstratalloc_toolkit.so
with_toolkit="-I$root/crates/l4-capi-toolkit/include -L$work/lib -lstratalloc_toolkit -Wl,-rpath,$work/lib"
strict="-O1 -g -Wall -Wextra -Werror"

# ---- header and library agree -----------------------------------------------------------------------------------
# Every function of the header, by its name before an opening parenthesis at the beginning of a declaration.
declared() { sed 's|/\*.*\*/||' "$header" | grep -oE '^[a-z][a-z0-9_ ]*\*?(stratalloc_[a-z0-9_]+)\(' | sed 's/($//; s/.*[ *]//' | LC_ALL=C sort; }
declares_what_is_exported() {
    declared >declared.txt
    [ "$(wc -l <declared.txt)" -ge 30 ] || { cat declared.txt; return 1; }
    nm -D --defined-only "$toolkit" | sed 's/.* //' | LC_ALL=C sort | diff declared.txt -
}
expect "toolkit: the header declares what is exported, and nothing else" declares_what_is_exported
each_declared_is_described() { # a comment ends right above it, or above the create of the same kind
    awk '/\*\/$/ { described = 1 } /^$/ { described = 0 }
         /^[a-z].*stratalloc_[a-z_]+\(.*\);|^[a-z].*stratalloc_[a-z_]+\(.*,$/ { if (!described) { print; bad = 1 } }
         END { exit bad }' "$header"
}
expect "toolkit: each function is described" each_declared_is_described
no_panic_in_the_toolkit() { ! nm "$toolkit" | grep -E 'rust_begin_unwind|never_reached|9panicking|panic_fmt|rust_panic'; }
expect "toolkit: no panic is reachable" no_panic_in_the_toolkit
needs_little() { # no allocator, no threads, nothing of C++: memory functions, and what asks for the page size
    nm -D --undefined-only "$toolkit" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }' | LC_ALL=C sort | tr '\n' ' ' | tee needs
    echo "toolkit: .text $(size -A "$toolkit" | awk '$1 == ".text" { print $2 }') bytes" >>figures
    ! grep -vE '^((__cxa_finalize|abort|getauxval|memcpy|memmove|memset|memcmp|bcmp) )*$' needs
}
expect "toolkit: calls no allocator" needs_little
toolkit_flags_are_set() { readelf -dW "$toolkit" | grep -q 'Flags:.*NOW' && readelf -dW "$toolkit" | grep -qF 'soname: [libstratalloc_toolkit.so.0]'; }
expect "toolkit: binds at load, has a soname with the version" toolkit_flags_are_set
toolkit_header_is_plain() {
    printf '#include "stratalloc_toolkit.h"\nint main(void) { return stratalloc_toolkit_abi() != STRATALLOC_ABI; }\n' >t.c && cp t.c t.cpp
    for standard in c99 c11 c17; do gcc -std=$standard -pedantic $strict t.c -o t $with_toolkit && ./t || return 1; done
    for standard in c++11 c++17 c++20; do g++ -std=$standard -pedantic $strict t.cpp -o t $with_toolkit && ./t || return 1; done
}
expect "toolkit: the header is C99 to C17 and C++11 to C++20" toolkit_header_is_plain

# ---- behaviour --------------------------------------------------------------------------------------------------
build gcc -std=c11 $strict -I"$here" "$here/toolkit.c" -o toolkit_test $with_toolkit
expect "toolkit: every kind through the C header" timeout 60 ./toolkit_test
expect "toolkit: … and with libstratalloc preloaded" preloaded ./toolkit_test
toolkit_from_the_archive() { gcc -std=c11 $strict -I"$here" -I"${header%/*}" "$here/toolkit.c" "$toolkit_archive" -o toolkit_static && timeout 60 ./toolkit_static; }
expect "toolkit: … from the archive" toolkit_from_the_archive
both_archives() { gcc -std=c11 $strict -I"$here" -I"${header%/*}" "$here/toolkit.c" "$toolkit_archive" "$archive" -o toolkit_both && timeout 60 ./toolkit_both; }
expect "toolkit: … and beside the archive of the heap" both_archives
build gcc -std=c11 $strict -shared -fPIC "$here/toolkit_maker.c" -o maker.so $with_toolkit
build gcc -std=c11 $strict -shared -fPIC -I"${header%/*}" "$here/toolkit_maker.c" "$toolkit_archive" -Wl,--exclude-libs,ALL -o maker_alone.so
build gcc -std=c11 $strict -shared -fPIC -I"${header%/*}" "$here/toolkit_user.c" -o user.so
build gcc -std=c11 $strict -I"$here" -I"${header%/*}" "$here/toolkit_shared.c" -o toolkit_shared -ldl
expect "toolkit: made in one shared object, released in another" timeout 60 ./toolkit_shared ./maker.so ./user.so ./maker_alone.so
expect "toolkit: … made in one with the archive" timeout 60 ./toolkit_shared ./maker_alone.so ./user.so ./maker.so
runs_example() {
    gcc -std=c11 -pedantic $strict "$root/examples/c/toolkit.c" -o example $with_toolkit && ./example >said || return 1
    g++ -std=c++17 $strict -x c++ "$root/examples/c/toolkit.c" -o example++ $with_toolkit && ./example++ | diff said - || return 1
    cat said
    grep -q '^a particle released twice: *the block is not live' said && grep -q '^after the end 0 bytes' said
}
expect "toolkit: the example runs, as C11 and as C++17" runs_example
