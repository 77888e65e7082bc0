#!/usr/bin/env bash
# The library as C and C++ programs see it
# limit: 900
source "$(dirname "$0")/../environment.sh"
build_library
tests/capi/run.sh "$library"
