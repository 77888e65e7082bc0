#!/usr/bin/env bash
# Primitives, platform, heap, strategies and modifiers on aarch64 Linux, under qemu
# limit: 1200
source "$(dirname "$0")/../environment.sh"
need_tool cargo-cross.sh
export CARGO_TARGET_DIR=$target/cross
# A standard library that is built from source for tests unwinds. A little optimisation, because emulation is slow.
export CARGO_PROFILE_DEV_PANIC=unwind CARGO_PROFILE_DEV_OPT_LEVEL=1
cross=("$tools/cargo-cross.sh" aarch64-unknown-linux-gnu test --quiet)
"${cross[@]}" -p stratalloc-primitives -p stratalloc-platform --lib --tests
"${cross[@]}" -p stratalloc-heap --lib

# Of strategies and modifiers what depends on the machine: memory orderings, threads, processes, pages, faults. Not here, since it is the
# same everywhere and runs natively and on i686: what one thread does with words (buddy, TLSF, stack, frame, compacting pool,
# compositions, damage and the rest of the modifiers). Nor huge pages, which qemu-user has none of, nor says what is resident. Nor regions
# between processes: qemu 7.2 makes /proc/self/stat up, with a start that is not the one that others read, who take the process for dead.
strategies=(fiber_stacks_overflow lock_free_pool mem_pool misuse node_pages pool replicated slab system)
modifiers=(modifiers stress thread_cached traced)
"${cross[@]}" -p stratalloc-strategies --lib "${strategies[@]/#/--test=}"
"${cross[@]}" -p stratalloc-modifiers --lib "${modifiers[@]/#/--test=}"

# Whole heaps. qemu-user keeps a table of every page that is reserved, and the heap reserves 1 TiB; under a limit it maps
# piece by piece. And qemu gets MREMAP_DONTUNMAP wrong (see the source), so it is made to refuse it.
heaps=(-p stratalloc-heap --test random --test conformance)
"${cross[@]}" "${heaps[@]}" --no-run
gcc -O1 -Wall -Werror .ci/without_dontunmap.c -o "$target/without_dontunmap"
ulimit -Sv $((8 << 20)) # 8 GiB
"$target/without_dontunmap" "${cross[@]}" "${heaps[@]}"
