/* realloc keeps contents over all sizes from 1 B to 64 MiB, up and down, in small and large steps, also for aligned blocks. */
#include "torture.h"

static void *resize(void *block, size_t from, size_t to, uint64_t seed) {
    errno = 0;
    void *moved = realloc(block, to);
    CHECK(moved, "realloc from %zu to %zu", from, to);
    must_hold(moved, from < to ? from : to, seed, "realloc");
    CHECK(malloc_usable_size(moved) >= to, "usable size after realloc to %zu is %zu", to, malloc_usable_size(moved));
    if (to > from) mark(moved, to, seed);
    return moved;
}

static void up_and_down(size_t top, unsigned numerator, unsigned denominator) {
    size_t size = 1;
    void *block = malloc(1);
    mark(block, 1, 5);
    while (size < top) {
        size_t next = size * numerator / denominator + 1;
        block = resize(block, size, next, 5);
        size = next;
    }
    while (size > 1) {
        size_t next = size * denominator / numerator;
        if (next < 1) next = 1;
        block = resize(block, size, next, 5);
        size = next;
    }
    free(block);
}

int main(void) {
    for (size_t step = 1; step < 3000; step = step * 3 + 1) { /* additive, as a growing string does */
        void *block = malloc(1);
        mark(block, 1, 9);
        size_t size = 1;
        for (int i = 0; i < 600; i++, size += step) block = resize(block, size, size + step, 9);
        free(block);
    }
    up_and_down(64 * MIB, 3, 2);
    up_and_down(8 * MIB, 9, 8);
    uint64_t random = 3;
    struct { void *block; size_t size; } table[64] = {{0}};
    long rounds = scaled(20000, 500);
    for (long i = 0; i < rounds; i++) {
        size_t at = next_random(&random) % 64, size = random_size(&random, i % 50 == 0 ? 22 : 15);
        if (next_random(&random) % 16 == 0) {
            free(table[at].block);
            table[at].block = memalign((size_t)16 << next_random(&random) % 10, table[at].size = size);
            mark(table[at].block, size, at);
        } else if (!table[at].block) {
            mark(table[at].block = malloc(size), table[at].size = size, at);
        } else {
            table[at].block = resize(table[at].block, table[at].size, size, at);
            mark(table[at].block, table[at].size = size, at);
        }
    }
    for (size_t at = 0; at < 64; at++) {
        if (table[at].block) must_hold(table[at].block, table[at].size, at, "end");
        free(table[at].block);
    }
    PASS("1 B to 64 MiB and back, %ld random steps", rounds);
}
