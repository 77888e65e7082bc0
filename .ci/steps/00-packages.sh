#!/usr/bin/env bash
# What the other steps need of Debian
# limit: 600
source "$(dirname "$0")/../environment.sh"
missing=()
for pair in valgrind:valgrind objdump:binutils strace:strace gcc:gcc g++:g++ make:make cmake:cmake; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
valgrind --version
cargo --version
