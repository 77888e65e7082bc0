#!/bin/sh
# Installs libstratalloc and libstratalloc_toolkit for C and C++: headers, shared libraries, archives, pkg-config files.
#
#   crates/l4-capi/install.sh [--prefix DIR] [--libdir DIR] [--includedir DIR] [--destdir DIR] [--library FILE] [--toolkit FILE]
#
#   --prefix      where it will be used from; /usr/local
#   --libdir      PREFIX/lib; distributions with several: PREFIX/lib/x86_64-linux-gnu, PREFIX/lib64
#   --includedir  PREFIX/include
#   --destdir     put in front of every path that is written, and into none of the files: for packages; $DESTDIR
#   --library     a libstratalloc.so that is built already (the archive beside it); else cargo builds both
#   --toolkit     a libstratalloc_toolkit.so likewise
#
#   LIBDIR/libstratalloc.so.0.1.0                      the library; soname libstratalloc.so.0
#   LIBDIR/libstratalloc.so.0 -> libstratalloc.so.0.1.0      what programs are bound to
#   LIBDIR/libstratalloc.so   -> libstratalloc.so.0          what linkers look for
#   LIBDIR/libstratalloc.a  LIBDIR/pkgconfig/stratalloc.pc  INCLUDEDIR/stratalloc.h
#   the same for stratalloc_toolkit
#
# Where LIBDIR is one that the loader searches (/usr/local/lib), run `ldconfig` afterwards.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=/usr/local libdir="" includedir="" destdir=${DESTDIR:-} library="" toolkit=""
usage() {
    sed -n '4s/^# *//p' "$0" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
    --*=*) # --name=value is --name value
        option=$1
        shift
        set -- "${option%%=*}" "${option#*=}" "$@"
        continue
        ;;
    esac
    [ $# -ge 2 ] || usage
    case $1 in
    --prefix) prefix=$2 ;;
    --libdir) libdir=$2 ;;
    --includedir) includedir=$2 ;;
    --destdir) destdir=$2 ;;
    --library) library=$2 ;;
    --toolkit) toolkit=$2 ;;
    *) usage ;;
    esac
    shift 2
done
libdir=${libdir:-$prefix/lib} includedir=${includedir:-$prefix/include}
for directory in "$prefix" "$libdir" "$includedir"; do
    case $directory in
    *[!A-Za-z0-9/._+,@%:=~-]*) echo "install: '$directory': pkg-config files hold no such path" >&2 && exit 2 ;;
    /*) ;;
    *) echo "install: '$directory' is no absolute path" >&2 && exit 2 ;;
    esac
done

target=$(cd "$here" && cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
[ -n "$library" ] || {
    (cd "$here" && cargo build --release --package stratalloc-capi)
    library=$target/release/libstratalloc.so
}
[ -n "$toolkit" ] || {
    (cd "$here" && cargo build --release --package stratalloc-capi-toolkit)
    toolkit=$target/release/libstratalloc_toolkit.so
}
# Cargo knows the version: it is the workspace's. (`path+file:///…/l4-capi#stratalloc-capi@0.1.0`, or `…#0.1.0`.)
version=$(cd "$here" && cargo pkgid)
version=${version##*[#@]}
# A library of another version, or one built before it had a soname with a version, would be found by nobody.
looks_right() { # FILE NAME
    readelf -dW "$1" | grep -qF "[$2.so.${version%%.*}]" || {
        echo "install: $1 has not the soname $2.so.${version%%.*}: it is not of version $version" >&2
        exit 1
    }
}
looks_right "$library" libstratalloc
looks_right "$toolkit" libstratalloc_toolkit

lib=$destdir$libdir include=$destdir$includedir
install -d "$lib/pkgconfig" "$include"
# Below the prefix by name, so that `pkg-config --define-variable=prefix=…` moves them along.
below_prefix() { case $1 in "$prefix"/*) echo "\${prefix}${1#"$prefix"}" ;; *) echo "$1" ;; esac; }
put() { # FILE NAME CRATE: a library with its links, archive, header and pkg-config file
    install -m 755 "$1" "$lib/lib$2.so.$version"
    ln -sf "lib$2.so.$version" "$lib/lib$2.so.${version%%.*}"
    ln -sf "lib$2.so.${version%%.*}" "$lib/lib$2.so"
    install -m 644 "${1%.so}.a" "$lib/lib$2.a"
    install -m 644 "$3/include/$2.h" "$include/$2.h"
    sed "s|@PREFIX@|$prefix|; s|@LIBDIR@|$(below_prefix "$libdir")|; s|@INCLUDEDIR@|$(below_prefix "$includedir")|; s|@VERSION@|$version|" \
        "$3/$2.pc.in" >"$lib/pkgconfig/$2.pc"
    chmod 644 "$lib/pkgconfig/$2.pc"
}
put "$library" stratalloc "$here"
put "$toolkit" stratalloc_toolkit "$here/../l4-capi-toolkit"
echo "installed stratalloc $version in $lib and $include"
