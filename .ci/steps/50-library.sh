#!/usr/bin/env bash
# libstratalloc.so, release
# limit: 600
source "$(dirname "$0")/../environment.sh"
build_library
ls -l "$library"
