#!/usr/bin/env bash
# Every example runs, and says what it must
# limit: 600
source "$(dirname "$0")/../environment.sh"
output=$(mktemp)
trap 'rm -f "$output"' EXIT
checked=()

# Runs an example and looks for a line that matches each pattern.
says() { # EXAMPLE PATTERN…
  local example=$1 pattern status=0
  shift
  printf -- '-- %s\n' "$example"
  # No features: the crate's tests turn those on that examples need.
  cargo run --quiet -p stratalloc --example "$example" >"$output" || status=$?
  cat "$output"
  [ "$status" = 0 ] || { echo "$example fails with status $status"; exit 1; }
  for pattern; do
    grep -Eq -- "$pattern" "$output" || { echo "$example does not say: $pattern"; exit 1; }
  done
  checked+=("$example")
}

says basic '^1 global: +1000 strings take [1-9]' '^2 heap: .* all gone with the heap$' '^3 frame: +request 3: sum 328350' \
  '^4 pool: +[0-9]+ blocks in 1000 bytes, then: the fixed capacity is exhausted$' '^ +10 dropped: [0-9]+ live, 10 free$' \
  '^5 composed: 5 blocks, 4 of them in 8 KiB, 1 from the system$' '^ +aligned: true, live: 0$'
says game_frame '^96 assets in ' '^2000 frames in ' 'reserved once$'
# What must agree, the examples check themselves; that these numbers stay is checked here.
says order_book '^129439 orders = 52140 filled \+ 23449 cancelled \+ 53850 resting$' '^53850 orders live in the pool;' \
  '^submit +129439 times: ' '^cancel +70561 times: '
says remote_free '^pool: 100000 messages through [0-9]+ blocks of 128$' '^heap: 100000 messages' \
  ' = 100000 freed intact, 0 live$' ' = 100000 freed intact, 0 bytes live$' '^ +[0-9]+ of them remote, in [0-9]+ batches'
says small_objects '^malloc +[0-9.]+ +[0-9.]+ +1\.0×' '^every strategy served the same requests: sum [1-9]'
says budgets '^ +9 requests found nothing: every link refused: 1 tagged: tag 4 is over its budget; 2 tlsf: the fixed capacity is exhausted$' \
  '^ +physics +3200 blocks from the frame, .* 0 live$' 'heap behind: 0 bytes used$'
says shared_messages '^20000 jobs to process [0-9]+ and back: ' '^killed: 64 of 64 messages are left, ' 'live_blocks: 0,'
says compaction '^ +16 B +1 of 50 +98\.0 % ─► +1\.[0-9] %' '^ +1024 B +1 of 10 +89\.9 % ─► +0\.0 %'
says fibers '^100000 fibers, 10000 at a time, on [0-9]+ threads in ' '^ +10000 made for 100000 fibers, in [0-9]+ mappings' '0 left$'
says fiber_stack_costs '^pool, by a thread' '^mmap, mprotect, munmap '
says collections '^the same words everywhere: words ' '^TLSF over 256 KiB .* 0 live at the end$' \
  '^room for 100000 numbers in 256 KiB: false, for 10000: true$'

# None is forgotten here.
for path in crates/stratalloc/examples/*; do
  name=$(basename "$path" .rs)
  [[ " ${checked[*]} " == *" $name "* ]] || { echo "the example $name is not run here"; exit 1; }
done
echo "${#checked[@]} examples"
