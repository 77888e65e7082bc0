# Sourced by run.sh: what install.sh installs is found by pkg-config, the linker and the loader, and by nothing but them.

install_library() { "$root/crates/l4-capi/install.sh" --library "$library" --toolkit "$toolkit" "$@"; }
installs() {
    install_library --prefix "$work/usr" || return 1
    (cd usr && find . ! -type d | LC_ALL=C sort) | tee /dev/stderr | tr '\n' ' ' >files
    shared() { echo "\\./lib/lib$1\\.a \\./lib/lib$1\\.so \\./lib/lib$1\\.so\\.0 \\./lib/lib$1\\.so\\.0\\.[0-9.]*"; }
    config='\./lib/pkgconfig/stratalloc\.pc \./lib/pkgconfig/stratalloc_toolkit\.pc'
    grep -qx "./include/stratalloc.h ./include/stratalloc_toolkit.h $(shared stratalloc) $(shared stratalloc_toolkit) $config " files
}
expect "install.sh installs" installs
package() { PKG_CONFIG_PATH=$work/usr/lib/pkgconfig pkg-config "$@" stratalloc; }
cat >installed.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <stratalloc.h>
int main(void) { void *block = malloc(100); return printf("%s\n", stratalloc_version()) < 0 || !stratalloc_owns(block); }
C
# The version is said by three: the program that was compiled so, pkg-config, and the file's name.
builds_by_pkg_config() {
    gcc installed.c -o installed $(package --cflags --libs) "$@" || return 1
    said=$(LD_LIBRARY_PATH=$work/usr/lib ./installed) || return 1
    echo "version $said"
    [ "$said" = "$(package --modversion)" ] && [ -f "usr/lib/libstratalloc.so.$said" ]
}
expect "a C program builds by pkg-config and runs" builds_by_pkg_config
toolkit_package() { PKG_CONFIG_PATH=$work/usr/lib/pkgconfig pkg-config "$@" stratalloc_toolkit; }
toolkit_by_pkg_config() {
    gcc "$root/examples/c/toolkit.c" -o installed_example $(toolkit_package --cflags --libs) || return 1
    LD_LIBRARY_PATH=$work/usr/lib ./installed_example | tee said
    grep -q "^libstratalloc_toolkit $(toolkit_package --modversion)," said &&
        readelf -dW installed_example | grep -qF '[libstratalloc_toolkit.so.0]'
}
expect "the toolkit's example builds by pkg-config and runs" toolkit_by_pkg_config
bound_to_the_soname() { readelf -dW installed | grep NEEDED | tee /dev/stderr | grep -qF '[libstratalloc.so.0]'; }
expect "… bound to the name with the major version" bound_to_the_soname
one_heap() { # preloaded under the name that cargo gives: the loader must see that it is the same
    LD_LIBRARY_PATH=$work/usr/lib LD_PRELOAD=$library ./installed || return 1
    LD_LIBRARY_PATH=$work/usr/lib LD_PRELOAD=$library ldd ./installed >loaded
    cat loaded
    [ "$(grep -c libstratalloc loaded)" -eq 1 ]
}
expect "… and not loaded twice when it is preloaded, too" one_heap
links_installed_archive() { gcc installed.c -o installed_archive $(package --cflags) usr/lib/libstratalloc.a && ./installed_archive; }
expect "the installed archive links" links_installed_archive
for_a_package() { # --destdir is in the paths of the files and not in what they say
    install_library --destdir="$work/package" --prefix=/opt/it --libdir=/usr/lib64 || return 1
    [ -f package/usr/lib64/libstratalloc.so.0 ] && [ -f package/opt/it/include/stratalloc.h ] || return 1
    cat package/usr/lib64/pkgconfig/stratalloc.pc
    PKG_CONFIG_PATH=$work/package/usr/lib64/pkgconfig PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 pkg-config --cflags --libs stratalloc >flags
    cat flags
    grep -q -- '^-I/opt/it/include -L/usr/lib64 -lstratalloc' flags && ! grep -rq "$work" package/usr/lib64/pkgconfig
}
expect "install.sh serves packages" for_a_package
refuses() { # what would install something that does not work
    ! install_library --prefix relative && ! install_library --prefix "$work/a b" && ! install_library --what x &&
        ! install_library --prefix && ! "$root/crates/l4-capi/install.sh" --library "$work/foreign_library.so" --prefix "$work/wrong" && [ ! -e "$work/wrong" ]
}
expect "install.sh refuses what would not work" refuses
