/* 100 000 threads created and ended in waves: what a thread used is found again by the next one, so resident memory stays flat. */
#include "torture.h"

enum { WAVE = 50, BLOCKS = 16 };

struct gift { void *from_main, *to_main; uint64_t seed; };

static void *body(void *argument) {
    struct gift *gift = argument;
    uint64_t random = gift->seed;
    void *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        sizes[i] = random_size(&random, i == 0 ? 18 : 14);
        blocks[i] = malloc(sizes[i]);
        CHECK(blocks[i], "malloc(%zu) in a thread", sizes[i]);
        mark(blocks[i], sizes[i], gift->seed + (uint64_t)i);
    }
    must_hold(gift->from_main, 200, gift->seed, "from main");
    free(gift->from_main);
    for (int i = 1; i < BLOCKS; i++) {
        must_hold(blocks[i], sizes[i], gift->seed + (uint64_t)i, "own");
        free(blocks[i]);
    }
    gift->to_main = blocks[0]; /* freed by main after this thread is gone */
    return NULL;
}

static void wave(uint64_t seed) {
    struct gift gifts[WAVE];
    pthread_t threads[WAVE];
    for (int i = 0; i < WAVE; i++) {
        gifts[i].seed = seed * WAVE + (uint64_t)i + 1;
        gifts[i].from_main = malloc(200);
        CHECK(gifts[i].from_main, "malloc(200)");
        mark(gifts[i].from_main, 200, gifts[i].seed);
        threads[i] = start(body, &gifts[i]);
    }
    for (int i = 0; i < WAVE; i++) {
        join(threads[i]);
        free(gifts[i].to_main);
    }
}

int main(void) {
    long waves = scaled(100000 / WAVE, 40), warm = waves / 10 < 20 ? 20 : waves / 10;
    long base = 0, highest = 0;
    for (long i = 0; i < waves; i++) {
        wave((uint64_t)i);
        /* The highest of the warm-up is the base: how many threads of a wave overlap is the scheduler's choice. */
        if (i % 20 == 19 || i == waves - 1) {
            long now = resident_kib();
            if (i < warm) { if (now > base) base = now; }
            else if (now > highest) highest = now;
        }
    }
    /* 8 MiB over 90 000 threads: a page lost by one thread in 40 is seen. */
    CHECK(highest < base + 8192, "%ld threads: resident %ld -> %ld KiB", waves * WAVE, base, highest);
    PASS("%ld threads, resident %ld -> %ld KiB", waves * WAVE, base, highest);
}
