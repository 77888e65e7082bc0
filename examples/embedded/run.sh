#!/usr/bin/env bash
# Builds the programs for a Cortex-M4, runs them in the emulator, checks what they say, and measures flash and RAM.
#
#   bash examples/embedded/run.sh
#
# Status 77: skipped, because the target or the emulator is missing; it says which.
set -euo pipefail
cd "$(dirname "$0")"
triple=thumbv7em-none-eabihf
cross=$PWD/../../../shared/tools/cargo-cross.sh
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/embedded

skip() { # REASON
  echo "skipped: $1"
  exit 77
}

build() {
  if [ -x "$cross" ]; then
    RUSTFLAGS="-D warnings -Clinker-flavor=ld -Clink-arg=-Tlink.x" "$cross" $triple build --release --locked --quiet
  elif [ -d "$(rustc --print sysroot)/lib/rustlib/$triple" ]; then
    RUSTFLAGS="-D warnings -Clink-arg=-Tlink.x" cargo build --release --locked --quiet --target $triple
  else
    skip "no standard library for $triple (rustup target add $triple)"
  fi
}

# The bytes of the sections whose names match.
bytes() { # PROGRAM PATTERN
  "$size" -A "$1" | awk -v pattern="^($2)$" '$1 ~ pattern { sum += $2 } END { print sum + 0 }'
}

build
command -v qemu-system-arm >/dev/null || skip "no qemu-system-arm"
size=$(command -v arm-none-eabi-size || command -v llvm-size || command -v rust-size) || skip "no arm-none-eabi-size"
programs=$CARGO_TARGET_DIR/$triple/release

run() { # PROGRAM
  timeout 60 qemu-system-arm -machine mps2-an386 -nographic -monitor none -serial none \
    -semihosting-config enable=on,target=native -kernel "$programs/$1"
}

run bare >/dev/null
output=$(run station)
echo "$output"
for line in 'state: frame [0-9]+, pool [0-9]+, TLSF [0-9]+ bytes, on the stack' 'cycle 150: median [0-9]+ of 128' 'frame: 200 cycles, at most [0-9]+ of 2048 bytes' \
  'pool:  200 packets through 8 of [0-9]+ blocks' 'TLSF:  [0-9]+ bytes in records, 0 refused, 24 live, [0-9]+ gaps' \
  'end:   0 blocks live, memory in one piece: true, sound: true'; do
  grep -Eqx -- "$line" <<<"$output" || { echo "it does not say: $line"; exit 1; }
done

for program in bare station; do
  flash=$(bytes "$programs/$program" '\.vector_table|\.text|\.rodata|\.data')
  ram=$(bytes "$programs/$program" '\.data|\.bss|\.uninit')
  printf 'size:  %-8s %6d bytes of flash, %6d bytes of static RAM\n' $program "$flash" "$ram"
  [ $program = bare ] && bare=$flash
done
echo "size:  the strategies and their use: $((flash - bare)) bytes of flash"
# Twice what it takes now would be a mistake.
[ $((flash - bare)) -lt 40000 ] || { echo "that is too much"; exit 1; }
