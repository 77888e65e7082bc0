#!/usr/bin/env bash
# README.md's first command runs a real program, with its output, its status and a summary
# limit: 900
source "$(dirname "$0")/../environment.sh"
command=$(readme_command run "cargo run --release -- run -- ls")
said=$(mktemp)
trap 'rm -f "$said" "$said.err"' EXIT
bash -euo pipefail -c "$command" >"$said" 2>"$said.err" || { cat "$said" "$said.err"; exit 1; }
cat "$said" "$said.err"
[ -s "$said" ] || { echo "the program printed nothing"; exit 1; }
grep -q 'peak' "$said.err" || { echo "no summary on stderr"; exit 1; }
# The same command, and a program that fails: its status comes through.
status=0
cargo run --quiet --release -- run --quiet -- sh -c 'exit 7' || status=$?
[ "$status" = 7 ] || { echo "status $status instead of 7"; exit 1; }
