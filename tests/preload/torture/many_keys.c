/* KEYS pthread keys taken before the first malloc. From the 33rd key on pthread_setspecific allocates its table by calloc,
 * so an allocator that stores its own key calls itself; with all 1024 taken it gets no key at all.
 * An indirect function of the program is resolved while the loader still relocates, before it switches to the preloaded
 * malloc: earlier is not possible. */
#include "torture.h"

#ifndef KEYS
#define KEYS 40
#endif
static pthread_key_t keys[KEYS];
static int created, sum_of_tricks;

static void destroy(void *value) {
    free(value);
    free(malloc(64));
}

static int trick(void) { return 1; }
static int (*resolve_trick(void))(void) {
    while (created < KEYS && pthread_key_create(&keys[created], destroy) == 0) created++;
    return trick;
}
int early(void) __attribute__((ifunc("resolve_trick")));

static void *body(void *argument) {
    (void)argument;
    for (int i = 0; i < created; i += i < 48 ? 1 : 37) {
        char *block = malloc(120);
        CHECK(block, "malloc");
        mark(block, 120, (uint64_t)i);
        CHECK(pthread_setspecific(keys[i], block) == 0, "pthread_setspecific(%d)", i);
    }
    for (int i = 0; i < created; i += i < 48 ? 1 : 37) must_hold(pthread_getspecific(keys[i]), 120, (uint64_t)i, "key");
    return NULL;
}

int main(void) {
    sum_of_tricks += early();
    CHECK(created == KEYS || (KEYS >= 1000 && created > 900), "only %d keys before the first malloc", created);
    CHECK(created > 0 && keys[0] < 4, "the keys were not the first ones: %u", keys[0]);
    long waves = scaled(400, 10), base = 0, now = 0;
    for (long i = 0; i < waves; i++) {
        pthread_t threads[16];
        for (int j = 0; j < 16; j++) threads[j] = start(body, NULL);
        for (int j = 0; j < 16; j++) join(threads[j]);
        now = resident_kib();
        if (i <= waves / 5 && now > base) base = now;
        CHECK(i <= waves / 5 || now < base + 1024, "%ld threads: resident %ld -> %ld KiB", (i + 1) * 16, base, now);
    }
    PASS("%d keys before the first malloc, %ld threads, resident %ld -> %ld KiB", created, waves * 16, base, now);
}
