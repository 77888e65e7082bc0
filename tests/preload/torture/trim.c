/* 200 MB of all sizes, from four threads, freed: after malloc_trim(0) fewer than 20 MB are resident one second later. */
#include "torture.h"

static size_t each;

static void *body(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    void **chain = NULL;
    for (size_t total = 0; total < each;) {
        size_t size = 16 + random_size(&random, next_random(&random) % 100 == 0 ? 22 : 14);
        void **block = malloc(size);
        CHECK(block, "malloc(%zu)", size);
        memset(block, 1, size);
        *block = chain;
        chain = block;
        total += size;
    }
    return chain;
}

static void release(void **chain) {
    while (chain) {
        void **next = *chain;
        free(chain);
        chain = next;
    }
}

int main(void) {
    each = (size_t)scaled(50 * 1000 * 1000, 4 * 1000 * 1000);
    void **chains[4];
    pthread_t threads[3];
    for (uintptr_t i = 0; i < 3; i++) threads[i] = start(body, (void *)(i + 1));
    chains[3] = body((void *)4);
    for (int i = 0; i < 3; i++) chains[i] = join(threads[i]);
    long full = resident_kib();
    for (int i = 0; i < 4; i++) release(chains[i]);
    long freed = resident_kib();
    malloc_trim(0);
    long now = resident_kib();
    for (int wait = 0; wait < 100 && now >= 20000; wait++) { /* the property has a time in it: one second */
        pause_ms(10);
        now = resident_kib();
    }
    CHECK(now < 20000, "resident %ld KiB full, %ld freed, %ld trimmed", full, freed, now);
    PASS("resident %ld KiB full, %ld freed, %ld trimmed", full, freed, now);
}
